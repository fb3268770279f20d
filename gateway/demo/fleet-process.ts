/** The simulated devices of the demo: `device-sim` as a process of its own, as a user would run it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** What `device-sim run --json` says at its end; only what the demo uses. */
export interface FleetSummary {
  readonly byTransport: Readonly<Record<string, { readonly sent: number; readonly acknowledged: number }>>;
  /** Device ids, 16 hex digits, by transport. */
  readonly deviceIds: Readonly<Record<string, readonly string[]>>;
}

export interface FleetProcess {
  /** Resolves when the fleet has ended by itself or was stopped; undefined when it ended without a summary. */
  readonly ended: Promise<FleetSummary | undefined>;
  /** Asks it to wait for its acknowledgements, to say goodbye, and to end. */
  stop(): void;
}

const PROGRAM = fileURLToPath(new URL('../../device-sim/main.js', import.meta.url));

export function startFleet(args: readonly string[]): FleetProcess {
  // A process group of its own: Ctrl-C at the terminal reaches the demo, which then stops the fleet in order. The channel
  // between us tells the fleet when we are gone, whatever has ended us.
  const child = spawn(process.execPath, [PROGRAM, 'run', '--json', ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: true,
  });
  const onExit = (): void => void child.kill('SIGKILL');
  process.on('exit', onExit);
  // What it says on the way is the business of `device-sim`; the demo shows what arrives.
  child.stderr!.resume();
  let last = '';
  createInterface(child.stdout!).on('line', (line) => {
    last = line;
  });
  async function summary(): Promise<FleetSummary | undefined> {
    await once(child, 'close');
    process.off('exit', onExit);
    return last.startsWith('{') ? (JSON.parse(last) as FleetSummary) : undefined;
  }
  return { ended: summary(), stop: () => void child.kill('SIGTERM') };
}
