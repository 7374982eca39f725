/**
 * The folder of one run: sockets, passwords and data of the private servers.
 */
import { chmod, mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type FolderLock, lockFolder, ownerOf } from './folder-lock.ts';

/** Where one run keeps its things. */
export type RunFolder = {
  readonly path: string;
  /** Gives the folder up; a temporary one is removed with all it holds. Call it after the servers have stopped. */
  close(): Promise<void>;
};

const PREFIX = 'relais-run-';
// Traversable by others, not readable: PostgreSQL's user must reach its own folder below, which is 0700.
const FOLDER_MODE = 0o711;
const AGE_BEFORE_SWEEP_MS = 60_000;

/**
 * Opens the folder of this run: `keep` if given (made when missing, never removed), else a new temporary one. Temporary
 * folders left behind by runs that were killed are removed on the way.
 * @throws EngineFault `engine_folder_busy` when another Relais runs in the kept folder.
 */
export async function openRunFolder(keep?: string): Promise<RunFolder> {
  await sweep();
  if (keep !== undefined) return openKept(resolve(keep));
  const path = await mkdtemp(join(tmpdir(), PREFIX));
  await chmod(path, FOLDER_MODE);
  const lock = await lockFolder(path);
  return {
    path,
    close: async () => {
      await lock.release();
      await removeFolder(path);
    },
  };
}

async function openKept(path: string): Promise<RunFolder> {
  const made = await mkdir(path, { recursive: true });
  if (made !== undefined) await chmod(path, FOLDER_MODE);
  const lock: FolderLock = await lockFolder(path);
  return { path, close: () => lock.release() };
}

async function sweep(): Promise<void> {
  const names = (await readdir(tmpdir())).filter((name) => name.startsWith(PREFIX));
  await Promise.all(names.map((name) => sweepOne(join(tmpdir(), name))));
}

// Only our own, and not one so young that its lock may not be written yet.
async function sweepOne(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || found.uid !== process.getuid?.()) return;
  if (Date.now() - found.birthtimeMs < AGE_BEFORE_SWEEP_MS) return;
  if ((await ownerOf(path)) === undefined) await removeFolder(path);
}

async function removeFolder(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}
