/** Resident memory of the gateway with idle TCP connections, each with a session. */
import { execFileSync } from 'node:child_process';
import { startBroker } from './brokers.ts';
import { Child } from './child.ts';
import { startGateway } from './relays.ts';

export interface Memory {
  readonly connections: number;
  readonly residentBytes: number;
  /** More than without any, for each connection; undefined without any. */
  readonly bytesPerConnection: number | undefined;
}

/** File descriptors that a process needs besides its connections. */
const OTHER_FILES = 100;
/** V8 gives the memory of a burst back once the process was idle for a while, after more than one collection. */
const SETTLE_MS = 2_500;

/** One gateway, in whose resident memory connections are added; `limit`: more were wanted than files may be open. */
export async function measureMemory(
  wanted: readonly number[],
  collections: number,
): Promise<{ steps: Memory[]; limit: number | undefined }> {
  const files = openFiles();
  const counts = wanted.map((count) => Math.min(count, files - OTHER_FILES));
  const broker = await startBroker('sink');
  const load = Child.startQuiet('load');
  try {
    const gateway = await startGateway(broker.port, 1, true);
    try {
      const steps: Memory[] = [];
      let open = 0;
      for (const connections of new Set(counts)) {
        if (connections > open) {
          const devices = connections - open;
          await load.ask({ open: { transport: 'tcp', port: gateway.ports.tcp, devices, window: 0 } });
          open = connections;
        }
        for (let n = 0; n < collections; n++) {
          await gateway.residentBytes();
          await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
        }
        const residentBytes = await gateway.residentBytes();
        const more = residentBytes - (steps[0]?.residentBytes ?? residentBytes);
        steps.push({ connections, residentBytes, bytesPerConnection: open === 0 ? undefined : more / open });
      }
      return { steps, limit: counts.some((count, i) => count !== wanted[i]) ? files : undefined };
    } finally {
      // The devices first: for them a lost connection is an error.
      await load.end();
      await gateway.end();
    }
  } finally {
    await load.end();
    await broker.end();
  }
}

function openFiles(): number {
  const text = execFileSync('/bin/sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).trim();
  return text === 'unlimited' ? Number.POSITIVE_INFINITY : Number(text);
}
