/** More streams than the way onward takes: all of them get on, and at the same pace. */
import { expect, it } from 'vitest';
import type { LinkDevice } from '../../../helpers/link-device.ts';
import { LinkHost } from './link-host.ts';

const DEVICES = 100;
const WINDOW = 4;
const READINGS = 4_000;

it('streams that wait for room in the journal are served in turn, also against those that answer at once', async () => {
  const host = await LinkHost.start({ maxRecords: 160, limits: { connectionsPerAddress: DEVICES } });
  const devices: LinkDevice[] = [];
  for (let n = 0; n < DEVICES; n++) devices.push(await host.device('tcp', BigInt(n + 1)));
  const sent = devices.map(() => 0);
  const taken = (): number[] => {
    const counts = new Map<string, number>();
    for (const { device } of host.journal.records) counts.set(device.id, (counts.get(device.id) ?? 0) + 1);
    return Array.from(counts.values());
  };
  while (host.journal.records.length < READINGS) {
    for (const [n, device] of devices.entries()) {
      const acked = device.of('ACK').at(-1)?.seq ?? 0;
      for (let seq = (sent[n] ?? 0) + 1; seq <= acked + WINDOW; seq++) {
        device.readings(seq);
        sent[n] = seq;
      }
    }
    await host.turn();
    // The broker takes what a tenth of the devices has sent.
    host.release(Math.min((DEVICES * WINDOW) / 10, host.journal.stats.depth));
    await host.turn();
  }
  const counts = taken();
  expect(counts).toHaveLength(DEVICES);
  expect(Math.min(...counts)).toBeGreaterThan(Math.max(...counts) / 2);
});
