"""Type a line, get it back in upper case. Ctrl-D ends."""
import socket
import sys

host, port = sys.argv[1], int(sys.argv[2])

with socket.create_connection((host, port), timeout=20) as sock:
    answers = sock.makefile("r", encoding="utf-8", newline="\n")
    print("ready", flush=True)
    for line in sys.stdin:
        sock.sendall(line.encode("utf-8"))
        print("server: " + answers.readline().rstrip("\r\n"), flush=True)
print("bye", flush=True)
