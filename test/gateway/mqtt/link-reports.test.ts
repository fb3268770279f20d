import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RegisteredDevice } from '../../../gateway/devices/registry.ts';
import { type LineFigures, LinkReports } from '../../../gateway/mqtt/link-reports.ts';
import { Topics } from '../../../gateway/mqtt/topics.ts';

const said: { topic: string; payload: Record<string, unknown>; options: object | undefined }[] = [];
let device: RegisteredDevice;
let figures: LineFigures;
let reports: LinkReports;

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
  said.length = 0;
  figures = { checksum_errors: 0 };
  device = new RegisteredDevice('00000000000000aa', 'porch');
  device.online = true;
  device.lastSeen = 999_000;
  reports = new LinkReports({
    connection: {
      publish: (topic, payload, options) =>
        void said.push({ topic, payload: JSON.parse(payload) as Record<string, unknown>, options }),
    },
    topics: new Topics('b2m'),
    devices: () => [device],
    figures: () => figures,
    now: () => Date.now(),
    monotonicNow: () => performance.now(),
  });
  reports.start();
});
afterEach(() => {
  reports.close();
  vi.useRealTimers();
});

/** Time passes, and the device is heard all the while. */
function pass(seconds: number): void {
  for (let n = 0; n < seconds; n++) {
    device.lastSeen = Date.now();
    vi.advanceTimersByTime(1_000);
  }
}

describe('reports of the line', () => {
  it('come soon after the device has, and then once a minute', () => {
    vi.advanceTimersByTime(5_000);
    expect(said).toEqual([
      {
        topic: 'b2m/porch/link',
        payload: { online_s: 0, last_seen: 999_000, checksum_errors: 0, ts: 1_005_000 },
        options: undefined,
      },
    ]);
    pass(175);
    expect(said.map(({ payload }) => payload['online_s'])).toEqual([0, 60, 120]);
  });

  it('come at once with the first error, and no faster with the next', () => {
    pass(20);
    expect(said).toHaveLength(1);
    figures = { checksum_errors: 1 };
    pass(10);
    expect(said).toHaveLength(2);
    expect(said[1]?.payload).toMatchObject({ checksum_errors: 1 });
    figures = { checksum_errors: 2, skipped_bytes: 50 };
    pass(40);
    expect(said).toHaveLength(2);
  });

  it('do not come of a device that is silent or offline; back again, it is new', () => {
    vi.advanceTimersByTime(300_000);
    expect(said).toHaveLength(1);
    device.online = false;
    pass(120);
    expect(said).toHaveLength(1);
    device.online = true;
    pass(6);
    expect(said).toHaveLength(2);
    expect(said[1]?.payload['online_s']).toBe(0);
  });
});
