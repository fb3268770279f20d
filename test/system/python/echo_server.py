"""An echo server for many clients on one select(). Prints its port, then each event."""
import select
import socket

listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a restart need not wait for old connections
listener.bind(("127.0.0.1", 0))  # port 0: any free one
listener.listen(5)  # so many may wait for accept()
listener.setblocking(False)
print(f"port {listener.getsockname()[1]}", flush=True)

waiting = {}  # connection -> bytes that it has not taken yet
while True:
    writers = [sock for sock, unsent in waiting.items() if unsent]
    readers = [listener] + [sock for sock, unsent in waiting.items() if not unsent]  # who does not read is not read
    readable, writable, _ = select.select(readers, writers, [])
    for sock in readable:
        if sock is listener:
            connection, _ = listener.accept()
            connection.setblocking(False)
            waiting[connection] = b""
            print("accepted", flush=True)
            continue
        try:
            data = sock.recv(4096)
        except ConnectionResetError:
            data = b""
            print("reset", flush=True)
        if data:
            waiting[sock] = data
            print(f"received {data!r}", flush=True)
        else:
            print("closed", flush=True)
            del waiting[sock]
            sock.close()
    for sock in writable:
        if sock in waiting:
            waiting[sock] = waiting[sock][sock.send(waiting[sock]) :]
