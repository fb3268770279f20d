/**
 * The files of the dashboard, all read at the start: a path in a request is a key of this map and never one of the file
 * system.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import type { Answer } from './responses.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.json': 'application/json; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
};
/** Below this, compression is not worth its header. */
const SMALL_BYTES = 512;
/** `app-5f3a9c1b.js`: the name changes with the content. */
const HASHED = /-[0-9a-zA-Z]{8}\.[a-z]+$/;

interface StaticFile {
  readonly type: string;
  readonly hashed: boolean;
  readonly plain: Buffer;
  readonly gzip: Buffer | undefined;
  readonly brotli: Buffer | undefined;
}

export class StaticFiles {
  readonly #files = new Map<string, StaticFile>();

  /** Reads the files of one folder; there are no folders below it. A folder that is not there has none. */
  constructor(folder: string) {
    let names: string[] = [];
    try {
      names = readdirSync(folder);
    } catch {
      // Not built: the rest of the server works all the same, and the answer says so.
    }
    for (const name of names) {
      const type = TYPES[extname(name)];
      if (type === undefined) continue;
      const plain = readFileSync(join(folder, name));
      const small = plain.length < SMALL_BYTES || type === 'image/png';
      this.#files.set(`/${name}`, {
        type,
        hashed: HASHED.test(name),
        plain,
        gzip: small ? undefined : gzipSync(plain, { level: 9 }),
        brotli: small ? undefined : brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }),
      });
    }
  }

  get size(): number {
    return this.#files.size;
  }

  /** The file of this path (`/` is index.html), in an encoding that the browser takes. */
  answer(path: string, acceptEncoding: string): Answer | undefined {
    const file = this.#files.get(path === '/' ? '/index.html' : path);
    if (file === undefined) return undefined;
    const { type, hashed, plain, gzip, brotli } = file;
    const takes = (encoding: string): boolean => new RegExp(`(^|[ ,])${encoding}([ ,;]|$)`).test(acceptEncoding);
    const [body, encoding] =
      brotli !== undefined && takes('br')
        ? [brotli, 'br']
        : gzip !== undefined && takes('gzip')
          ? [gzip, 'gzip']
          : [plain, undefined];
    return {
      status: 200,
      type,
      body,
      headers: {
        vary: 'accept-encoding',
        ...(encoding !== undefined && { 'content-encoding': encoding }),
        'cache-control': hashed ? 'public, max-age=31536000, immutable' : 'no-cache',
      },
    };
  }
}
