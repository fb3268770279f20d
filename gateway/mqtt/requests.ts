/**
 * Questions to the gateway: `<base>/bridge/request/<name>` → `<base>/bridge/response/<name>`.
 *
 * ```
 *   request   empty, or a JSON object; `transaction` in it is echoed
 *   response  {"status":"ok","data":…,"transaction":…}  or  {"status":"error","error":"…","transaction":…}
 * ```
 */
import type { LimitWatch } from '../limits/limit-watch.ts';
import { type Amount, BURST_S, TokenBucket, valueOf } from '../limits/token-bucket.ts';
import { LOG_LEVELS, type Log, type LogLevel } from '../log.ts';
import type { ControlPlane } from './bridge.ts';
import type { Topics } from './topics.ts';

type Json = Readonly<Record<string, unknown>>;

/** Answers a request with what becomes `data`; throws a RequestError for what the asker did wrong. */
export type RequestHandler = (data: Json) => unknown;

/** What the asker did wrong; the text is the answer. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
}

export interface RequestsOptions {
  readonly connection: Pick<ControlPlane, 'publish'>;
  readonly topics: Topics;
  readonly handlers: ReadonlyMap<string, RequestHandler>;
  readonly log: Log;
  /** Answered a second; an answer may be large. What is beyond is dropped and counted. */
  readonly requestsPerS: Amount;
  readonly watch: LimitWatch;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

const MAX_PAYLOAD_BYTES = 8 * 1024;
const MAX_TRANSACTION_LENGTH = 64;

export class Requests {
  /** Requests answered, errors included. */
  answered = 0;
  /** Retained requests ignored: they would be repeated at every connect. */
  retained = 0;
  /** Requests dropped because of their rate. */
  limited = 0;
  readonly #options: RequestsOptions;
  readonly #rate: TokenBucket;

  constructor(options: RequestsOptions) {
    this.#options = options;
    const { requestsPerS } = options;
    this.#rate = new TokenBucket(() => valueOf(requestsPerS) * BURST_S, requestsPerS, options.now);
  }

  request(name: string, payload: Buffer, retain: boolean): void {
    if (retain) {
      this.retained++;
      return;
    }
    if (!this.#rate.take()) {
      this.limited++;
      this.#options.watch.bite('requests_per_s', 'MQTT', 'a request was not answered');
      return;
    }
    const data = payload.length <= MAX_PAYLOAD_BYTES ? parseObject(payload.toString('utf8')) : undefined;
    const handler = this.#options.handlers.get(name);
    const transaction = data?.['transaction'];
    const answer = (response: Json): void => {
      this.answered++;
      const echo = isEcho(transaction) ? { transaction } : {};
      const { connection, topics } = this.#options;
      connection.publish(topics.response(name), JSON.stringify({ ...response, ...echo }), { qos: 1 });
    };
    if (data === undefined) {
      answer({ status: 'error', error: 'must be empty or a JSON object of at most 8 KiB' });
    } else if (handler === undefined) {
      const known = [...this.#options.handlers.keys()].join(', ');
      answer({ status: 'error', error: `unknown request; known: ${known}` });
    } else {
      void this.#run(name, handler, data).then(answer);
    }
  }

  async #run(name: string, handler: RequestHandler, data: Json): Promise<Json> {
    try {
      return { status: 'ok', data: (await handler(data)) ?? {} };
    } catch (error) {
      if (error instanceof RequestError) return { status: 'error', error: error.message };
      this.#options.log.error({ err: error, request: name }, 'a bridge request has failed');
      return { status: 'error', error: 'internal error; see the log of the gateway' };
    }
  }
}

/** Empty text counts as an empty object. */
function parseObject(text: string): Json | undefined {
  if (text.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}

function isEcho(transaction: unknown): boolean {
  return (
    typeof transaction === 'number' || (typeof transaction === 'string' && transaction.length <= MAX_TRANSACTION_LENGTH)
  );
}

/** What the standard requests need to know; the composition root has it. */
export interface GatewayView {
  readonly info: () => Json;
  readonly health: () => Json;
  readonly sources: () => readonly Json[];
  readonly devices: () => readonly Json[];
  /** By alias or id. */
  readonly device: (name: string) => Json | undefined;
  readonly setLogLevel: (level: LogLevel) => void;
  /** By alias or id. These three throw a RequestError when it cannot be done. */
  readonly renameDevice: (name: string, alias: string) => unknown;
  readonly removeDevice: (name: string) => unknown;
  /** Reads the configuration again. */
  readonly reload: () => unknown;
}

/** The requests that every gateway answers. */
export function standardRequests(view: GatewayView, now: () => number): Map<string, RequestHandler> {
  return new Map<string, RequestHandler>([
    ['ping', () => ({ ts: now() })],
    ['info', () => view.info()],
    ['health', () => view.health()],
    ['sources', () => view.sources()],
    ['devices', () => view.devices()],
    [
      'device_get',
      ({ device }) => {
        const found = view.device(nameIn(device));
        if (found === undefined) throw new RequestError('no such device');
        return found;
      },
    ],
    [
      'device_rename',
      ({ device, alias }) => {
        if (typeof alias !== 'string') throw new RequestError('"alias" must be the new name');
        return view.renameDevice(nameIn(device), alias);
      },
    ],
    ['device_remove', ({ device }) => view.removeDevice(nameIn(device))],
    ['reload', () => view.reload()],
    [
      'log_level',
      ({ level }) => {
        const wanted = LOG_LEVELS.find((known) => known === level);
        if (wanted === undefined) throw new RequestError(`"level" must be one of ${LOG_LEVELS.join(', ')}`);
        view.setLogLevel(wanted);
        return { level: wanted };
      },
    ],
  ]);
}

function nameIn(device: unknown): string {
  if (typeof device !== 'string') throw new RequestError('"device" must be an alias or an id');
  return device;
}
