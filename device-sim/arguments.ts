/** The command line's texts as values; what is wrong is said in a sentence by an InvalidArgumentError. */
import { readFileSync } from 'node:fs';
import { InvalidArgumentError } from 'commander';
import { FAULTS, type FaultName, type FaultRates } from './faults.ts';
import type { Link } from './fleet.ts';
import type { Model } from './models/model.ts';
import { MODELS, findModel } from './models/models.ts';

/** The gateway's default port for TCP and UDP. */
export const DEFAULT_PORT = 2883;

/** `HOST`, `HOST:PORT` or `[IPv6]:PORT`. */
export function parseAddress(text: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? DEFAULT_PORT : Number(match[3]);
  if (host === undefined || port < 1 || port > 65_535) {
    throw new InvalidArgumentError(`Expected HOST:PORT, such as localhost:${DEFAULT_PORT} or [::1]:${DEFAULT_PORT}.`);
  }
  return { host, port };
}

/** Where to listen: as `parseAddress`, and port 0 for any that is free. */
export function parseListen(text: string): { host: string; port: number } {
  if (!text.endsWith(':0')) return parseAddress(text);
  return { ...parseAddress(`${text.slice(0, -1)}1`), port: 0 };
}

/** For options that may be given several times: the links so far and one more. */
export function collectLinks(kind: 'tcp' | 'udp'): (text: string, links?: Link[]) => Link[] {
  return (text, links = []) => [...links, { kind, ...parseAddress(text) }];
}

/** A gateway over TLS; `--tls-ca` and the like follow for all of them. */
export function collectTls(text: string, links: Link[] = []): Link[] {
  return [...links, { kind: 'tcp', ...parseAddress(text), tls: {} }];
}

/** The contents of a file. */
export function fileContents(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}

export function collectTexts(text: string, texts: string[] = []): string[] {
  return [...texts, text];
}

/** Several `NAME=RATE`, the rate from 0 to 1. */
export function collectFaults(text: string, rates: FaultRates = {}): FaultRates {
  const [name = '', rate = ''] = text.split('=', 2);
  if (!Object.hasOwn(FAULTS, name)) {
    throw new InvalidArgumentError(`There is no fault "${name}"; there are ${Object.keys(FAULTS).join(', ')}.`);
  }
  const probability = rate === '' ? Number.NaN : Number(rate);
  if (!(probability >= 0 && probability <= 1)) {
    throw new InvalidArgumentError(`The rate of a fault is a probability from 0 to 1, such as ${name}=0.01.`);
  }
  return { ...rates, [name as FaultName]: probability };
}

/** Model names with commas between them. */
export function parseModels(text: string): Model[] {
  return text.split(',').map((name) => {
    const model = findModel(name.trim());
    if (model !== undefined) return model;
    throw new InvalidArgumentError(
      `There is no model "${name}"; there are ${MODELS.map(({ name }) => name).join(', ')}.`,
    );
  });
}

/** A whole number from `min` to `max`. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`);
  };
}

/** A number above 0 (or from 0 on), with decimals if need be. */
export function positive(max: number, zeroToo = false): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (value <= max && (value > 0 || (zeroToo && value === 0))) return value;
    throw new InvalidArgumentError(`Expected a number ${zeroToo ? 'from' : 'above'} 0, at most ${max}.`);
  };
}
