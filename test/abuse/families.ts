/** All cases, and what the gateway of each family is like. */
import type { CaseGroup, Family } from './case.ts';
import { broker, watermark } from './families/broker.ts';
import { framing } from './families/framing.ts';
import { limits } from './families/limits.ts';
import { mqtt } from './families/mqtt.ts';
import { names } from './families/names.ts';
import { secured } from './families/secured.ts';
import { selfTest } from './families/self-test.ts';
import { session } from './families/session.ts';
import { values } from './families/values.ts';
import type { WorldOptions } from './world.ts';

export const GROUPS: readonly CaseGroup[] = [
  framing,
  session,
  values,
  names,
  secured,
  limits,
  mqtt,
  broker,
  watermark,
  selfTest,
];

/** But those that bound how many cases a minute there can be. */
const AS_SHIPPED = {
  handshakes_per_s: 100,
  handshakes_per_address_per_s: 10,
  frames_per_s: 50,
  bytes_per_s: 20_000,
  answers_per_s: 50,
  connections_per_address: 64,
  connections: 100,
  devices: 256,
};

export function worldOf(family: Family): WorldOptions {
  if (family === 'names') return { logFormat: 'pretty' };
  if (family === 'limits') return { limits: AS_SHIPPED };
  return {};
}
