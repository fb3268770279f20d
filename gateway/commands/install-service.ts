/** `bytes2mqtt install-service`: the gateway as a service of systemd, from the next boot on. */
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { type Installation, type InstallOptions, planInstallation } from '../service-manager/installation.ts';
import { type Machine, thisMachine } from '../service-manager/machine.ts';
import { SERVICE } from '../service-manager/unit-file.ts';
import { printProblems } from './read-config.ts';
import { paintFor, printError, printOut } from './terminal.ts';

export interface InstallServiceOptions extends InstallOptions {
  /** Say what would be done, and do nothing. */
  readonly dryRun?: boolean;
  /** The unit file to stdout, and nothing else. */
  readonly print?: boolean;
}

export function installService(options: InstallServiceOptions, machine: Machine = thisMachine()): ExitCode {
  const plan = planInstallation(options, machine);
  if (!plan.ok) return fail(plan.message, EXIT.usage);
  if (options.print === true) {
    warn(plan);
    if (plan.obstacle !== undefined) printWarning(plan.obstacle);
    process.stdout.write(plan.unit);
    return EXIT.ok;
  }
  if (options.dryRun === true) {
    printOut('Nothing is changed. It would be done, in this order:');
    for (const { what } of plan.steps) printOut(`  ${what}`);
  }
  if (!machine.hasSystemd)
    return fail('systemd does not run here; --print shows the unit file, for a machine where it does', EXIT.failed);
  if (plan.obstacle !== undefined) return fail(plan.obstacle, EXIT.failed);
  if (!machine.isRoot) return fail('only root may do that: put sudo in front', EXIT.failed);
  if (options.dryRun === true) {
    warn(plan);
    return EXIT.ok;
  }
  return take(plan) ? EXIT.ok : EXIT.failed;
}

/** Takes all steps and says each; stops at the first that fails and cannot be done without. */
function take(plan: Installation): boolean {
  for (const step of plan.steps) {
    const failure = step.take();
    if (failure === undefined) printOut(`  ${step.what}`);
    else if (step.optional === true) printWarning(failure);
    else {
      fail(`${failure}. What stands above is done; this command may be called again.`, EXIT.failed);
      return false;
    }
  }
  warn(plan);
  printOut(nextSteps(plan));
  return true;
}

function nextSteps({ config, loaded }: Installation): string {
  const { bold } = paintFor(process.stdout);
  return [
    '',
    ...(loaded === undefined
      ? [`Say in the configuration where your broker is and what comes in, and try it:`, bold(`  sudo nano ${config}`)]
      : ['Try the configuration:']),
    bold(`  sudo bytes2mqtt check --config ${config}`),
    'Start the service now and at every boot, and see how it is:',
    bold(`  sudo systemctl enable ${SERVICE} && sudo systemctl restart ${SERVICE}`),
    bold(`  systemctl status ${SERVICE}`),
    bold(`  journalctl --unit ${SERVICE} --follow`),
    'Call this command again after an upgrade, and when the configuration names other ports below 1024, sockets or folders.',
  ].join('\n');
}

function warn({ warnings, loaded, config }: Installation): void {
  for (const warning of warnings) printWarning(warning);
  if (loaded === undefined || loaded.ok) return;
  printProblems(loaded.problems, 'warning');
  printWarning(`the service will not start before ${config} is right`);
}

function printWarning(message: string): void {
  printError(`${paintFor(process.stderr).yellow('warning')}: ${message}`);
}

function fail(message: string, exit: ExitCode): ExitCode {
  printError(`${paintFor(process.stderr).red('error')}: ${message}`);
  return exit;
}
