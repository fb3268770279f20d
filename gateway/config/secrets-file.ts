/** `secrets.yaml`, for whoever adds a secret to it; what is there already stays as it is, comments too. */
import { chmodSync, chownSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { isMap, parseDocument } from 'yaml';
import type { Scalar } from 'yaml';
import { parseYaml } from './yaml-file.ts';

/** What others than its owner may do with the file is none of it. */
const MODE = 0o600;

export type AddedSecret =
  | {
      ok: true;
      /** A secret of this name was there and is gone. */
      replaced: boolean;
      /** Others than the owner may read the file; it was like that before. */
      readableByOthers: boolean;
    }
  /** `exists`: the name is taken. `broken`: the file is not what it should be, at this line. Otherwise an errno. */
  | { ok: false; reason: 'exists' }
  | { ok: false; reason: 'broken'; line: number; message: string }
  | { ok: false; reason: string };

/**
 * Adds a line `name: "value"`; a file that is not there is made, readable by its owner only. The file is exchanged as a
 * whole: after a crash it is the old one or the new one.
 */
export function addSecret(path: string, name: string, value: string, force: boolean): AddedSecret {
  try {
    return add(path, name, value, force);
  } catch (error) {
    return { ok: false, reason: (error as NodeJS.ErrnoException).code ?? 'unknown reason' };
  }
}

function add(path: string, name: string, value: string, force: boolean): AddedSecret {
  const exists = statSync(path, { throwIfNoEntry: false }) !== undefined;
  // A link stays one.
  const target = exists ? realpathSync(path) : path;
  const text = exists ? readFileSync(target, 'utf8') : '';
  const mode = exists ? statSync(target).mode & 0o777 : MODE;

  const parsed = parseYaml(text);
  if (!parsed.ok) {
    const [fault] = parsed.faults;
    return { ok: false, reason: 'broken', line: fault?.line ?? 1, message: fault?.message ?? '' };
  }
  const document = parseDocument(text, { stringKeys: true });
  if (document.contents !== null && !isMap(document.contents)) {
    return { ok: false, reason: 'broken', line: 1, message: 'this is not a list of lines "name: value"' };
  }
  const replaced = document.has(name);
  if (replaced && !force) return { ok: false, reason: 'exists' };
  const node = document.createNode(value) as Scalar;
  // A key of digits alone must not become a number.
  node.type = 'QUOTE_DOUBLE';
  document.set(name, node);
  write(target, document.toString({ lineWidth: 0 }), mode, exists ? target : dirname(target));
  return { ok: true, replaced, readableByOthers: (mode & 0o077) !== 0 };
}

/** `like`: what has the owner that it gets; a service must be able to read what root has written for it. */
function write(path: string, text: string, mode: number, like: string): void {
  const temporary = `${path}.${process.pid}.new`;
  try {
    // Nobody else may read it for even a moment, whatever the umask; afterwards as it was.
    writeFileSync(temporary, text, { mode: MODE, flag: 'wx' });
    chmodSync(temporary, mode);
    const { uid, gid } = statSync(like);
    if (process.geteuid?.() === 0) chownSync(temporary, uid, gid);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
