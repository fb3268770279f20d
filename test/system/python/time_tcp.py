"""RFC 868 over TCP: four bytes in network byte order, the seconds since 1900, then the close."""
import socket
import struct
import sys
import time

SECONDS_1900_TO_1970 = 2_208_988_800
host, port = sys.argv[1], int(sys.argv[2])

with socket.create_connection((host, port), timeout=20) as sock:
    data = b""
    while piece := sock.recv(4):  # four bytes may still come in two pieces
        data += piece

(seconds,) = struct.unpack("!I", data)  # "!" is network byte order, big-endian; a wrong length is an error
difference = (seconds - SECONDS_1900_TO_1970 - int(time.time())) % 2**32  # the counter wraps in 2036
print("right" if difference in (0, 1, 2**32 - 1) else f"off by {difference} s")
