import { describe, expect, it } from 'vitest';
import { formatProblem } from '../../../gateway/config/problem.ts';
import type { SourceConfig } from '../../../gateway/config/schema.ts';
import { loadText } from '../../helpers/config-folder.ts';

const SCALE = `title: Bench scale
serial: { baud: 4800, parity: even }
parameters: { address: { type: u8, default: 1 } }
framing: { sync: 5a, length: 5 }
checksum: { type: sum8, from: 0, to: -1, at: -1 }
fields:
  weight: { at: 2, type: u16, unit: kg, class: weight }
`;

function sourcesOf(text: string, files: Record<string, string> = {}): readonly SourceConfig[] {
  const loaded = loadText(`sources:\n${text}`, {}, files);
  if (!loaded.ok) throw new Error(loaded.problems.map(formatProblem).join('\n'));
  return loaded.config.sources;
}

/** `CODE path line:column message` of each problem. */
function problemsOf(text: string, files: Record<string, string> = {}): string[] {
  const loaded = loadText(`sources:\n${text}`, {}, files);
  return loaded.ok ? [] : loaded.problems.map(formatProblem);
}

const scaleOn = (more: string): string => `  - { serial: /dev/x, profile: ./scale.yaml, ${more}every_s: 2.5 }\n`;

describe('profiles in the configuration', () => {
  it('a shipped one, with a name or by its own', () => {
    const [first, second] = sourcesOf(
      '  - { tcp: "a:1", profile: gt06 }\n  - { tcp: "a:2", profile: teltonika, device: van }\n',
    );
    expect(first?.profile?.devices).toMatchObject([{ alias: 'gt06', everyMs: undefined, parameters: {} }]);
    expect(first?.profile?.devices[0]?.profile.name).toBe('gt06');
    expect(second?.profile?.devices[0]).toMatchObject({ alias: 'van' });
    expect(sourcesOf('  - tcp: a:1\n')[0]?.profile).toBeUndefined();
  });

  it('one of your own beside the file, whose serial settings hold unless others are written', () => {
    const files = { 'scale.yaml': SCALE };
    expect(sourcesOf(scaleOn(''), files)[0]).toMatchObject({
      baud: 4_800,
      dataBits: 8,
      parity: 'even',
      stopBits: 1,
      profile: { devices: [{ alias: 'scale', everyMs: 2_500 }] },
    });
    expect(sourcesOf(scaleOn('baud: 9600, parity: none, '), files)[0]).toMatchObject({ baud: 9_600, parity: 'none' });
    expect(sourcesOf('  - serial: /dev/x\n')[0]).toMatchObject({ baud: 115_200, parity: 'none' });
  });

  it('several on one line, each with its own parameters', () => {
    const files = { 'scale.yaml': SCALE };
    const [line] = sourcesOf(
      '  - serial: /dev/x\n    devices:\n      - { profile: ./scale.yaml, device: one }\n      - { profile: ./scale.yaml, device: two, parameters: { address: 2 } }\n',
      files,
    );
    expect(line?.profile?.devices.map(({ alias, parameters }) => [alias, parameters])).toEqual([
      ['one', {}],
      ['two', { address: 2 }],
    ]);
  });

  it('registers of a Modbus device are its profile', () => {
    const [source] = sourcesOf(
      '  - serial: /dev/x\n    profile: modbus_rtu\n    device: pump\n    parameters: { address: 3 }\n    registers:\n      flow: { at: 4, type: u16, scale: 0.1, unit: "m³/h" }\n      speed: { at: 5, type: u16 }\n',
    );
    expect(source?.profile?.devices[0]?.profile.channels.map(({ alias }) => alias)).toEqual(['flow', 'speed']);
  });

  it.each([
    ['an unknown name', '  - { tcp: "a:1", profile: nope }', ['sources[0].profile', 'bytes2mqtt profiles']],
    ['a file that is not there', '  - { tcp: "a:1", profile: ./nope.yaml }', ['sources[0].profile', 'exists']],
    ['both one and several', '  - { tcp: "a:1", profile: gt06, devices: [{ profile: gt06 }] }', ['sources[0].devices']],
    ['a profile and a service', '  - { tcp: "a:1", profile: gt06, service: echo }', ['sources[0].service', 'either']],
    ['a device without a profile', '  - { tcp: "a:1", device: x }', ['sources[0].device', 'profile']],
    [
      'an entry without a profile',
      '  - { tcp: "a:1", devices: [{ device: x }] }',
      ['sources[0].devices[0]', 'profile: NAME'],
    ],
    ['the name of the gateway', '  - { tcp: "a:1", profile: gt06, device: bridge }', ['sources[0].device', 'gateway']],
    [
      'a name twice',
      '  - { tcp: "a:1", profile: gt06 }\n  - { tcp: "a:2", profile: gt06 }',
      ['sources[1].profile', '"device: NAME"'],
    ],
    [
      'a name of a device',
      '  - { tcp: "a:1", profile: gt06, device: y }\ndevices: { a1b2c3d4e5f60718: { alias: y } }',
      ['sources[0].device'],
    ],
    ['names of two that are one', '  - { tcp: "a:1", profile: gt06, names: { "1": z, "2": z } }', ['sources[0].names']],
    ['only named ones, and no name', '  - { tcp: "a:1", profile: gt06, only_named: true }', ['sources[0].only_named']],
    ['a peer by name', '  - { udp: "a:1", profile: gt06, peer: "meter:502" }', ['sources[0].peer', 'IP address']],
    [
      'several without a peer',
      '  - { udp: "a:1", devices: [{ profile: gt06 }, { profile: teltonika }] }',
      ['sources[0].devices'],
    ],
    ['Modbus without registers', '  - { connect: "a:1", profile: modbus_rtu }', ['sources[0].profile', 'no registers']],
    [
      'Modbus without registers among several',
      '  - { serial: /dev/x, devices: [{ profile: sdm120 }, { profile: modbus_rtu, registers: {} }] }',
      ['sources[0].devices[1].profile', 'no registers'],
    ],
    ['an unknown parameter', '  - { tcp: "a:1", profile: gt06, parameters: { adress: 1 } }', ['adress']],
    [
      'a list for a parameter',
      '  - { tcp: "a:1", profile: gt06, parameters: { a: [1] } }',
      ['sources[0].parameters.a'],
    ],
    [
      'settings of several beside them',
      '  - { tcp: "a:1", every_s: 1, devices: [{ profile: gt06 }] }',
      ['sources[0].every_s'],
    ],
  ])('%s is told', (_, text, words) => {
    const problems = problemsOf(`${text}\n`);
    expect(problems.length).toBeGreaterThan(0);
    for (const word of words) expect(problems.join('\n')).toContain(word);
    expect(problems.join('\n')).not.toContain('undefined');
  });

  it('what is wrong in a profile of your own is told with its file and line', () => {
    const broken = SCALE.replace('type: u16', 'type: u17');
    const [problem] = problemsOf('  - { tcp: "a:1", profile: ./scale.yaml }\n', { 'scale.yaml': broken });
    expect(problem).toContain('scale.yaml:7:');
    expect(problem).toContain('sources[0].profile');
  });

  it('is told in one go with what is wrong elsewhere in the file', () => {
    const broken = SCALE.replace('type: u16', 'type: u17');
    const text = '  - { tcp: "a:1", profile: ./scale.yaml }\n  - { tcp: "a:2", profil: x }\nmqtt: { qos: 3 }\n';
    const problems = problemsOf(text, { 'scale.yaml': broken });
    expect(problems).toHaveLength(3);
    for (const [n, word] of ['scale.yaml:7:', 'profil', 'mqtt.qos'].entries()) expect(problems[n]).toContain(word);
  });

  it('devices that want different settings of one line are told, unless the file says which', () => {
    const files = { 'scale.yaml': SCALE, 'other.yaml': SCALE.replace('parity: even', 'parity: none, stop_bits: 2') };
    const line = (more: string): string[] =>
      loadText(
        `sources:\n  - { serial: /dev/x, ${more}devices: [{ profile: ./scale.yaml }, { profile: ./other.yaml }] }\n`,
        {},
        files,
      ).warnings.map(({ code, path, message }) => `${code} ${path}: ${message}`);
    expect(line('')).toEqual([
      'CONFIG_CONFLICT sources[0].serial: the profiles on this line want different settings (4800 8E1 and 4800 8N2): write "parity" and "stop_bits"; 4800 8E1 is taken',
    ]);
    expect(line('parity: even, ')[0]).toContain('write "stop_bits"; 4800 8E1');
    expect(line('parity: none, stop_bits: 2, ')).toEqual([]);
  });

  it('a visitor from outside is warned of, as such devices have no keys', () => {
    const loaded = loadText(
      'sources:\n  - { tcp: "0.0.0.0:1", profile: gt06 }\n  - { tcp: "127.0.0.1:2", profile: teltonika }\n',
    );
    expect(loaded.warnings.map(({ code, path }) => `${code} ${path}`)).toEqual(['PLAIN_ALLOWED sources[0].tcp']);
  });
});
