#!/usr/bin/env node
/** The program `device-sim`: the command line on this process's streams and signals. */
import { runCli } from './cli.ts';

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // The first asks for an orderly end; the second meets the default and kills.
  process.once(signal, () => stop.abort());
}

// Whoever has started us with a channel between us, as the demo does, is gone: nobody is left to stop us.
process.once('disconnect', () => stop.abort());
// The listener is not to keep us alive.
process.channel?.unref();
for (const stream of [process.stdout, process.stderr]) {
  // `device-sim run | head` has seen enough.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    stop.abort();
  });
}

process.exitCode = await runCli(
  process.argv.slice(2),
  {
    out: (line) => process.stdout.write(`${line}\n`),
    log: (line) => process.stderr.write(`${line}\n`),
  },
  stop.signal,
);
