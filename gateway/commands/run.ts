/** `bytes2mqtt run`: the gateway, until SIGINT or SIGTERM. At SIGHUP, or when its file has changed, it reads its configuration again. */
import { formatProblem } from '../config/problem.ts';
import { EXIT } from '../exit-codes.ts';
import type { ExitCode } from '../exit-codes.ts';
import { GatewayError } from '../errors.ts';
import { startGateway } from '../gateway.ts';
import { createLog, isPretty } from '../log.ts';
import type { Log } from '../log.ts';
import { ServiceManager } from '../service-manager/service-manager.ts';
import { ConfigReloader } from '../reload/config-reloader.ts';
import { printProblems, readConfig } from './read-config.ts';
import type { ConfigOptions } from './read-config.ts';
import { printError } from './terminal.ts';

const SIGNAL_NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

export async function run(options: ConfigOptions): Promise<ExitCode> {
  const loaded = readConfig(options);
  if (!loaded.ok) {
    printProblems(loaded.warnings, 'warning');
    printProblems(loaded.problems, 'error');
    printError('The gateway was not started. "bytes2mqtt check" tries a configuration without running it.');
    return EXIT.usage;
  }
  const { config, file, warnings } = loaded;
  const log = createLog({ level: config.log.level, pretty: isPretty(config.log.format) });
  logFatalErrors(log);
  if (file === undefined) {
    log.info('no bytes2mqtt.yaml here: defaults and environment hold; "bytes2mqtt init" writes a file to begin with');
  } else {
    log.info({ file }, 'configuration read');
  }
  for (const warning of warnings) log.warn({ code: warning.code }, formatProblem(warning));

  // Asked for before the start, so that a signal during it is not lost.
  // From a terminal SIGHUP says that it was closed.
  const isTerminal = process.stderr.isTTY;
  const stop = stopSignal(isTerminal ? ['SIGINT', 'SIGTERM', 'SIGHUP'] : ['SIGINT', 'SIGTERM'], log);
  const reloader = new ConfigReloader({
    path: options.config,
    hasFile: file !== undefined,
    env: process.env,
    cwd: process.cwd(),
    log,
  });
  if (!isTerminal) process.on('SIGHUP', () => void reloader.reload('signal'));
  const gateway = await startGateway(config, log, {
    setLogLevel: (level) => log.setLevel(level),
    reload: async () => reloader.reload('request'),
  }).catch((error) => {
    if (!(error instanceof GatewayError)) throw error;
    log.error({ code: error.code, err: error }, 'the gateway cannot start');
    return undefined;
  });
  if (gateway === undefined) return EXIT.failed;
  reloader.start(gateway);
  const serviceManager = ServiceManager.of(process.env, log);
  void serviceManager?.ready(gateway);
  const signal = await stop;
  log.info({ signal }, 'stopping');
  await reloader.close();
  await Promise.all([serviceManager?.stopping(), gateway.close()]);
  log.info('stopped');
  return EXIT.ok;
}

/** Resolves with the first signal; the second ends the process at once, as a shell expects it of a signal. */
function stopSignal(signals: readonly (keyof typeof SIGNAL_NUMBERS)[], log: Log): Promise<string> {
  return new Promise((resolve) => {
    let stopping = false;
    for (const signal of signals) {
      process.on(signal, () => {
        if (stopping) {
          log.warn({ signal }, 'stopping at once');
          process.exit(128 + SIGNAL_NUMBERS[signal]);
        }
        stopping = true;
        resolve(signal);
      });
    }
  });
}

/**
 * A mistake of ours ends the process, loudly and in the log, and a supervisor starts it anew. Rejected promises that
 * nobody looks at come here too. Nothing is saved on the way out: what was acknowledged is in the journal, and what is
 * in memory may be what is wrong.
 */
function logFatalErrors(log: Log): void {
  process.on('uncaughtException', (err, origin) => {
    log.fatal({ code: 'INTERNAL_ERROR', err, origin }, 'a bug in the gateway: please report it with the lines above');
    process.exit(EXIT.failed);
  });
}
