#!/usr/bin/env node
/** The program `bytes2mqtt`. */
import { runCli } from './cli.ts';
import { EXIT } from './exit-codes.ts';

// `bytes2mqtt schema | head` closes stdout early: that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.failed);
});

try {
  process.exitCode = await runCli(process.argv.slice(2));
} catch (error) {
  const told = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`bytes2mqtt failed, and should not have: please report this.\n${told}\n`);
  // What was open stays open and would keep a half of the program alive. stderr is written at once.
  process.exit(EXIT.failed);
}
