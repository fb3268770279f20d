/** What a run came to: one JSON object for programs, a few lines for people. */
import type { FaultCounts } from './faults.ts';
import type { TransportKind } from './transports/transport.ts';

/** The devices of one transport, or of all, together. */
export interface Totals {
  devices: number;
  /** Readings created; each has an identity (device, boot, seq) of its own. */
  sent: number;
  /** Readings that the gateway has promised to keep. */
  acknowledged: number;
  /** Readings given up because a device's buffer was full. */
  dropped: number;
  /** Frames sent again. */
  retransmitted: number;
  /** Connections or sessions lost and built again. */
  reconnects: number;
}

/** The summary of `--json`. */
export interface Summary {
  seed: number;
  devices: number;
  byTransport: Partial<Record<TransportKind, Totals>>;
  /** As 16 hexadecimal digits. */
  deviceIds: Partial<Record<TransportKind, string[]>>;
  /** Commands executed. */
  commands: number;
  /** Troubles met, by their code: of our own finding, of the gateway's ERRORs, of the operating system. */
  errors: Record<string, number>;
  /** Faults injected, those that were. */
  faults: Partial<FaultCounts>;
}

/** What a summary is made of. */
export interface Summarized {
  readonly seed: number;
  readonly commands: number;
  readonly troubles: ReadonlyMap<string, number>;
  readonly faults: FaultCounts;
  readonly devices: readonly (Omit<Totals, 'devices'> & { readonly kind: TransportKind; readonly idText: string })[];
}

export function summarize({ seed, commands, troubles, faults, devices }: Summarized): Summary {
  const byTransport: Summary['byTransport'] = {};
  const deviceIds: Summary['deviceIds'] = {};
  for (const device of devices) {
    const totals = (byTransport[device.kind] ??= noTotals());
    add(totals, { ...pick(device), devices: 1 });
    (deviceIds[device.kind] ??= []).push(device.idText);
  }
  const struck = Object.entries(faults).filter(([, count]) => count > 0);
  return {
    seed,
    devices: devices.length,
    byTransport,
    deviceIds,
    commands,
    errors: Object.fromEntries([...troubles].toSorted(([a], [b]) => (a < b ? -1 : 1))),
    faults: Object.fromEntries(struck),
  };
}

/** All transports together. */
export function total(summary: Summary): Totals {
  const totals = noTotals();
  for (const part of Object.values(summary.byTransport)) add(totals, part);
  return totals;
}

/** The summary as a small table, without a line end. */
export function readable(summary: Summary): string {
  const columns: (keyof Totals)[] = ['devices', 'sent', 'acknowledged', 'dropped', 'retransmitted', 'reconnects'];
  const rows = [...Object.entries(summary.byTransport), ['all', total(summary)] as const];
  const lines = [`${''.padEnd(8)}${columns.map((name) => name.padStart(15)).join('')}`];
  for (const [name, totals] of rows) {
    lines.push(`${name.padEnd(8)}${columns.map((column) => String(totals[column]).padStart(15)).join('')}`);
  }
  lines.push(`commands: ${summary.commands}`);
  if (Object.keys(summary.errors).length > 0) lines.push(`troubles: ${counted(summary.errors)}`);
  if (Object.keys(summary.faults).length > 0) lines.push(`faults:   ${counted(summary.faults)}`);
  return lines.join('\n');
}

function noTotals(): Totals {
  return { devices: 0, sent: 0, acknowledged: 0, dropped: 0, retransmitted: 0, reconnects: 0 };
}

function add(totals: Totals, more: Totals): void {
  for (const key of Object.keys(totals) as (keyof Totals)[]) totals[key] += more[key];
}

function pick({ sent, acknowledged, dropped, retransmitted, reconnects }: Omit<Totals, 'devices'>) {
  return { sent, acknowledged, dropped, retransmitted, reconnects };
}

function counted(counts: Record<string, number>): string {
  return Object.entries(counts)
    .map(([code, count]) => `${code} ${count}`)
    .join(', ');
}
