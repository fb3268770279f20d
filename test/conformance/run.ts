/**
 * `npm run conformance`: the shipped profiles against the folder of recorded frames that RECORDED_FRAMES names, or the one
 * beside the repository. Prints a table; ends with 1 when something is neither right nor explained.
 */
import { existsSync } from 'node:fs';
import { checkDevice } from './check.ts';
import { table } from './table.ts';
import { readRecordedFrames } from './vectors.ts';

const folder = process.env['RECORDED_FRAMES'] ?? '../shared/recorded-frames';
if (!existsSync(folder)) {
  console.error(`There is no folder ${folder}: RECORDED_FRAMES names the folder of recorded frames.`);
  process.exit(2);
}
const results = readRecordedFrames(folder).map(checkDevice);
console.log(table(results));
process.exitCode = results.every(({ wrong }) => wrong.length === 0) ? 0 : 1;
