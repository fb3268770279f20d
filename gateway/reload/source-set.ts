/** The sources of the configuration, which come and go while the others run. */
import type { Acceptor, SessionFactory } from '../acceptor.ts';
import type { Announcer } from '../announcer.ts';
import { speaksOf } from '../config/plain.ts';
import type { SourceConfig } from '../config/schema.ts';
import type { ProfileTable } from '../sessions/profile/profile-table.ts';
import type { SourceContext } from '../sources/source-base.ts';
import { sourceOf, whereIs } from '../sources/source-of.ts';
import type { Source } from '../sources/source.ts';
import type { TlsFault } from '../sources/tls-credentials.ts';
import { TlsServerSource } from '../sources/tls-server.ts';

export interface SourceSetOptions {
  readonly acceptor: Acceptor;
  readonly profiles: ProfileTable;
  readonly announcer: Announcer;
  readonly context: SourceContext;
  /** What runs on the channels of a source. */
  readonly sessionsOf: (config: SourceConfig) => SessionFactory;
}

export class SourceSet {
  readonly #options: SourceSetOptions;
  readonly #sources = new Map<string, Source>();

  constructor(options: SourceSetOptions) {
    this.#options = options;
  }

  /** Watches a new source; it is still to be opened. */
  add(config: SourceConfig): Source {
    const { acceptor, profiles, announcer, context, sessionsOf } = this.#options;
    const source = sourceOf(config, context);
    const speaks = speaksOf(config);
    const where = (): string => whereIs(source, config);
    source.onState = () => announcer.source(source, where(), speaks);
    profiles.addSource(config);
    acceptor.add(source, { where, speaks, createSession: sessionsOf(config) });
    this.#sources.set(config.id, source);
    return source;
  }

  /** Opens all that were added. Resolves when each was tried once. */
  async open(): Promise<void> {
    const closed = Array.from(this.#sources.values()).filter(({ state }) => state === 'closed');
    await Promise.all(closed.map(async (source) => source.open()));
  }

  /** Ends the sessions on a source, and closes it. Its address or device is free then. */
  async remove(id: string): Promise<void> {
    const { acceptor, profiles } = this.#options;
    const source = this.#sources.get(id);
    if (source === undefined) throw new TypeError(`there is no source ${id}`);
    this.#sources.delete(id);
    source.onState = undefined;
    await acceptor.remove(source);
    profiles.removeSource(id);
  }

  /** What of TLS can change as it listens; see TlsServerSource. */
  renew(config: SourceConfig): 'same' | 'renewed' | TlsFault {
    const source = this.#sources.get(config.id);
    if (!(source instanceof TlsServerSource) || config.kind !== 'tcp' || config.tls === undefined) return 'same';
    return source.renew(config.tls);
  }
}
