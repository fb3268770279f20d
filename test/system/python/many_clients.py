"""Many clients under one select(); one of them dies abruptly, and the others must not notice."""
import select
import socket
import struct
import sys

host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
ROUNDS = 20

clients = {}  # socket -> [its message, bytes back in this round, rounds done]
for number in range(count):
    sock = socket.create_connection((host, port), timeout=20)
    clients[sock] = [f"client {number:04} says hello\n".encode(), b"", 0]
victim = next(iter(clients))
for sock, (message, _, _) in clients.items():
    sock.sendall(message)

finished = 0
while clients:
    readable, _, _ = select.select(list(clients), [], [])
    for sock in readable:
        state = clients[sock]
        piece = sock.recv(4096)
        if not piece:
            sys.exit("the server has closed a connection")
        state[1] += piece
        if len(state[1]) < len(state[0]):
            continue
        if state[1] != state[0]:
            sys.exit(f"{state[0]!r} came back as {state[1]!r}")
        state[1], state[2] = b"", state[2] + 1
        if sock is victim or state[2] == ROUNDS:
            if sock is victim:  # linger on, for 0 seconds: close() drops everything and sends RST instead of FIN
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            finished += sock is not victim
            sock.close()
            del clients[sock]
        else:
            sock.sendall(state[0])
print(f"{finished} finished, 1 died")
