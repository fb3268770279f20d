"""RFC 868 over UDP. Any datagram of three bytes or more is the question, four bytes are the answer; the empty one of the
RFC gets none, because its sender may be forged and the answer would be longer than the question."""
import socket
import struct
import sys
import time

SECONDS_1900_TO_1970 = 2_208_988_800
host, port = sys.argv[1], int(sys.argv[2])

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.settimeout(20)
    sock.sendto(b"time", (host, port))
    data, server = sock.recvfrom(64)  # a datagram is whole or not there: no loop

(seconds,) = struct.unpack("!I", data)
difference = (seconds - SECONDS_1900_TO_1970 - int(time.time())) % 2**32
print("right" if difference in (0, 1, 2**32 - 1) else f"off by {difference} s")
print(f"from port {server[1]}")
