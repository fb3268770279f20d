import { readFileSync } from 'node:fs';
import { beforeEach, expect, it } from 'vitest';
import { LimitWatch } from '../../gateway/limits/limit-watch.ts';
import { createLog, rateLimited } from '../../gateway/log.ts';
import { Bridge } from '../../gateway/mqtt/bridge.ts';
import { Topics } from '../../gateway/mqtt/topics.ts';
import { Refusals } from '../../gateway/refusals.ts';
import type { Carrier } from '../../gateway/sessions/link/carrier.ts';
import { REFUSAL_REASONS, type RefusalReason } from '../../gateway/sessions/link/refusal.ts';

const ID = 'a1b2c3d4e5f60718';

const nothing = () => ({});

let now = 0;
let lines: Record<string, unknown>[] = [];
let events: Record<string, unknown>[] = [];
let refusals: Refusals;

beforeEach(() => {
  now = 0;
  lines = [];
  events = [];
  const connection = {
    publish: (_topic: string, payload: string) => void events.push(JSON.parse(payload) as Record<string, unknown>),
    subscribe: () => undefined,
    unsubscribe: () => undefined,
  };
  const write = (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>);
  const log = createLog({ level: 'info', pretty: false, write });
  const bridge = new Bridge({
    connection,
    topics: new Topics('b'),
    devices: () => [],
    info: nothing,
    health: nothing,
    now: () => now,
    logsPerS: 2,
    watch: new LimitWatch(rateLimited(log, () => now)),
  });
  refusals = new Refusals(
    bridge,
    log,
    (id) => (id === ID ? 'greenhouse' : undefined),
    () => now,
  );
});

function tell(reason: RefusalReason, device: string | undefined, address = '10.0.0.7'): void {
  refusals.tell({ reason, device, carrier: { id: `udp:x/${address}:5`, address } as Carrier });
}

it.each(REFUSAL_REASONS)('%s: one line and one event a minute, with who, where and what is right', (reason) => {
  for (let n = 0; n < 5; n++) tell(reason, reason === 'unknown-session' ? undefined : ID);
  expect(lines).toHaveLength(1);
  const [line] = lines;
  expect(line).toMatchObject({ level: 'warn', reason, peer: 'udp:x/10.0.0.7:5' });
  expect(line?.['msg']).toContain('udp:x/10.0.0.7:5');
  if (reason !== 'unknown-session') expect(line?.['msg']).toContain(`greenhouse (${ID})`);
  expect(events).toEqual([expect.objectContaining({ type: 'refused', reason, peer: 'udp:x/10.0.0.7:5' })]);
  now += 60_001;
  tell(reason, reason === 'unknown-session' ? undefined : ID);
  expect(lines[1]?.['msg']).toContain('… and 4 more');
  expect(events).toHaveLength(2);
});

it('what strangers claim to be is bounded, and does not crowd out a device of the configuration', () => {
  for (let n = 0; n < 1_000; n++) tell('no-key', n.toString(16).padStart(16, '0'));
  expect(lines.length).toBeLessThanOrEqual(17);
  expect(events.length).toBe(lines.length);
  tell('wrong-key', ID);
  expect(events.at(-1)).toMatchObject({ reason: 'wrong-key', device: 'greenhouse' });
});

it('every reason is in the docs', () => {
  const page = readFileSync(new URL('../../docs/keys.md', import.meta.url), 'utf8');
  const documented = Array.from(page.matchAll(/^\| `([a-z-]+)` \|/gm), ([, reason]) => reason);
  expect(new Set(documented)).toEqual(new Set(REFUSAL_REASONS));
});
