/** `!secret NAME`: from the environment (`BYTES2MQTT_SECRET_NAME`), else from `secrets.yaml` beside the configuration. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { printable } from '../../protocol/index.ts';
import { SECRET_PREFIX } from './env.ts';
import type { Environment } from './env.ts';
import { findKey, KEYS } from './keys.ts';
import type { Path } from './keys.ts';
import type { Finding } from './problem.ts';
import { parseYaml, SecretReference } from './yaml-file.ts';

export const SECRETS_FILE = 'secrets.yaml';
const NAME = /^[A-Za-z0-9_-]{1,64}$/;

type Lookup = { ok: true; value: string } | { ok: false; code: Finding['code']; message: string };

/** Replaces the references in `value` (in place) and tells those that cannot be. */
export function resolveSecrets(value: unknown, folder: string, env: Environment): Finding[] {
  const findings: Finding[] = [];
  let file: ReadonlyMap<string, unknown> | string | undefined;

  function lookUp(name: string): Lookup {
    if (!NAME.test(name)) {
      return {
        ok: false,
        code: 'CONFIG_INVALID',
        message: 'a secret has a name of letters, digits, _ and -: "!secret NAME"',
      };
    }
    const variable = SECRET_PREFIX + name.toUpperCase().replaceAll('-', '_');
    const fromEnvironment = env[variable];
    if (fromEnvironment !== undefined && fromEnvironment !== '') return { ok: true, value: fromEnvironment };
    file ??= readSecrets(join(folder, SECRETS_FILE));
    const path = join(folder, SECRETS_FILE);
    if (typeof file === 'string') {
      return {
        ok: false,
        code: 'SECRET_MISSING',
        message: `secret "${name}" is not in the environment as ${variable}, and ${file}`,
      };
    }
    const found = file.get(name);
    if (found === undefined || found === null) {
      const message = `there is no secret "${name}": add the line "${name}: …" to ${printable(path)}, or set ${variable}`;
      return { ok: false, code: 'SECRET_MISSING', message };
    }
    if (typeof found !== 'string') {
      return {
        ok: false,
        code: 'CONFIG_INVALID',
        message: `secret "${name}" must be text: put it in quotes in ${printable(path)}`,
      };
    }
    return { ok: true, value: found };
  }

  function visit(node: unknown, path: Path, replace: (value: string | undefined) => void): void {
    if (node instanceof SecretReference) {
      const found = lookUp(node.name);
      if (findKey(path)?.secret !== true) {
        const names = KEYS.filter((key) => key.secret).map((key) => key.path.join('.'));
        findings.push({
          code: 'CONFIG_INVALID',
          path,
          message: `"!secret" is for ${names.join(' and ')} only; other values are shown in the log`,
        });
        replace(undefined);
      } else if (found.ok) {
        replace(found.value);
      } else {
        findings.push({ code: found.code, path, message: found.message });
        replace(undefined);
      }
    } else if (Array.isArray(node)) {
      node.forEach((item, index) => visit(item, [...path, index], (value) => (node[index] = value)));
    } else if (typeof node === 'object' && node !== null) {
      const map = node as Record<string, unknown>;
      for (const [key, item] of Object.entries(map)) visit(item, [...path, key], (value) => (map[key] = value));
    }
  }

  visit(value, [], () => undefined);
  return findings;
}

/** The names and values, or what is wrong with the file. */
export function readSecrets(path: string): ReadonlyMap<string, unknown> | string {
  const shown = printable(path);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return missing ? `there is no file ${shown}` : `the file ${shown} cannot be read`;
  }
  const parsed = parseYaml(text);
  if (!parsed.ok) {
    const fault = parsed.faults[0];
    return `${shown}:${fault?.line ?? 1}: ${fault?.message ?? 'this is not valid YAML'}`;
  }
  if (typeof parsed.value !== 'object' || Array.isArray(parsed.value))
    return `${shown} is not a list of lines "name: value"`;
  return new Map(Object.entries(parsed.value ?? {}));
}
