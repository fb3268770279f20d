/** The version of the package. */
import { readFileSync } from 'node:fs';

function readVersion(): string {
  // The package's own file lies two levels up from dist/gateway, and one from gateway/ when the sources run directly.
  for (const path of ['../../package.json', '../package.json']) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as Record<
        string,
        string
      >;
      if (name === 'bytes2mqtt' && version !== undefined) return version;
    } catch {
      // not there: the other layout
    }
  }
  return 'unknown';
}

export const VERSION: string = readVersion();
