/** `bytes2mqtt check`: is the configuration right, and is what it names there? Nothing is started. */
import type { LoadedConfig } from '../config/load.ts';
import { lineText } from '../config/line-settings.ts';
import { speaksOf } from '../config/plain.ts';
import type { Problem } from '../config/problem.ts';
import { EXIT } from '../exit-codes.ts';
import type { ExitCode } from '../exit-codes.ts';
import { checkResources } from './check-resources.ts';
import { printProblems, readConfig } from './read-config.ts';
import type { ConfigOptions } from './read-config.ts';
import { paintFor, printOut } from './terminal.ts';

export interface CheckOptions extends ConfigOptions {
  /** False: only the file, not ports, devices and broker. */
  readonly resources: boolean;
  readonly json?: boolean;
}

export async function check(options: CheckOptions): Promise<ExitCode> {
  const loaded = readConfig(options);
  if (!loaded.ok) return report(options, undefined, loaded.problems, loaded.warnings, EXIT.usage);
  const found = options.resources ? await checkResources(loaded) : { problems: [], warnings: [] };
  const warnings = [...loaded.warnings, ...found.warnings];
  return report(options, loaded, found.problems, warnings, found.problems.length > 0 ? EXIT.failed : EXIT.ok);
}

function report(
  options: CheckOptions,
  loaded: LoadedConfig | undefined,
  problems: readonly Problem[],
  warnings: readonly Problem[],
  exit: ExitCode,
): ExitCode {
  if (options.json === true) {
    printOut(JSON.stringify({ ok: exit === EXIT.ok, file: loaded?.file, problems, warnings }, undefined, 2));
    return exit;
  }
  printProblems(warnings, 'warning');
  printProblems(problems, 'error');
  if (loaded === undefined || exit !== EXIT.ok) return exit;
  const { config, file } = loaded;
  const verdict = file === undefined ? 'no bytes2mqtt.yaml here, so the defaults hold' : `${file} is right`;
  printOut(`${paintFor(process.stdout).green('ok')}: ${verdict}`);
  for (const source of config.sources) {
    const line = source.kind === 'serial' ? `, ${lineText(source)}` : '';
    printOut(`  source ${source.id}: ${speaksOf(source)}${line}`);
  }
  printOut(`  mqtt   ${config.mqtt.url ?? 'embedded broker'}, topics below ${config.mqtt.base}/`);
  return exit;
}
