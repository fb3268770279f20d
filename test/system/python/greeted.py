"""Connects, says nothing, prints the greeting and sees the close."""
import socket
import sys

host, port = sys.argv[1], int(sys.argv[2])

with socket.create_connection((host, port), timeout=20) as sock:
    address, own_port = sock.getsockname()[:2]
    print(f"I am {address}:{own_port}")
    greeting = b""
    while True:
        piece = sock.recv(1024)
        if not piece:  # an empty piece is the server's FIN, not an empty message
            break
        greeting += piece
print(greeting.decode("ascii").rstrip("\r\n"))
print("closed")
