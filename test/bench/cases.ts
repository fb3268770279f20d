/** What is measured, as data. */
import type { BrokerKind } from './brokers.ts';
import type { RelayKind } from './relays.ts';

export interface Case {
  readonly name: string;
  readonly relay: RelayKind;
  readonly transport: 'tcp' | 'udp';
  readonly devices: number;
  readonly qos: 0 | 1;
  readonly broker: BrokerKind;
  /** Part of `--quick`. */
  readonly quick: boolean;
  /** Where issue 2 wants the CPU µs a frame. */
  readonly target?: string;
}

const TARGETS: Readonly<Record<string, string>> = {
  'tcp-100-qos0-sink': '≤ 5',
  'tcp-100-qos1-sink': '≤ 9',
  'tcp-1000-qos0-sink': '≤ 6.5',
  'tcp-1000-qos1-sink': '≤ 11.7',
};

const LOADS = [
  ['tcp', 1],
  ['tcp', 100],
  ['tcp', 1_000],
  ['udp', 100],
] as const;

export const CASES: readonly Case[] = [
  ...LOADS.flatMap(([transport, devices]) => gateway(transport, devices, 'sink', true)),
  ...LOADS.flatMap(([transport, devices]) =>
    gateway(transport, devices, 'mosquitto', devices === 100 && transport === 'tcp'),
  ),
  // With QoS 0 nothing is in flight, so the limit of 20 means nothing there.
  ...LOADS.filter(([, devices]) => devices === 100).flatMap(([transport, devices]) =>
    gateway(transport, devices, 'mosquitto-20', false).slice(1),
  ),
  ...(['mqttjs', 'node', 'c'] as const).flatMap((relay) =>
    ([0, 1] as const).map(
      (qos): Case => ({
        name: `${relay}-tcp-100-qos${qos}-sink`,
        relay,
        transport: 'tcp',
        devices: 100,
        qos,
        broker: 'sink',
        quick: relay !== 'node',
      }),
    ),
  ),
];

function gateway(transport: 'tcp' | 'udp', devices: number, broker: BrokerKind, quick: boolean): Case[] {
  return ([0, 1] as const).map((qos) => {
    const name = `${transport}-${devices}-qos${qos}-${broker}`;
    const target = TARGETS[name];
    return {
      name,
      relay: 'gateway',
      transport,
      devices,
      qos,
      broker,
      quick,
      ...(target !== undefined && { target }),
    };
  });
}
