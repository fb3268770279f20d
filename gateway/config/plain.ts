/**
 * Where devices without a key are let in: authenticated is the default wherever anybody but this machine can reach.
 *
 * ```
 *   tcp, udp on a loopback address, unix, serial, connect    plain allowed
 *   tcp with `tls` and a client CA                           plain allowed: who connects has shown a certificate
 *   tcp, udp on any other address                            plain only if `plain: true` says so
 * ```
 */
import type { Finding } from './problem.ts';
import type { UnusedKeys } from './unused-keys.ts';
import type { Config, FileConfig, SourceConfig, SourceKind } from './schema.ts';

/** `host` is undefined where there is none. */
export interface Reach {
  readonly kind: SourceKind;
  readonly host?: string;
  readonly tls?: { readonly files: { readonly clientCa: string | undefined } } | undefined;
}

/**
 * Whether others than this machine, those whom it connects to by itself, and the holders of certificates that were given
 * out for this, reach the source.
 */
export function reachableFromOutside({ kind, host = '', tls }: Reach): boolean {
  return (kind === 'tcp' || kind === 'udp') && !isLoopback(host) && tls?.files.clientCa === undefined;
}

/** Whether a host can only be this machine. A name but `localhost` may be anything. */
export function isLoopback(host: string): boolean {
  const lower = host.toLowerCase();
  if (lower === 'localhost') return true;
  const [, mapped] = /^::ffff:([0-9.]+)$/.exec(lower) ?? [];
  if (/^127\.[0-9.]+$/.test(mapped ?? lower)) return true;
  // One of the many spellings of ::1; the URL parser knows the short one.
  return lower.includes(':') && URL.canParse(`http://[${lower}]`) && new URL(`http://[${lower}]`).hostname === '[::1]';
}

/**
 * What is worth a line at each start: every opt-in to plain that somebody outside of this machine can use, and who is
 * shut out for want of a key.
 */
export function plainFindings(file: FileConfig, config: Config, unused: UnusedKeys): Finding[] {
  const speaking = config.sources.filter(({ service, profile }) => service === undefined && profile === undefined);
  const outside = speaking.filter(reachableFromOutside);
  const isLetIn = [...config.devices.values()].some(({ key, plain }) => key !== undefined || plain);
  const findings: Finding[] = [];
  const tell = (code: Finding['code'], path: Finding['path'], message: string, more: Partial<Finding> = {}): void =>
    void findings.push({ code, path, message, found: false, ...more });

  for (const [index, { plain }] of file.sources.entries()) {
    const source = config.sources[index];
    if (source === undefined) continue;
    const path = ['sources', index, 'plain'];
    if (source.service !== undefined) {
      if (plain !== undefined) tell('CONFIG_CONFLICT', path, 'has no effect on a service, which anybody may use');
    } else if (source.profile !== undefined) {
      if (plain !== undefined) tell('CONFIG_CONFLICT', path, 'has no effect with a profile: such devices have no keys');
      if (!reachableFromOutside(source)) continue;
      const message = `whoever reaches ${source.id} may be a device there: such devices have no keys`;
      tell('PLAIN_ALLOWED', ['sources', index, source.kind], message);
    } else if (!outside.includes(source)) continue;
    else if (source.plain) {
      const message = `whoever reaches ${source.id} may be any device that has no key, and read and change what those say`;
      tell('PLAIN_ALLOWED', path, message);
    } else if (!isLetIn) {
      const advice = unused.size > 0 ? '' : ': "bytes2mqtt key new DEVICE" makes one, "plain: true" lets in all';
      const message = `only devices with a key are let in here, and none has one${advice}`;
      tell('CONFIG_CONFLICT', ['sources', index, source.kind], message);
    }
  }
  for (const [written, { key, plain }] of Object.entries(file.devices)) {
    if (plain && outside.length > 0) {
      const where = outside.map(({ id }) => id).join(' or ');
      const message = `whoever reaches ${where} may be this device, and read and change what it says`;
      tell('PLAIN_ALLOWED', ['devices', written, 'plain'], message);
    } else if (unused.has(written.toLowerCase())) continue;
    else if (key === undefined && !plain && speaking.length > 0 && speaking.every((source) => !source.plain)) {
      const message = `this device has no key, and no source lets it in without: "bytes2mqtt key new ${written}" makes one`;
      tell('CONFIG_CONFLICT', ['devices', written], message, { atKey: true });
    }
  }
  for (const [id, name] of unused) {
    const written = Object.keys(file.devices).find((device) => device.toLowerCase() === id);
    const path = written === undefined ? ['devices'] : ['devices', written];
    const add =
      written === undefined ? `"${id}: { key: !secret ${name} }" below "devices:"` : `"key: !secret ${name}" here`;
    tell('CONFIG_CONFLICT', path, `secrets.yaml has a key ${name}, but nothing uses it: add ${add}`, { atKey: true });
  }
  return findings;
}

/** What a source speaks, in words. */
export function speaksOf(source: SourceConfig): string {
  const over = source.kind === 'tcp' && source.tls !== undefined ? ' over TLS' : '';
  if (source.service !== undefined) return `${source.service}${over}`;
  if (source.profile !== undefined) {
    const names = new Set(source.profile.devices.map(({ profile }) => profile.name));
    return `${names.size === 1 ? 'profile' : 'profiles'} ${[...names].join(', ')}${over}`;
  }
  return `link protocol${over}${source.plain ? '' : ', devices with a key only'}`;
}
