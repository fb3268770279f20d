/**
 * The log: pino, JSON lines to a file or a pipe, pretty on a terminal; always to stderr, so that stdout stays for what
 * a command prints.
 *
 * Whoever logs text from the wire passes it through `printable()` (protocol) first. As a second wall, what would move
 * a terminal's cursor or turn its text around is escaped here in everything that is logged.
 */
import { createRequire } from 'node:module';
import pino from 'pino';
import type { prettyFactory } from 'pino-pretty';

/** From the least serious to none at all. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export const LOG_FORMATS = ['auto', 'pretty', 'json'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

export interface LogFn {
  (message: string): void;
  /** Fields first, as in pino. An Error goes into the field `err`. */
  (fields: object, message: string): void;
}

/** The part of a pino logger that the gateway uses, so that a test can pass a list instead. */
export interface Log {
  readonly debug: LogFn;
  readonly info: LogFn;
  readonly warn: LogFn;
  readonly error: LogFn;
  readonly fatal: LogFn;
  /** A log that adds these fields to every line. */
  child(fields: Record<string, unknown>): Log;
  isLevelEnabled(level: string): boolean;
}

export interface LogOptions {
  readonly level: LogLevel;
  /** Lines for people instead of JSON. */
  readonly pretty: boolean;
  /** Default: only pretty on a terminal, and not with NO_COLOR set. */
  readonly colour?: boolean;
  /** Where the lines go instead of stderr. */
  readonly write?: (line: string) => void;
}

/** The log at its root: its level, and with it that of all children, can be changed while it runs. */
export interface RootLog extends Log {
  setLevel(level: LogLevel): void;
}

/** Every line is written before the call returns: what a crash leaves in the log is what happened. */
export function createLog(options: LogOptions): RootLog {
  const settings: pino.LoggerOptions = {
    level: 'debug',
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: ['password', '*.password', 'secret', '*.secret'], censor: '(hidden)' },
    hooks: { streamWrite: options.pretty ? escapeForPeople : escapeForJson },
  };
  const threshold = { rank: LOG_LEVELS.indexOf(options.level) };
  const log = filtered(pino(settings, stream(options)), threshold);
  return { ...log, setLevel: (level) => (threshold.rank = LOG_LEVELS.indexOf(level)) };
}

/**
 * The level is looked up at each call. A pino logger instead exchanges its methods when its level changes, which
 * neither its children hear of nor whoever has bound one of them.
 */
function filtered(logger: pino.Logger, threshold: { readonly rank: number }): Log {
  const at = (level: Exclude<LogLevel, 'silent'>): LogFn => {
    const rank = LOG_LEVELS.indexOf(level);
    return (first: string | object, message?: string) => {
      if (rank < threshold.rank) return;
      if (typeof first === 'string') logger[level](first);
      else logger[level](first, message);
    };
  };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    fatal: at('fatal'),
    child: (fields) => filtered(logger.child(fields), threshold),
    isLevelEnabled: (level) => LOG_LEVELS.indexOf(level as LogLevel) >= threshold.rank,
  };
}

/** What `log.format` means on this stderr. */
export function isPretty(format: LogFormat, stream: { readonly isTTY?: boolean } = process.stderr): boolean {
  return format === 'auto' ? stream.isTTY === true : format === 'pretty';
}

/** Only loaded for a terminal: a service writes JSON, and has better use for the memory. */
function pretty(): typeof prettyFactory {
  return (createRequire(import.meta.url)('pino-pretty') as { prettyFactory: typeof prettyFactory }).prettyFactory;
}

/** Written at once and in this thread: a worker would lose the last lines of a crash. */
function stream(options: LogOptions): pino.DestinationStream {
  const out = options.write === undefined ? pino.destination({ dest: 2, sync: true }) : { write: options.write };
  if (!options.pretty) return out;
  const format = pretty()({
    colorize: options.colour ?? (process.stderr.isTTY && process.env['NO_COLOR'] === undefined),
    translateTime: 'SYS:HH:MM:ss.l',
    singleLine: true,
    messageFormat: (line, key) => oneLine(line[key]),
  });
  return { write: (line) => void out.write(format(line)) };
}

/** A message is one line, whatever is in it: nobody forges a second one. */
function oneLine(message: unknown): string {
  return typeof message === 'string' ? message.replaceAll('\r', '\\r').replaceAll('\n', '\\n') : '';
}

// DEL, the C1 controls (0x9B begins an escape sequence), line separators, and the marks that turn text around.
// oxlint-disable-next-line no-control-regex
const UNSAFE = /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

function hexEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** The line stays the same JSON, only spelled so that it is safe to look at. C0 controls are escaped by JSON itself. */
function escapeForJson(line: string): string {
  return line.replace(UNSAFE, hexEscape);
}

/** Controls other than line feed and tab become their visible escape, so that they survive the parsing by pino-pretty as text. */
function escapeForPeople(line: string): string {
  return line
    .replace(/\\(?:u[0-9a-f]{4}|.)/g, (escape) => (/^\\[ubfr]/.test(escape) ? `\\${escape}` : escape))
    .replace(UNSAFE, (character) => `\\${hexEscape(character)}`);
}

// ---------------------------------------------------------------------------------------------------------------

const QUIET_MS = 60_000;
/** Causes known at once; beyond that they share one entry, so that peers cannot make the table grow. */
const MAX_CAUSES = 256;
const OTHER_CAUSES = 'other causes';

type LimitedLevel = 'debug' | 'info' | 'warn' | 'error';
/** Whether the line was said, and not only counted. */
type LimitedFn = (cause: string, fields: object, message: string) => boolean;

/** A log for what peers can cause at any rate: one line a minute per cause. */
export interface RateLimitedLog {
  /** `cause` is a short word of ours, such as an error code and a source id; never text from the wire. */
  readonly debug: LimitedFn;
  readonly info: LimitedFn;
  readonly warn: LimitedFn;
  readonly error: LimitedFn;
  /** Tells the counts whose minute is over. The owner calls it once a minute or so, and `flush(true)` at the end for all. */
  flush(all?: boolean): void;
}

interface Cause {
  level: LimitedLevel;
  message: string;
  since: number;
  suppressed: number;
}

/**
 * Logs at most once a minute per cause. The next line of the cause, or `flush`, tells how many were left out:
 * `… and 41 more in the last minute`.
 * @param now monotonic milliseconds
 * @param maxCauses known at once
 */
export function rateLimited(log: Log, now: () => number, maxCauses = MAX_CAUSES): RateLimitedLog {
  const causes = new Map<string, Cause>();

  function tellSuppressed(cause: string, entry: Cause): void {
    const seconds = Math.max(60, Math.round((now() - entry.since) / 1000));
    const span = seconds < 90 ? 'minute' : seconds < 5400 ? `${Math.round(seconds / 60)} minutes` : 'hours';
    log[entry.level](
      { cause, suppressed: entry.suppressed },
      `${entry.message} … and ${entry.suppressed} more in the last ${span}`,
    );
  }

  function flush(all = false): void {
    for (const [cause, entry] of causes) {
      if (!all && now() - entry.since < QUIET_MS) continue;
      causes.delete(cause);
      if (entry.suppressed > 0) tellSuppressed(cause, entry);
    }
  }

  function say(level: LimitedLevel, wanted: string, fields: object, message: string): boolean {
    let cause = wanted;
    if (!causes.has(cause) && causes.size >= maxCauses) {
      flush();
      if (causes.size >= maxCauses) cause = OTHER_CAUSES;
    }
    const entry = causes.get(cause);
    if (entry !== undefined && now() - entry.since < QUIET_MS) {
      entry.suppressed++;
      return false;
    }
    if (entry !== undefined && entry.suppressed > 0) tellSuppressed(cause, entry);
    causes.delete(cause);
    causes.set(cause, { level, message, since: now(), suppressed: 0 });
    log[level]({ ...fields, cause: wanted }, message);
    return true;
  }

  return {
    debug: (cause, fields, message) => say('debug', cause, fields, message),
    info: (cause, fields, message) => say('info', cause, fields, message),
    warn: (cause, fields, message) => say('warn', cause, fields, message),
    error: (cause, fields, message) => say('error', cause, fields, message),
    flush,
  };
}
