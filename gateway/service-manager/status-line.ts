/** One line on how the gateway is, for `systemctl status`. */
import type { Journal } from '../journal/journal.ts';

/** What the line is about; a part of what the views show. */
export interface StatusParts {
  readonly acceptor: { readonly entries: readonly { readonly source: { readonly state: string } }[] };
  readonly registry: Iterable<{ readonly online: boolean }>;
  readonly mqtt: { readonly connection: { readonly connected: boolean; readonly where: string } };
  readonly journal: Pick<Journal, 'full'> & { readonly stats: Pick<Journal['stats'], 'depth' | 'trouble'> };
}

/** E.g. `3 devices online, 2 of 2 sources open, broker 127.0.0.1:1883 connected, 0 readings waiting`. */
export function statusLine({ acceptor, registry, mqtt, journal }: StatusParts): string {
  const online = Array.from(registry).filter((device) => device.online).length;
  const open = acceptor.entries.filter(({ source }) => source.state === 'open').length;
  const { connected, where } = mqtt.connection;
  const { depth, trouble } = journal.stats;
  return [
    `${count(online, 'device')} online`,
    `${open} of ${count(acceptor.entries.length, 'source')} open`,
    `broker ${where} ${connected ? 'connected' : 'not there'}`,
    `${count(depth, 'reading')} waiting`,
    ...(trouble === undefined ? [] : [`journal: ${trouble}`]),
    ...(journal.full ? ['journal full'] : []),
  ].join(', ');
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}
