/**
 * Where the Redis program is: on the path, in our cache, or taken out of the distribution's packages without root.
 */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { access, constants, mkdir, readdir, rename, rm, symlink } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { EngineFault } from './engine-fault.ts';

const run = promisify(execFile);

/** A program that runs, and where its libraries lie if the system has them not. */
export type RedisProgram = { readonly path: string; readonly libraryPath: string | undefined };

/** Where to look, and where to keep what is fetched. */
export type RedisSearch = {
  /** Program named by the configuration (`redis.serverPath`): then that one or none. */
  readonly serverPath?: string;
  /** Our own cache, `.relais` of the checkout; made when missing. */
  readonly cacheFolder: string;
  /** PATH is searched; the rest (proxies) is for apt alone. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** A line per long step. */
  readonly log: (line: string) => void;
};

const NAMES: readonly string[] = ['redis-server', 'valkey-server'];
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const APT_DEADLINE_MS = 180_000;
const TRY_DEADLINE_MS = 10_000;

// Debian and Ubuntu ship the server's program in redis-tools, under the name of the checker: it is one binary that
// looks at the name it was called by.
const FIRST_PACKAGES: readonly string[] = ['redis-tools', 'libjemalloc2', 'liblzf1'];
const NEVER_FETCHED: ReadonlySet<string> = new Set(['libc6', 'adduser']);

const ADVICE =
  'No Redis server found. Run: apt-get install --no-install-recommends redis-server ' +
  '(or valkey-server; without its service), or set REDIS_URL to a server of your own.';

async function canExecute(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** True when the program starts; a missing library or another processor shows here. */
async function canRun(program: RedisProgram): Promise<boolean> {
  const environment = program.libraryPath === undefined ? {} : { LD_LIBRARY_PATH: program.libraryPath };
  return run(program.path, ['--version'], { env: environment, timeout: TRY_DEADLINE_MS }).then(
    () => true,
    () => false,
  );
}

async function onPath(environment: RedisSearch['environment']): Promise<RedisProgram | undefined> {
  for (const name of NAMES) {
    for (const folder of (environment['PATH'] ?? DEFAULT_PATH).split(delimiter).filter((part) => part !== '')) {
      const program = { path: join(folder, name), libraryPath: undefined };
      if ((await canExecute(program.path)) && (await canRun(program))) return program;
    }
  }
  return undefined;
}

async function extracted(folder: string): Promise<RedisProgram | undefined> {
  const library = join(folder, 'usr', 'lib');
  const below = await readdir(library, { withFileTypes: true }).catch(() => []);
  const folders = [library, ...below.filter((entry) => entry.isDirectory()).map((entry) => join(library, entry.name))];
  const program = { path: join(folder, 'redis-server'), libraryPath: folders.join(':') };
  return (await canExecute(program.path)) && (await canRun(program)) ? program : undefined;
}

/** apt-get with its words in English; `lists` keeps package lists in a folder of ours, for users who are not root. */
type Apt = { readonly environment: NodeJS.ProcessEnv; readonly folder: string; readonly options: readonly string[] };

async function apt(tool: Apt, program: string, parameters: readonly string[]): Promise<string> {
  const settings = { cwd: tool.folder, env: tool.environment, timeout: APT_DEADLINE_MS };
  const { stdout } = await run(program, [...tool.options, ...parameters], settings);
  return stdout;
}

function aptFor(search: RedisSearch, folder: string): Apt {
  const options = ['-o', 'APT::Sandbox::User=root', '-o', 'Acquire::Retries=2'];
  return { environment: { PATH: DEFAULT_PATH, ...search.environment, LC_ALL: 'C' }, folder, options };
}

/** The same, on lists and cache of our own: works without root and on a machine that never ran `apt-get update`. */
async function withOwnLists(tool: Apt): Promise<Apt> {
  const state = join(tool.folder, 'apt-state');
  const cache = join(tool.folder, 'apt-cache');
  await mkdir(join(state, 'lists', 'partial'), { recursive: true });
  await mkdir(join(cache, 'archives', 'partial'), { recursive: true });
  const options = [
    ...tool.options,
    ...['-o', `Dir::State::Lists=${join(state, 'lists')}`],
    ...['-o', `Dir::Cache=${cache}`],
    ...['-o', 'Debug::NoLocking=1'],
  ];
  const own = { ...tool, options };
  await apt(own, 'apt-get', ['-q', 'update']);
  return own;
}

async function download(tool: Apt, packages: readonly string[]): Promise<void> {
  await apt(tool, 'apt-get', ['-q', 'download', ...packages]);
  const files = (await readdir(tool.folder)).filter((name) => name.endsWith('.deb'));
  for (const file of files) {
    await apt({ ...tool, options: [] }, 'dpkg', ['-x', file, tool.folder]);
    await rm(join(tool.folder, file));
  }
}

/** The packages that redis-tools needs directly, by apt's own account. */
async function dependenciesOf(tool: Apt): Promise<readonly string[]> {
  const text = await apt(tool, 'apt-cache', ['depends', '--no-recommends', '--no-suggests', 'redis-tools']);
  const names = [...text.matchAll(/^\s*\|?Depends: ([a-z0-9][a-z0-9+.-]*)$/gm)].map((match) => match[1] ?? '');
  return names.filter((name) => name !== '' && !NEVER_FETCHED.has(name) && !FIRST_PACKAGES.includes(name));
}

async function extractInto(search: RedisSearch, folder: string): Promise<RedisProgram | undefined> {
  let tool = aptFor(search, folder);
  try {
    await download(tool, FIRST_PACKAGES);
  } catch {
    // No lists, or lists that name versions gone from the mirror.
    search.log('reading the package lists of this distribution');
    tool = await withOwnLists(tool);
    await download(tool, FIRST_PACKAGES);
  }
  await symlink(join('usr', 'bin', 'redis-check-rdb'), join(folder, 'redis-server'));
  const program = await extracted(folder);
  if (program !== undefined) return program;
  await download(tool, await dependenciesOf(tool));
  return extracted(folder);
}

async function fetchProgram(search: RedisSearch, kept: string): Promise<RedisProgram | undefined> {
  // Made under a name of its own and renamed: two runs at once do not see each other's half.
  const fresh = `${kept}.${randomUUID()}`;
  await mkdir(fresh, { recursive: true });
  try {
    search.log('taking the Redis program out of the packages of this distribution');
    const program = await extractInto(search, fresh);
    if (program === undefined) return undefined;
    await rm(join(fresh, 'apt-state'), { recursive: true, force: true });
    await rm(join(fresh, 'apt-cache'), { recursive: true, force: true });
    await rename(fresh, kept).catch(() => undefined); // another run was first: its copy is as good
    return await extracted(kept);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

/**
 * Finds a Redis program, fetching it once if needed: the configured one; else `redis-server` or `valkey-server` on the
 * path; else the one in `<cacheFolder>/redis`; else out of the distribution's packages (Debian, Ubuntu; no root).
 * @throws EngineFault `engine_program_missing` (exit 69) with the one line to run.
 */
export async function findRedis(search: RedisSearch): Promise<RedisProgram> {
  if (search.serverPath !== undefined) {
    const configured = { path: search.serverPath, libraryPath: undefined };
    if (await canRun(configured)) return configured;
    throw new EngineFault('engine_program_missing', `redis.serverPath: ${search.serverPath} does not run.`);
  }
  const kept = resolve(search.cacheFolder, 'redis');
  const there = (await onPath(search.environment)) ?? (await extracted(kept));
  if (there !== undefined) return there;
  // What lies there does not run, say, since the system was upgraded.
  await rm(kept, { recursive: true, force: true });
  let cause: unknown;
  const fetched = await fetchProgram(search, kept).catch((error: unknown) => {
    cause = error;
    return undefined;
  });
  if (fetched !== undefined) return fetched;
  throw new EngineFault('engine_program_missing', ADVICE, cause);
}
