#!/usr/bin/env node
/** The program `device-sim`: the command line on this process's streams and signals. */
import { program } from './cli.ts';

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // The first asks for an orderly end; the second meets the default and kills.
  process.once(signal, () => stop.abort());
}

await program(
  {
    out: (line) => process.stdout.write(`${line}\n`),
    log: (line) => process.stderr.write(`${line}\n`),
  },
  stop.signal,
).parseAsync();
