/** Warnings and errors of the log, on bridge/log as well. */
import { GatewayError } from '../errors.ts';
import type { Log, LogFn } from '../log.ts';

export type LogSink = (level: 'warning' | 'error', message: string, fields: Readonly<Record<string, unknown>>) => void;

/** A log that writes to `log`, and tells `sink` of every warning and error. */
export function teeLog(log: Log, sink: LogSink, bound: Readonly<Record<string, unknown>> = {}): Log {
  return {
    debug: log.debug.bind(log),
    info: log.info.bind(log),
    warn: tee(log.warn.bind(log), (message, fields) => sink('warning', message, { ...bound, ...fields })),
    error: tee(log.error.bind(log), (message, fields) => sink('error', message, { ...bound, ...fields })),
    fatal: tee(log.fatal.bind(log), (message, fields) => sink('error', message, { ...bound, ...fields })),
    child: (fields) => teeLog(log.child(fields), sink, { ...bound, ...plain(fields) }),
    isLevelEnabled: (level) => log.isLevelEnabled(level),
  };
}

function tee(write: LogFn, tell: (message: string, fields: Readonly<Record<string, unknown>>) => void): LogFn {
  return (first: string | object, message?: string) => {
    if (typeof first === 'string') {
      write(first);
      tell(first, {});
    } else {
      write(first, message ?? '');
      tell(message ?? '', plain(first));
    }
  };
}

/** Only what is certain to be small and to be JSON. */
function plain(fields: object): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields)) {
    if (value instanceof GatewayError)
      Object.assign(out, { code: value.code, where: value.where, detail: value.message });
    else if (value instanceof Error) out[key === 'err' ? 'detail' : key] = value.message;
    else if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') out[key] = value;
  }
  return out;
}
