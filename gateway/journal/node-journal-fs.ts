/** The journal's folder on a real disk, over Node's thread pool: nothing here blocks the event loop. */
import { type FileHandle, mkdir, open, readdir, rename, stat, statfs, truncate, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { JournalFile, JournalFs } from './journal-fs.ts';

/**
 * Opens the folder, which is made if need be, with its subfolder `quarantine`. Rejects when it cannot be used. With
 * `readOnly` nothing is made and `open` opens for reading only.
 */
export async function openNodeJournalFs(folder: string, { readOnly = false } = {}): Promise<JournalFs> {
  if (!readOnly) await mkdir(join(folder, 'quarantine'), { recursive: true });
  return {
    async list() {
      const files: { name: string; bytes: number }[] = [];
      for (const entry of await readdir(folder, { withFileTypes: true })) {
        if (entry.isFile()) files.push({ name: entry.name, bytes: (await stat(join(folder, entry.name))).size });
      }
      return files;
    },
    create: async (name) => nodeFile(await open(join(folder, name), 'wx+', 0o640)),
    open: async (name) => nodeFile(await open(join(folder, name), readOnly ? 'r' : 'r+')),
    rename: (from, to) => rename(join(folder, from), join(folder, to)),
    remove: (name) => unlink(join(folder, name)),
    truncate: (name, bytes) => truncate(join(folder, name), bytes),
    async syncDirectory() {
      const directory = await open(folder, 'r');
      try {
        await directory.sync();
      } finally {
        await directory.close();
      }
    },
    async freeBytes() {
      const { bavail, bsize } = await statfs(folder);
      return bavail * bsize;
    },
  };
}

function nodeFile(handle: FileHandle): JournalFile {
  return {
    async write(bytes, position) {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
        done += bytesWritten;
      }
    },
    async read(into, position) {
      let done = 0;
      while (done < into.length) {
        const { bytesRead } = await handle.read(into, done, into.length - done, position + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return done;
    },
    sync: () => handle.datasync(),
    close: () => handle.close(),
  };
}
