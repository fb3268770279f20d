/** The socket on which a service manager listens for sd_notify(3): Node has no datagrams on Unix-domain sockets, Python has. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

// A barrier of sd_notify(3) is a file descriptor: whoever sent it waits until we have closed ours.
const RECEIVER = `
import json, os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print(json.dumps('bound'), flush=True)
while True:
    data, fds, _, _ = socket.recv_fds(s, 4096, 4)
    for fd in fds: os.close(fd)
    print(json.dumps(data.decode()), flush=True)
`;

const STAND_IN = `#!/usr/bin/env python3
import os, socket, sys
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto('\\n'.join(sys.argv[1:]).encode(), os.environ['NOTIFY_SOCKET'])
`;

export class NotifySocket {
  /** Every assignment that has come, in order: `READY=1`, `STATUS=…`. */
  readonly heard: string[] = [];
  readonly folder = mkdtempSync(join(tmpdir(), 'notify-'));
  readonly path = join(this.folder, 'socket');
  readonly #receiver: ChildProcess;
  readonly #waiting = new Set<() => void>();
  #bound = false;

  private constructor() {
    this.#receiver = spawn('python3', ['-c', RECEIVER, this.path], { stdio: ['ignore', 'pipe', 'inherit'] });
    createInterface({ input: this.#receiver.stdout! }).on('line', (line) => {
      const message = JSON.parse(line) as string;
      if (!this.#bound) this.#bound = true;
      else this.heard.push(...message.split('\n').filter((part) => part !== '' && part !== 'BARRIER=1'));
      for (const check of this.#waiting) check();
    });
  }

  static async open(): Promise<NotifySocket> {
    const socket = new NotifySocket();
    await socket.#until(() => socket.#bound);
    return socket;
  }

  /** A folder with a stand-in for systemd-notify, to put in front of PATH. */
  standIn(): string {
    const program = join(this.folder, 'systemd-notify');
    writeFileSync(program, STAND_IN);
    chmodSync(program, 0o755);
    return this.folder;
  }

  /** Resolves with the first assignment that `wanted` matches, at `from` of those heard or later. */
  async hears(wanted: RegExp, from = 0): Promise<string> {
    const find = (): string | undefined => this.heard.slice(from).find((assignment) => wanted.test(assignment));
    await this.#until(() => find() !== undefined);
    return find()!;
  }

  close(): void {
    this.#receiver.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }

  #until(done: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!done()) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
      check();
    });
  }
}
