/**
 * What it takes to make the gateway a service of this machine, as a list of steps: shown, or taken one after the other.
 *
 * ```
 *   user bytes2mqtt ─→ /etc/bytes2mqtt/bytes2mqtt.yaml ─→ unit file ─→ udev rules ─→ systemd and udev read them
 * ```
 */
import { dirname, join, resolve } from 'node:path';
import { existsSync, readFileSync } from 'node:fs';
import { loadConfig, type LoadResult } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { STARTER } from '../config/starter.ts';
import { accountOf, closedPart, type Machine, makeFolder, serialGroupOf, textOf, writeFile } from './machine.ts';
import { SERVICE, UNIT_MARK, unitFile } from './unit-file.ts';

export const UNIT_PATH = `/etc/systemd/system/${SERVICE}.service`;
export const RULES_PATH = `/etc/udev/rules.d/61-${SERVICE}.rules`;
const DEFAULT_CONFIG = `/etc/${SERVICE}/${SERVICE}.yaml`;
const STATE_FOLDER = `/var/lib/${SERVICE}`;
const HOMES = ['/home', '/root', '/run/user'];
const TEMPORARY = ['/tmp', '/var/tmp'];

export interface InstallOptions {
  /** Who the service runs as; default: a user of its own, who is made. */
  readonly user?: string | undefined;
  /** The configuration file; default: in /etc, where one to begin with is written. */
  readonly config?: string | undefined;
}

export interface Step {
  /** What it does, e.g. `writes /etc/…`. */
  readonly what: string;
  /** The service works without it. */
  readonly optional?: boolean;
  /** Undefined: it went well, or there was nothing to do; else what went wrong. */
  take(): string | undefined;
}

export interface Installation {
  readonly ok: true;
  readonly unit: string;
  readonly config: string;
  readonly steps: readonly Step[];
  /** Why the service would not start as things are; undefined: nothing is in its way. */
  readonly obstacle: string | undefined;
  /** What is to be known beside. */
  readonly warnings: readonly string[];
  /** The configuration as it is; undefined: there is none yet. */
  readonly loaded: LoadResult | undefined;
}

export type Planned = Installation | { readonly ok: false; readonly message: string };

/** Looks, and changes nothing. */
export function planInstallation(options: InstallOptions, machine: Machine): Planned {
  const user = options.user ?? SERVICE;
  const account = accountOf(machine, user);
  if (!/^[a-z_][a-z0-9_-]{0,31}$/.test(user)) return refuse(`"${user}" is no name of a user`);
  if (account?.uid === 0) return refuse('the service must not run as root: leave out --user, or name another one');
  if (account === undefined && options.user !== undefined)
    return refuse(`there is no user ${user}; without --user one is made for the service, named ${SERVICE}`);

  const { node, program } = machine;
  const config = resolve(options.config ?? DEFAULT_CONFIG);
  const exists = textOf(machine, config) !== undefined;
  if (!exists && options.config !== undefined)
    return refuse(`${config} does not exist; "bytes2mqtt init ${config}" writes one`);
  const loaded = exists
    ? loadConfig({ path: join(machine.root, config), env: { STATE_DIRECTORY: STATE_FOLDER }, cwd: '/' })
    : undefined;
  const withoutService = exists ? loadConfig({ path: join(machine.root, config), env: {}, cwd: '/' }) : undefined;
  const settings = loaded?.ok === true ? loaded.config : undefined;
  const writable = writableFolders(settings, machine);
  const unit = unitFile({
    node,
    program,
    config,
    user,
    serialGroup: serialGroupOf(machine),
    writable,
    seesHomes: [node, program, config, ...writable].some((path) => isBelow(path, HOMES)),
    lowPorts: settings !== undefined && listensBelow1024(settings),
  });
  const before = textOf(machine, UNIT_PATH);
  if (before !== undefined && !before.startsWith(UNIT_MARK))
    return refuse(`${UNIT_PATH} exists, and this command has not written it: move it away first`);

  const serialGroup = serialGroupOf(machine);
  const steps = [
    ...(account === undefined ? [userStep(machine)] : []),
    ...(exists ? [] : [configStep(machine, config, user)]),
    ...writable.filter((path) => !existsSync(join(machine.root, path))).map((path) => folderStep(machine, path, user)),
    fileStep(machine, UNIT_PATH, unit),
    ...(serialGroup === undefined ? [] : [fileStep(machine, RULES_PATH, udevRules(serialGroup))]),
    commandStep(machine, 'lets systemd read it', ['systemctl', 'daemon-reload']),
    ...(serialGroup === undefined ? [] : udevSteps(machine)),
  ];
  const warnings = [
    ...(serialGroup === undefined
      ? ['this machine has no group dialout, so there are no rules for serial devices']
      : []),
    ...(isBelow(config, HOMES) && options.user === undefined
      ? [`the user ${user} has to be able to read ${config}; with --user NAME the service runs as its owner`]
      : []),
    ...(settings !== undefined &&
    withoutService?.ok === true &&
    settings.journal.dir !== withoutService.config.journal.dir
      ? [
          `write "journal: { dir: ${STATE_FOLDER} }" into ${config}: else "bytes2mqtt status" and "deadletter" look elsewhere`,
        ]
      : []),
  ];
  return { ok: true, unit, config, steps, obstacle: obstacle(machine, options.user, user), warnings, loaded };
}

/** Whether the user of the service gets to the program. */
function obstacle(machine: Machine, asked: string | undefined, user: string): string | undefined {
  const files = [machine.node, machine.program];
  const hidden = files.find((path) => isBelow(path, TEMPORARY));
  if (hidden !== undefined)
    return `the service does not see ${hidden}: it has a folder for temporary files of its own. ${ELSEWHERE}`;
  // A user who is named may live where others do not get in.
  if (asked !== undefined) return undefined;
  const barrier = files.map((path) => closedPart(path)).find((part) => part !== undefined);
  return barrier && `the user ${user} does not get into ${barrier}, where the program lies. ${ELSEWHERE}`;
}

const ELSEWHERE = `Install it for all users ("sudo npm install --global ${SERVICE}-VERSION.tgz", with a Node that is below /usr or /opt)`;

function refuse(message: string): Planned {
  return { ok: false, message };
}

// --- steps -----------------------------------------------------------------------------------------------------------

function userStep(machine: Machine): Step {
  const command = `useradd --system --user-group --no-create-home --home-dir ${STATE_FOLDER} --shell /usr/sbin/nologin`;
  return commandStep(machine, `makes the user ${SERVICE}, for the service only`, [...command.split(' '), SERVICE]);
}

/** What follows can be done without. */
function udevSteps(machine: Machine): Step[] {
  return [
    commandStep(machine, 'lets udev read its rules', ['udevadm', 'control', '--reload']),
    commandStep(machine, 'applies them to what is plugged in', ['udevadm', 'trigger', '--subsystem-match=tty']),
  ].map((step) => ({ ...step, optional: true }));
}

function commandStep(machine: Machine, what: string, command: readonly string[]): Step {
  return {
    what: `${what}: ${command.join(' ')}`,
    take: () => {
      const failure = machine.run(command);
      return failure === undefined ? undefined : `${command.join(' ')}: ${failure}`;
    },
  };
}

function fileStep(machine: Machine, path: string, text: string): Step {
  const before = textOf(machine, path);
  const verb = before === undefined ? 'writes' : before === text ? 'leaves as it is' : 'writes anew';
  return { what: `${verb} ${path}`, take: () => write(() => writeFile(machine, path, text, 0o644), path) };
}

/** It belongs to the user of the service, who is no one else: so does what "bytes2mqtt key" puts beside it. */
function configStep(machine: Machine, path: string, user: string): Step {
  return {
    what: `writes ${path}, a commented configuration to begin with`,
    // Only now: the user may have been made by a step before.
    take: () => write(() => writeFile(machine, path, serviceStarter(), 0o640, accountOf(machine, user)), path),
  };
}

function folderStep(machine: Machine, path: string, user: string): Step {
  return {
    what: `makes the folder ${path}`,
    take: () => write(() => makeFolder(machine, path, accountOf(machine, user)), path),
  };
}

function write(step: () => void, path: string): string | undefined {
  try {
    step();
    return undefined;
  } catch (error) {
    return `${path} could not be written (${(error as NodeJS.ErrnoException).code ?? String(error)})`;
  }
}

/** As the starter, with the folder of the service: so that the other commands find the journal too. */
export function serviceStarter(): string {
  return STARTER.replace(
    /^# journal:\n# {3}dir: \S+ .*\n/m,
    `journal:\n  dir: ${STATE_FOLDER}              # the folder of the service\n`,
  );
}

/** The rules of the package, for the group of this machine. */
function udevRules(group: string): string {
  // Beside dist/ in the package, and two levels up from the sources as well.
  const found = ['../../..', '../..'].map((up) => join(import.meta.dirname, up, `deploy/udev/61-${SERVICE}.rules`));
  for (const path of found) {
    try {
      return readFileSync(path, 'utf8').replaceAll('dialout', group);
    } catch {
      // The other layout.
    }
  }
  throw new Error(`the package is not complete: ${found.join(' and ')} are missing`);
}

// --- what the configuration asks for ---------------------------------------------------------------------------------

/** Folders beside those that the unit gives it anyway. */
function writableFolders(config: Config | undefined, { root }: Machine): string[] {
  if (config === undefined) return [];
  const sockets = config.sources.flatMap((source) => (source.kind === 'unix' ? [dirname(source.path)] : []));
  const folders = [...(config.journal.durability === 'memory' ? [] : [config.journal.dir]), ...sockets];
  const own = [STATE_FOLDER, `/run/${SERVICE}`];
  const absolute = folders.map((folder) =>
    root !== '' && folder.startsWith(root) ? folder.slice(root.length) : folder,
  );
  return [...new Set(absolute)].filter((folder) => !isBelow(folder, own)).toSorted();
}

function listensBelow1024({ sources, http }: Config): boolean {
  const ports = sources.flatMap((source) => (source.kind === 'tcp' || source.kind === 'udp' ? [source.port] : []));
  return [...ports, ...(http === undefined ? [] : [http.port])].some((port) => port > 0 && port < 1_024);
}

function isBelow(path: string, folders: readonly string[]): boolean {
  return folders.some((folder) => path === folder || path.startsWith(`${folder}/`));
}
