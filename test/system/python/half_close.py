"""Sends megabytes, half-closes, and still gets the whole answer. With one select() for both directions: a client that
only sends until it is done, against a server that only goes on while it is read, would wait for ever."""
import hashlib
import random
import select
import socket
import sys

host, port, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
data = random.Random(7).randbytes(size)
sent, received, ended = 0, bytearray(), False

sock = socket.create_connection((host, port), timeout=20)
sock.setblocking(False)
while not ended:
    writers = [sock] if sent < size else []
    readable, writable, _ = select.select([sock], writers, [], 20)
    if not readable and not writable:
        sys.exit(f"nothing moved for 20 seconds: {sent} bytes sent, {len(received)} received")
    if writable:
        sent += sock.send(data[sent : sent + 65536])  # takes what fits and says how much that was
        if sent == size:
            sock.shutdown(socket.SHUT_WR)  # FIN: we have no more, and listen on
    if readable:
        piece = sock.recv(65536)
        received += piece
        ended = not piece
sock.close()

same = hashlib.sha256(received).digest() == hashlib.sha256(data).digest()
print(f"sent {sent}, received {len(received)}, {'same' if same else 'different'}")
