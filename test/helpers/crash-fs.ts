/**
 * A file system in memory that records what is done to it and can show every state that a power cut may leave:
 *
 * ```
 *   operations   create write sync write rename … │ cut
 *                └── made durable by a sync ──┘ └── each lost, kept, or (a write) kept in some of its sectors
 * ```
 *
 * A failed sync makes what was written before it uncertain for good, as Linux does: a later sync does not bring it back.
 */
import type { JournalFile, JournalFs } from '../../gateway/journal/journal-fs.ts';

interface Inode {
  content: Uint8Array;
}

type Op =
  | { readonly kind: 'create'; readonly name: string; readonly inode: Inode }
  | { readonly kind: 'write'; readonly inode: Inode; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: 'truncate'; readonly inode: Inode; readonly size: number }
  | { readonly kind: 'sync'; readonly inode: Inode; readonly ok: boolean }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }
  | { readonly kind: 'remove'; readonly name: string }
  | { readonly kind: 'sync-directory' }
  | { readonly kind: 'note'; readonly note: unknown };

const SECTOR = 512;

/** 'lost' and 'kept': nothing, or all, of what was not synced; 'torn': any part of it. */
export type Cut = 'lost' | 'kept' | 'torn';

export class CrashFs implements JournalFs {
  readonly ops: Op[] = [];
  free = Number.POSITIVE_INFINITY;
  /** Asked before each operation; what it returns is thrown. A failing sync still counts as tried. */
  fault: ((kind: Op['kind'] | 'read', name: string) => NodeJS.ErrnoException | undefined) | undefined;
  #names = new Map<string, Inode>();
  /** The files at the start: name, inode, content. */
  readonly #start: readonly (readonly [string, Inode, Uint8Array])[];

  constructor(files: ReadonlyMap<string, Uint8Array> = new Map()) {
    this.#start = Array.from(files, ([name, content]) => [name, { content: content.slice() }, content] as const);
    for (const [name, inode] of this.#start) this.#names.set(name, inode);
  }

  /** Puts a mark of the test's own between the operations. */
  note(note: unknown): void {
    this.ops.push({ kind: 'note', note });
  }

  /** What all notes before this operation were. */
  notesBefore(op: number): unknown[] {
    return this.ops.slice(0, op).flatMap((one) => (one.kind === 'note' ? [one.note] : []));
  }

  names(): string[] {
    return [...this.#names.keys()].toSorted();
  }

  /** The content of a file, to be looked at or damaged. */
  content(name: string): Uint8Array {
    return this.#inode(name).content;
  }

  /** The file system after the power was cut before operation number `op`. */
  crash(op: number, cut: Cut, random: () => number): CrashFs {
    const done = this.ops.slice(0, op);
    const keep = (): boolean => cut === 'kept' || (cut === 'torn' && random() < 0.5);
    const names = new Map<string, Inode>();
    const contents = new Map<Inode, Uint8Array>();
    for (const [name, inode, content] of this.#start) {
      names.set(name, inode);
      contents.set(inode, content);
    }
    const lastDirectorySync = done.findLastIndex((one) => one.kind === 'sync-directory');
    const nextSync = new Map<Inode, boolean>();
    const durable: boolean[] = [];
    for (let i = done.length - 1; i >= 0; i--) {
      const one = done[i]!;
      if (one.kind === 'sync') nextSync.set(one.inode, one.ok);
      durable[i] =
        one.kind === 'write' || one.kind === 'truncate' ? (nextSync.get(one.inode) ?? false) : i < lastDirectorySync;
    }
    for (const [i, one] of done.entries()) {
      const certain = durable[i]!;
      switch (one.kind) {
        case 'create':
          contents.set(one.inode, new Uint8Array(0));
          if (certain || keep()) names.set(one.name, one.inode);
          break;
        case 'rename': {
          const inode = names.get(one.from);
          if (inode === undefined || !(certain || keep())) break;
          names.delete(one.from);
          names.set(one.to, inode);
          break;
        }
        case 'remove':
          if (certain || keep()) names.delete(one.name);
          break;
        case 'truncate':
          if (certain || keep()) contents.set(one.inode, resized(contents.get(one.inode)!, one.size));
          break;
        case 'write': {
          const { bytes, position, inode } = one;
          let from = 0;
          while (from < bytes.length) {
            const to = Math.min(bytes.length, from + SECTOR - ((position + from) % SECTOR));
            if (certain || keep()) {
              contents.set(inode, written(contents.get(inode)!, position + from, bytes.subarray(from, to)));
            }
            from = to;
          }
          break;
        }
        default:
      }
    }
    return new CrashFs(new Map(Array.from(names, ([name, inode]) => [name, contents.get(inode)!])));
  }

  async list(): Promise<{ name: string; bytes: number }[]> {
    const top = [...this.#names].filter(([name]) => !name.includes('/'));
    return top.map(([name, { content }]) => ({ name, bytes: content.length }));
  }

  async create(name: string): Promise<JournalFile> {
    this.#check('create', name);
    if (this.#names.has(name)) throw errno('EEXIST');
    const inode = { content: new Uint8Array(0) };
    this.#names.set(name, inode);
    this.ops.push({ kind: 'create', name, inode });
    return this.#file(name, inode);
  }

  async open(name: string): Promise<JournalFile> {
    return this.#file(name, this.#inode(name));
  }

  async rename(from: string, to: string): Promise<void> {
    this.#check('rename', from);
    const inode = this.#inode(from);
    this.#names.delete(from);
    this.#names.set(to, inode);
    this.ops.push({ kind: 'rename', from, to });
  }

  async remove(name: string): Promise<void> {
    this.#check('remove', name);
    this.#inode(name);
    this.#names.delete(name);
    this.ops.push({ kind: 'remove', name });
  }

  async truncate(name: string, size: number): Promise<void> {
    this.#check('truncate', name);
    const inode = this.#inode(name);
    inode.content = resized(inode.content, size);
    this.ops.push({ kind: 'truncate', inode, size });
  }

  async syncDirectory(): Promise<void> {
    this.#check('sync-directory', '.');
    this.ops.push({ kind: 'sync-directory' });
  }

  async freeBytes(): Promise<number> {
    return this.free;
  }

  #inode(name: string): Inode {
    const inode = this.#names.get(name);
    if (inode === undefined) throw errno('ENOENT');
    return inode;
  }

  #check(kind: Op['kind'] | 'read', name: string): void {
    const error = this.fault?.(kind, name);
    if (error !== undefined) throw error;
  }

  #file(name: string, inode: Inode): JournalFile {
    return {
      write: async (bytes, position) => {
        this.#check('write', name);
        inode.content = written(inode.content, position, bytes);
        this.ops.push({ kind: 'write', inode, position, bytes: bytes.slice() });
      },
      read: async (into, position) => {
        this.#check('read', name);
        const bytes = inode.content.subarray(position, position + into.length);
        into.set(bytes);
        return bytes.length;
      },
      sync: async () => {
        const error = this.fault?.('sync', name);
        this.ops.push({ kind: 'sync', inode, ok: error === undefined });
        if (error !== undefined) throw error;
      },
      close: async () => {},
    };
  }
}

export function errno(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(code), { code });
}

/** A small seeded generator of numbers in [0, 1). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

function written(content: Uint8Array, position: number, bytes: Uint8Array): Uint8Array {
  const result = resized(content, Math.max(content.length, position + bytes.length));
  result.set(bytes, position);
  return result;
}

function resized(content: Uint8Array, size: number): Uint8Array {
  const result = new Uint8Array(size);
  result.set(content.subarray(0, size));
  return result;
}
