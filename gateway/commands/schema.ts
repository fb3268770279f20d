/** `bytes2mqtt schema`: the JSON Schema of the configuration, for editors. */
import { jsonSchema } from '../config/schema.ts';
import { EXIT } from '../exit-codes.ts';
import type { ExitCode } from '../exit-codes.ts';
import { printOut } from './terminal.ts';

export function schema(): ExitCode {
  printOut(JSON.stringify(jsonSchema(), undefined, 2));
  return EXIT.ok;
}
