"""Datagrams of several sizes, the empty one included; each comes back as one datagram of the same size."""
import socket
import sys

host, port = sys.argv[1], int(sys.argv[2])

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.bind(("127.0.0.1", 0))  # any free port; a client that does not bind gets one with its first sendto()
    sock.settimeout(1)
    for size in (0, 1, 19, 512, 1200, 8192):
        question = bytes(i % 251 for i in range(size))
        for attempt in range(20):  # a datagram may get lost: who wants an answer has to ask again
            sock.sendto(question, (host, port))
            try:
                answer, server = sock.recvfrom(65536)
                break
            except socket.timeout:
                continue
        else:
            sys.exit(f"no answer to {size} bytes")
        print(f"{size}: {'same' if answer == question and server == (host, port) else 'different'}")
