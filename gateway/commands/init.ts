/** `bytes2mqtt init`: a commented configuration to begin with. */
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { printable } from '../../protocol/index.ts';
import { DEFAULT_FILE } from '../config/load.ts';
import { STARTER } from '../config/starter.ts';
import { EXIT } from '../exit-codes.ts';
import type { ExitCode } from '../exit-codes.ts';
import { printError, printOut } from './terminal.ts';

export function init(file: string | undefined, options: { readonly force?: boolean }): ExitCode {
  const path = file ?? DEFAULT_FILE;
  const shown = printable(path);
  try {
    writeFileSync(path, STARTER, { flag: options.force === true ? 'w' : 'wx' });
  } catch (error) {
    // A folder exists too, but nothing writes over it.
    const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
    printError(`error: ${explain(isFolder ? 'EISDIR' : (error as NodeJS.ErrnoException).code, shown)}`);
    return EXIT.failed;
  }
  printOut(`${shown} is written. Read it, then try: bytes2mqtt check${file === undefined ? '' : ` --config ${shown}`}`);
  return EXIT.ok;
}

function explain(errno: string | undefined, path: string): string {
  switch (errno) {
    case 'EEXIST':
      return `${path} exists and was left as it is; --force writes over it, another name writes beside it`;
    case 'ENOENT':
      return `the folder of ${path} does not exist; create it first`;
    case 'EISDIR':
      return `${path} is a folder; name a file in it, e.g. ${join(path, DEFAULT_FILE)}`;
    case 'EACCES':
    case 'EROFS':
      return `${path} may not be written by this user`;
    default:
      return `${path} could not be written (${errno ?? 'unknown reason'})`;
  }
}
