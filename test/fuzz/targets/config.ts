/** Configuration files, damaged, with the environment beside them. */
import { isUtf8 } from 'node:buffer';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../../gateway/config/load.ts';
import { formatProblem } from '../../../gateway/config/problem.ts';
import { STARTER } from '../../../gateway/config/starter.ts';
import { concat, must, pick, type Target } from '../target.ts';

const SECRET = 'hunter2-hunter2';
const SECRET_PATH = /(?:username|password|key|token)$/;

const EXAMPLE = `mqtt: { url: "mqtt://h:1883", username: gateway, password: ${SECRET}, base: a/b, qos: 1 }
sources:
  - tcp: 0.0.0.0:2883
    plain: true
    backlog: 10
  - udp: "[::]:2883"
    receive_buffer: 4096
  - serial: /dev/ttyUSB0
    baud: 9600
    profile: pms5003
    device: air
  - connect: 192.168.1.50:8899
  - unix: link.sock
    mode: "0660"
    service: echo
devices:
  a1b2c3d4e5f60718: { alias: greenhouse, key: !secret greenhouse }
  "1122334455667788": { alias: shed, plain: true }
limits: { connections: 10, handshake_s: 0.5, window: 32 }
journal: { dir: data, durability: memory, max_records: 100 }
log: { level: warn, format: json }
`;

const WORDS = ['mqtt', 'sources', 'devices', 'limits', ': ', '\n', '  ', '- ', '{', '}', '[', ']', ',', '"', "'", '#'];
WORDS.push(
  '!secret x',
  '!secret ',
  '*a',
  '&a ',
  '<<: ',
  '__proto__',
  'constructor',
  '1e999',
  '-1',
  '.nan',
  'null',
  '~',
  '0x1F',
  '? ',
);
WORDS.push(
  '127.0.0.1:2883',
  '[::1]:1',
  ':99999',
  'mqtts://',
  'mqtt://u:p@h',
  'true',
  '!!binary ',
  '---\n',
  '%YAML 1.2\n',
  '\t',
  '|\n',
  '>\n',
);

/** Also where secrets.yaml is looked for: there is none. */
const folder = mkdtempSync(join(tmpdir(), 'fuzz-config-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

export const CONFIG_TARGETS: readonly Target[] = [
  {
    name: 'config-file',
    about: 'configurations, damaged: never an exception, each problem has a line, and no secret is shown',
    generate: (random) => {
      const text = Buffer.from(pick(random, [EXAMPLE, EXAMPLE, EXAMPLE, STARTER]));
      const parts: Uint8Array[] = [];
      let at = 0;
      for (let n = random.int(5); n > 0; n--) {
        const next = at + random.int(text.length - at + 1);
        parts.push(text.subarray(at, next), Buffer.from(pick(random, WORDS)));
        at = next + (random.int(3) === 0 ? random.int(20) : 0);
      }
      return concat([...parts, text.subarray(at)]);
    },
    check: (input, random) => {
      const path = join(folder, 'bytes2mqtt.yaml');
      writeFileSync(path, input);
      const env: Record<string, string> = {};
      if (random.int(3) === 0)
        env[`BYTES2MQTT_${pick(random, ['MQTT_QOS', 'SOURCES_0_TCP', 'SOURCES_9_UDP', 'LOG_LEVEL', 'X'])}`] = pick(
          random,
          ['1', 'x', '[::1]:1', '-', '9e9'],
        );
      if (random.int(3) === 0) env['BYTES2MQTT_SECRET_GREENHOUSE'] = '6b'.repeat(32);
      const loaded = loadConfig({ env, cwd: folder });
      const told = loaded.ok ? loaded.warnings : [...loaded.warnings, ...loaded.problems];
      if (!loaded.ok) {
        must(loaded.problems.length > 0, 'refused without a reason');
        for (const { line, column, variable, message } of loaded.problems) {
          const hasPlace = variable !== undefined || !isUtf8(input);
          must(hasPlace || ((line ?? 0) >= 1 && (column ?? 0) >= 1), `no place: ${message}`);
        }
      }
      for (const problem of told) {
        const text = formatProblem(problem);
        must(!text.includes('\n'), 'a problem that is not told in one line');
        // Where the damage has put it elsewhere it is a name, or the value of something that is no secret.
        must(!SECRET_PATH.test(problem.path) || !text.includes(SECRET), `a password is shown: ${text}`);
      }
    },
  },
];
