/** All cases, and what the gateway of each family is like. */
import type { CaseGroup, Family } from './case.ts';
import { framing } from './families/framing.ts';
import { session } from './families/session.ts';
import { values } from './families/values.ts';
import type { WorldOptions } from './world.ts';

export const GROUPS: readonly CaseGroup[] = [framing, session, values];

export function worldOf(family: Family): WorldOptions {
  if (family === 'names') return { logFormat: 'pretty' };
  return {};
}
