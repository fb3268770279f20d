/** docs/mqtt.md names every word that a program can meet on the topics, and its examples are what the code makes. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { standardRequests, type GatewayView } from '../../gateway/mqtt/requests.ts';
import { jsonText } from '../../gateway/mqtt/payload.ts';
import { aliasOf } from '../../gateway/mqtt/topics.ts';
import { QUALITIES } from '../../protocol/index.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const DOCS = read('docs/mqtt.md');

/** The words in quotes of a union type in a source file. */
function wordsOf(path: string, type: string): string[] {
  const declaration = new RegExp(`type ${type} =([^;]*);`).exec(read(path))?.[1] ?? '';
  return Array.from(declaration.matchAll(/'([a-z_-]+)'/g), ([, word]) => word!);
}

/** What is given to `event(` and `deviceEvent(` in a source file. */
function eventsOf(path: string): string[] {
  return Array.from(read(path).matchAll(/vent\((?:device, )?'([a-z_]+)'/g), ([, word]) => word!);
}

const EVENT_SOURCES = [
  'gateway/announcer.ts',
  'gateway/mqtt/mqtt-service.ts',
  'gateway/gateway.ts',
  'gateway/reload/config-reloader.ts',
];

/** Sessions that end so leave their device online. */
const STILL_ONLINE = ['sleeping', 'replaced'];
const OFFLINE = wordsOf('gateway/sessions/link/link-context.ts', 'SessionEnd').filter(
  (why) => !STILL_ONLINE.includes(why),
);

describe('docs/mqtt.md', () => {
  it.each([
    ['statuses of a device', wordsOf('gateway/sessions/link/command-queue.ts', 'CommandStatus')],
    ['statuses of the gateway', wordsOf('gateway/mqtt/commands.ts', 'OwnStatus')],
    ['reasons to be offline', [...OFFLINE, 'report-overdue']],
    ['events', EVENT_SOURCES.flatMap(eventsOf)],
    ['requests', [...standardRequests({} as GatewayView, () => 0).keys()]],
  ])('names all %s', (_, words) => {
    expect(words.length).toBeGreaterThan(4);
    expect(words.filter((word) => !DOCS.includes(`\`${word}\``))).toEqual([]);
  });

  it('names all qualities', () => {
    const bad = QUALITIES.filter(({ name }) => name !== 'good');
    expect(bad.filter(({ name }) => !DOCS.includes(`"${name}"`))).toEqual([]);
  });

  it('has examples that hold', () => {
    expect(aliasOf('Température (°C)', new Set(), 'ch1')).toBe('temperature_c');
    expect(aliasOf('Temperature', new Set(['temperature']), 'ch4')).toBe('temperature_ch4');
    expect(jsonText('i16', 213, -1)).toBe('21.3');
    expect(jsonText('u16', 2000, -3)).toBe('2');
    expect(jsonText('f64', 1e21, 0)).toBe('1e+21');
    expect(jsonText('u8', 5, -9)).toBe('5e-9');
    for (const text of ['temperature_c', 'temperature_ch4', '21.3', '1e+21', '5e-9']) expect(DOCS).toContain(text);
    for (const [, block = ''] of DOCS.matchAll(/```json\n([^`]*)```/g)) {
      for (const line of block.trim().split('\n')) expect(() => JSON.parse(line) as unknown).not.toThrow();
    }
  });
});
