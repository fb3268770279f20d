"""Sends one line and reads the echo in pieces of 19 bytes: TCP is a stream, a recv() is not a message."""
import socket
import sys

host, port, line = sys.argv[1], int(sys.argv[2]), sys.argv[3].encode() + b"\n"

with socket.create_connection((host, port), timeout=20) as sock:
    sock.sendall(line)
    received = b""
    while len(received) < len(line):
        piece = sock.recv(19)  # 19 bytes at most, and fewer when fewer have arrived
        if not piece:
            sys.exit("the server closed before the whole line was back")
        print(f"{len(piece)}: {piece!r}")
        received += piece
    sock.shutdown(socket.SHUT_WR)  # we have said everything ...
    rest = sock.recv(19)  # ... and so has the server, once it has seen that
    print("same" if received == line and rest == b"" else "different")
