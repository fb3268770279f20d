/** Runs the built program `device-sim run` to its end, and knows what the gateway has promised it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Summary } from '../../device-sim/report.ts';

const MAIN = join(import.meta.dirname, '../../dist/device-sim/main.js');

export interface FleetResult {
  /** 0: every reading was acknowledged. */
  readonly code: number | null;
  readonly summary: Summary;
  /** The readings acknowledged, as in the JSON of the topics: `<device>-<boot>-<seq>`. */
  readonly acknowledged: readonly string[];
}

export interface Fleet {
  readonly process: ChildProcess;
  readonly result: Promise<FleetResult>;
}

/** `device-sim run ARGS --json --ack-log FILE`. */
export function startFleet(...args: string[]): Fleet {
  if (!existsSync(MAIN)) throw new Error('the program is not built: npm run build');
  const folder = mkdtempSync(join(tmpdir(), 'fleet-'));
  const ackLog = join(folder, 'acks');
  const child = spawn(process.execPath, [MAIN, 'run', ...args, '--json', '--ack-log', ackLog]);
  const end = async (): Promise<FleetResult> => {
    const [out, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    const last = out.trimEnd().split('\n').at(-1) ?? '';
    if (!last.startsWith('{')) throw new Error(`device-sim has failed: ${errors}`);
    const lines = readFileSync(ackLog, 'utf8').split('\n').filter(Boolean);
    rmSync(folder, { recursive: true });
    const acknowledged = lines.map((line) => line.replaceAll(' ', '-'));
    return { code: code as number | null, summary: JSON.parse(last) as Summary, acknowledged };
  };
  return { process: child, result: end() };
}
