"""The far end of a serial line, on a pseudo-terminal instead of a cable. Upper case tells an answer from an echo of the
line itself, which a terminal or a bridged RX and TX would give too."""
import os
import select
import sys
import tty

master, slave = os.openpty()
tty.setraw(slave)  # bytes as they are: no echo, no line editing, no CR for LF
print(f"line {os.ttyname(slave)}", flush=True)
sys.stdin.readline()  # somebody presses Enter when the other end is open

question = b"temperature 21.5 degrees\n"
os.write(master, question)
answer = b""
while not answer.endswith(b"\n"):
    readable, _, _ = select.select([master], [], [], 20)
    if not readable:
        sys.exit(f"no whole line, only {answer!r}")
    answer += os.read(master, 19)
print(answer.decode("ascii"), end="")
