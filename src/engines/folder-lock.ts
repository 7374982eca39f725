/**
 * One owner per folder: a lock file that names the process holding it.
 */
import { randomUUID } from 'node:crypto';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineFault } from './engine-fault.ts';
import { identityOf, isAlive, type ProcessIdentity } from './process-identity.ts';

/** Name of the lock file inside the folder. */
export const lockFileName = 'relais.lock';

/** A folder that is ours until released. */
export type FolderLock = { release(): Promise<void> };

function parseOwner(text: string): ProcessIdentity | undefined {
  const parts = /^(\d{1,10}) (\d*)\n$/.exec(text);
  return parts === null ? undefined : { pid: Number(parts[1]), startedTicks: parts[2] ?? '' };
}

/** The living process that holds the folder, or undefined. */
export async function ownerOf(folder: string): Promise<ProcessIdentity | undefined> {
  const text = await readFile(join(folder, lockFileName), 'utf8').catch(() => '');
  const owner = parseOwner(text);
  return owner !== undefined && isAlive(owner) ? owner : undefined;
}

/**
 * Takes the folder for this process, once. A lock whose process is gone is taken over.
 * @throws EngineFault `engine_folder_busy` (exit 75) while another one lives.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const file = join(folder, lockFileName);
  // Written whole under a name of its own, then linked: nobody ever reads half a lock.
  const mine = `${file}.${randomUUID()}`;
  const { pid, startedTicks } = identityOf(process.pid);
  await writeFile(mine, `${pid} ${startedTicks}\n`, { mode: 0o600 });
  try {
    await linkOver(folder, mine, file);
  } finally {
    await rm(mine, { force: true });
  }
  return { release: () => rm(file, { force: true }) };
}

async function linkOver(folder: string, mine: string, file: string): Promise<void> {
  for (const attempt of [1, 2]) {
    try {
      await link(mine, file);
      return;
    } catch (error) {
      const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST';
      if (!exists) throw error;
      const owner = await ownerOf(folder);
      if (owner !== undefined || attempt === 2) throw busy(folder, owner?.pid);
      await rm(file, { force: true });
    }
  }
}

function busy(folder: string, pid: number | undefined): EngineFault {
  const who = pid === undefined ? 'another process' : `process ${pid}`;
  return new EngineFault(
    'engine_folder_busy',
    `${folder} is in use by ${who}. Stop it, or choose another folder with --keep.`,
  );
}
