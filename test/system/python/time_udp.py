"""RFC 868 over UDP: an empty datagram is the question, four bytes are the answer."""
import socket
import struct
import sys
import time

SECONDS_1900_TO_1970 = 2_208_988_800
host, port = sys.argv[1], int(sys.argv[2])

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.settimeout(20)
    sock.sendto(b"", (host, port))
    data, server = sock.recvfrom(64)  # a datagram is whole or not there: no loop

(seconds,) = struct.unpack("!I", data)
difference = (seconds - SECONDS_1900_TO_1970 - int(time.time())) % 2**32
print("right" if difference in (0, 1, 2**32 - 1) else f"off by {difference} s")
print(f"from port {server[1]}")
