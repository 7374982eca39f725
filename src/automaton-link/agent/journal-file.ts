/**
 * The file below the machine's journal, as a port, and its implementation by the file system. Every call returns when
 * it is done: an acceptance is one uninterrupted step.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** An append-only file. Whatever throws leaves the journal closed for writing. */
export interface JournalFile {
  /** All of it; empty when there is none. */
  read(): string;
  /** Adds text at the end; on disk only after `sync`. */
  append(text: string): void;
  /** Returns when all that was added is on disk. */
  sync(): void;
  /** New content in one step: after a power cut either the old content is there or the new. */
  replace(content: string): void;
  close(): void;
}

function writeAll(file: number, text: string): void {
  const bytes = Buffer.from(text, 'utf8');
  let written = 0;
  while (written < bytes.length) written += writeSync(file, bytes, written);
}

function syncFolder(path: string): void {
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** A journal file of the file system; its folder must exist. Faults are those of `node:fs`. */
export function createJournalFile(path: string): JournalFile {
  let file: number | null = null;
  const opened = (): number => {
    file ??= openSync(path, 'a');
    return file;
  };
  const close = (): void => {
    if (file !== null) closeSync(file);
    file = null;
  };
  return {
    read: () => {
      try {
        return readFileSync(path, 'utf8');
      } catch (error) {
        if (isMissing(error)) return '';
        throw error;
      }
    },
    append: (text) => writeAll(opened(), text),
    sync: () => fsyncSync(opened()),
    replace: (content) => {
      close();
      const fresh = `${path}.new`;
      const target = openSync(fresh, 'w');
      try {
        writeAll(target, content);
        fsyncSync(target);
      } finally {
        closeSync(target);
      }
      renameSync(fresh, path);
      syncFolder(path);
    },
    close,
  };
}
