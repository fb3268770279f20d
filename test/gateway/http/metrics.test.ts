/** `/metrics` as Prometheus reads it. */
import { describe, expect, it } from 'vitest';
import { sample } from '../../helpers/link-device.ts';
import { WebGateway } from './web-gateway.ts';

interface Family {
  readonly type: string;
  readonly help: string;
  readonly samples: { readonly labels: Record<string, string>; readonly value: number }[];
}

/** The exposition format, version 0.0.4; throws at what is not of it. */
function parse(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  let help = '';
  for (const line of text.split('\n').filter(Boolean)) {
    const told = /^# (HELP|TYPE) ([a-z0-9_]+) (.+)$/.exec(line);
    if (told?.[1] === 'HELP') help = told[3]!;
    else if (told !== null) {
      expect(families.has(told[2]!), `${told[2]} is told twice`).toBe(false);
      families.set(told[2]!, { type: told[3]!, help, samples: [] });
    } else {
      const [, name = '', labels = '', value = ''] = /^([a-z0-9_]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
      const family = families.get(name);
      if (family === undefined) throw new Error(`no sample of a family: ${line}`);
      const pairs = Array.from(labels.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g), ([, key, text]) => [key!, text!]);
      family.samples.push({ labels: Object.fromEntries(pairs) as Record<string, string>, value: Number(value) });
    }
  }
  return families;
}

async function metrics(web: WebGateway): Promise<Map<string, Family>> {
  const response = await fetch(`${web.url}/metrics`);
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  return parse(await response.text());
}

describe('/metrics', () => {
  it('counts what happens', async () => {
    const web = await WebGateway.open('tcp: 127.0.0.1:0', 'udp: 127.0.0.1:0');
    const device = await web.device('tcp');
    for (const seq of [1, 2, 3]) device.readings(seq, sample(seq));
    await device.acknowledged(3);
    const bad = device.plainFrame({ type: 'PING', token: 1 });
    bad[bad.length - 1]! ^= 1;
    device.sendFrame(bad);
    await device.settled();
    const found = await metrics(web);
    const value = (name: string, labels: Record<string, string> = {}): number | undefined =>
      found
        .get(`bytes2mqtt_${name}`)
        ?.samples.find((one) => Object.entries(labels).every(([key, text]) => one.labels[key] === text))?.value;
    expect(value('devices_known')).toBe(1);
    expect(value('devices_online')).toBe(1);
    expect(value('device_up', { device: 'a1b2c3d4e5f60718' })).toBe(1);
    expect(value('link_readings_total', { transport: 'tcp' })).toBe(3);
    expect(value('link_rejected_total', { transport: 'tcp', reason: 'bad-crc' })).toBe(1);
    expect(value('source_up', { transport: 'udp' })).toBe(1);
    expect(value('source_received_bytes_total', { transport: 'tcp' })).toBeGreaterThan(100);
    expect(value('journal_appended_total')).toBeGreaterThanOrEqual(3);
    expect(value('mqtt_connected')).toBe(1);
    expect(value('memory_resident_bytes')).toBeGreaterThan(1e7);
    const now = Date.now() / 1_000;
    expect(Math.abs((value('device_last_seen_timestamp_seconds') ?? 0) - now)).toBeLessThan(60);
  });

  it('keeps to the conventions: names with base units, counters with _total, few labels', async () => {
    const web = await WebGateway.open('tcp: 127.0.0.1:0');
    await web.device('tcp');
    const families = await metrics(web);
    expect(families.size).toBeGreaterThan(30);
    for (const [name, { type, help, samples }] of families) {
      expect(name).toMatch(/^bytes2mqtt_[a-z][a-z0-9_]+$/);
      expect(help).toMatch(/[.:)]$/);
      expect(['counter', 'gauge']).toContain(type);
      expect(name.endsWith('_total'), `${name} is a ${type}`).toBe(type === 'counter');
      // Seconds and bytes, never their parts or multiples.
      expect(name).not.toMatch(/_(ms|milliseconds|us|minutes|hours|kb|kib|mb|percent)(_|$)/);
      if (/_(seconds|bytes)/.test(name)) expect(name).toMatch(/_(seconds|bytes)(_total)?$/);
      const labels = new Set(samples.flatMap((one) => Object.keys(one.labels)));
      for (const label of labels) {
        expect(['source', 'transport', 'reason', 'limit', 'device', 'version', 'node']).toContain(label);
      }
      expect(labels.has('device')).toBe(name.startsWith('bytes2mqtt_device_'));
      for (const one of samples) expect(Number.isFinite(one.value)).toBe(true);
      const keys = samples.map((one) => JSON.stringify(one.labels));
      expect(new Set(keys).size).toBe(keys.length);
    }
  });
});
