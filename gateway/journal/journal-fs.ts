/** What the journal needs of a file system: one folder, few calls, none of which blocks. Errors are Node's. */

export interface JournalFile {
  /** Writes all of `bytes`. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Fills `into` from `position` as far as the file goes; returns how many bytes there were. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** fdatasync: what was written, and the size, survive a loss of power. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface JournalFs {
  list(): Promise<{ readonly name: string; readonly bytes: number }[]>;
  /** A new empty file, open for reading and writing. */
  create(name: string): Promise<JournalFile>;
  /** An existing file, open for reading and writing. */
  open(name: string): Promise<JournalFile>;
  rename(from: string, to: string): Promise<void>;
  remove(name: string): Promise<void>;
  /** Cuts a file off behind `bytes`. */
  truncate(name: string, bytes: number): Promise<void>;
  /** What was created, renamed and removed survives a loss of power. */
  syncDirectory(): Promise<void>;
  /** Bytes that may still be used on this file system. */
  freeBytes(): Promise<number>;
}
