/** The version of this program, from its package.json: a folder up from the sources, two up from what is built of them. */
import { readFileSync } from 'node:fs';

export function readVersion(): string {
  for (const up of ['../package.json', '../../package.json']) {
    try {
      const text = readFileSync(new URL(up, import.meta.url), 'utf8');
      const { name, version } = JSON.parse(text) as { name?: string; version?: string };
      if (name === 'bytes2mqtt' && version !== undefined) return version;
    } catch {
      // not in this folder
    }
  }
  return 'unknown';
}
