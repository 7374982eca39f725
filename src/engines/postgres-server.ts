/**
 * A private PostgreSQL: real, local, gone with its parent.
 */
import { execFile } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { DurationMs } from '../time.ts';
import { EngineFault } from './engine-fault.ts';
import { lockFolder } from './folder-lock.ts';
import { type ChildEnd, endWithin, type GuardedChild, startGuarded } from './guarded-child.ts';
import { openCluster, type PostgresPasswords, type PostgresRole } from './postgres-cluster.ts';
import { findPostgres, type PostgresPrograms } from './postgres-program.ts';
import { commandLineOf, identityOf, isAlive } from './process-identity.ts';
import { type SystemUser, unprivilegedUser } from './unprivileged-user.ts';

const run = promisify(execFile);

/** One line for the log of the run. */
export type EngineLog = (line: string) => void;

/** Settings of the private server. */
export type PostgresSettings = {
  /** Folder of this run or the one of `--keep`; all goes into `<folder>/postgres`. Must be enterable by other users if we are root. */
  readonly folder: string;
  readonly log: EngineLog;
  /** Server connections, default 150: pools of two processes, tests and a person. */
  readonly maxConnections?: number;
};

/** How one role reaches one database: the fields of postgres.js and pg. `host` is the folder of the UNIX socket. */
export type PostgresAddress = {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
};

/** A private server that takes connections. */
export type PostgresServer = {
  /** Process id of the server; another one after `restart`. */
  readonly pid: number;
  /** Address for any role and database; which pairs may connect is the server's decision. */
  addressOf(role: PostgresRole, database: string): PostgresAddress;
  /** Resolves when the server has ended without being asked to; never after `stop` or `kill9`. */
  readonly died: Promise<ChildEnd>;
  /** Ends it: connections are cut, data is written, own files other than `data` are removed. Repeating it is harmless. */
  stop(): Promise<void>;
  /** Ends it in the middle of what it does, as a power cut would. For tests; `restart` brings it back. */
  kill9(): Promise<void>;
  /** Starts it again on the same data and address, after stopping it if it runs. */
  restart(): Promise<void>;
};

const PORT = 5432;
/** Longest path of a UNIX socket that Linux takes, without the closing zero (sun_path, unix(7)). */
const SOCKET_PATH_LIMIT = 107;
const READY_DEADLINE_MS: DurationMs = 30_000;
const STOP_DEADLINE_MS: DurationMs = 15_000;
const BUSY_DEADLINE_MS: DurationMs = 5_000;
const BUSY_POLL_MS: DurationMs = 50;

const CHILD_ENVIRONMENT = { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/bin:/bin' };

/** An address as a URL of libpq: user, password, database, and the socket's folder percent-encoded as the host. */
export function postgresUrl(address: PostgresAddress): string {
  const { user, password, host, port, database } = address;
  return `postgres://${user}:${password}@${encodeURIComponent(host)}:${port}/${database}`;
}

function sleep(ms: DurationMs): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function childFolder(path: string, user: SystemUser | undefined): Promise<string> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await chmod(path, 0o700);
  if (user !== undefined) await chown(path, user.uid, user.gid);
  return path;
}

/** The folder of the socket: inside the run's own, or a short temporary one where the path would be too long. */
async function socketFolder(folder: string, user: SystemUser | undefined): Promise<string> {
  const path = join(folder, 'socket');
  const isShort = Buffer.byteLength(`${path}/.s.PGSQL.${PORT}`) <= SOCKET_PATH_LIMIT;
  return childFolder(isShort ? path : await mkdtemp('/tmp/relais-pg-'), user);
}

/** @throws EngineFault `engine_folder_unreachable` when the other user cannot enter a folder above. */
async function checkReachable(folder: string, user: SystemUser | undefined): Promise<void> {
  if (user === undefined) return;
  const asUser = { uid: user.uid, gid: user.gid, cwd: '/', env: CHILD_ENVIRONMENT };
  await run('/bin/sh', ['-c', 'cd "$1"', 'relais-check', folder], asUser).catch((cause: unknown) => {
    throw new EngineFault(
      'engine_folder_unreachable',
      `PostgreSQL refuses to run as root, and the user ${user.name} cannot enter ${folder}. ` +
        'Choose a folder that others may enter with --keep, or run Relais as an ordinary user.',
      cause,
    );
  });
}

/**
 * Removes a lock that a killed server left. One that still runs on this folder is waited for: a server killed a moment
 * ago stays visible for a while.
 */
async function clearStaleLock(data: string): Promise<void> {
  const file = join(data, 'postmaster.pid');
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return;
  const pid = Number(text.split('\n')[0]);
  const isOurs = Number.isSafeInteger(pid) && pid > 1 && (commandLineOf(pid) ?? '').includes(data);
  const identity = isOurs ? identityOf(pid) : undefined;
  const deadline = performance.now() + BUSY_DEADLINE_MS;
  while (identity !== undefined && isAlive(identity)) {
    if (performance.now() > deadline) {
      throw new EngineFault(
        'engine_folder_busy',
        `A PostgreSQL (process ${pid}) still runs on ${data}. Stop it first.`,
      );
    }
    await sleep(BUSY_POLL_MS);
  }
  await rm(file, { force: true });
}

type Launch = {
  readonly programs: PostgresPrograms;
  readonly user: SystemUser | undefined;
  readonly folder: string;
  readonly socketFolder: string;
  readonly settings: PostgresSettings;
};

function serverParameters(launch: Launch, data: string): readonly string[] {
  const options: Readonly<Record<string, string>> = {
    listen_addresses: '',
    port: String(PORT),
    unix_socket_directories: launch.socketFolder,
    unix_socket_permissions: '0700',
    max_connections: String(launch.settings.maxConnections ?? 150),
    // What keeps money: all of it on, also where it is the default.
    fsync: 'on',
    full_page_writes: 'on',
    synchronous_commit: 'on',
    max_wal_size: '2GB',
    autovacuum_naptime: '10s',
    TimeZone: 'UTC',
    log_timezone: 'UTC',
    log_destination: 'stderr',
    logging_collector: 'off',
    log_checkpoints: 'off',
    // Statements and row values hold phone numbers and hashes: they stay out of the log.
    log_statement: 'none',
    log_min_error_statement: 'panic',
    log_error_verbosity: 'terse',
    log_parameter_max_length_on_error: '0',
  };
  return ['-D', data, ...Object.entries(options).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
}

async function launchServer(launch: Launch): Promise<GuardedChild> {
  const data = join(launch.folder, 'data');
  await clearStaleLock(data);
  const deadline = performance.now() + BUSY_DEADLINE_MS;
  for (;;) {
    try {
      return await startGuarded({
        program: launch.programs.postgres,
        parameters: serverParameters(launch, data),
        folder: launch.folder,
        environment: CHILD_ENVIRONMENT,
        user: launch.user,
        readyLine: /database system is ready to accept connections/,
        readyDeadlineMs: READY_DEADLINE_MS,
        onLine: (line) => launch.settings.log(line),
      });
    } catch (error) {
      // The children of a killed server let go of its shared memory a moment after it.
      const isStillHeld =
        error instanceof EngineFault && /still in use|lock file ".*" already exists/.test(error.message);
      if (!isStillHeld || performance.now() > deadline) throw error;
      await sleep(BUSY_POLL_MS);
    }
  }
}

async function prepareLaunch(
  settings: PostgresSettings,
): Promise<{ launch: Launch; passwords: PostgresPasswords; remove: () => Promise<void> }> {
  const user = await unprivilegedUser();
  if (user !== undefined) settings.log(`running as root: PostgreSQL runs under the user ${user.name}`);
  const folder = await childFolder(resolve(settings.folder, 'postgres'), user);
  const lock = await lockFolder(folder);
  const copyFolder = join(folder, 'programs');
  let socket: string | undefined;
  const remove = async (): Promise<void> => {
    await rm(copyFolder, { recursive: true, force: true });
    if (socket !== undefined) await rm(socket, { recursive: true, force: true });
    await lock.release();
  };
  try {
    await checkReachable(folder, user);
    const programs = await findPostgres({ copyFolder, user });
    const passwords = await openCluster({ programs, user, folder, environment: CHILD_ENVIRONMENT });
    socket = await socketFolder(folder, user);
    return { launch: { programs, user, folder, socketFolder: socket, settings }, passwords, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/**
 * Starts a private PostgreSQL in `<folder>/postgres`, on a UNIX socket only, in a folder that nobody else can enter.
 * The first start makes the data (about a second); later ones reuse it. As root the server runs under `postgres` or
 * `nobody`. It ends with this process, however that ends.
 * @throws EngineFault `engine_program_missing`, `engine_folder_busy`, `engine_folder_unreachable`,
 *         `engine_setup_failed`, `engine_not_ready`.
 */
export async function startPostgres(settings: PostgresSettings): Promise<PostgresServer> {
  const { launch, passwords, remove } = await prepareLaunch(settings);
  let child: GuardedChild | undefined;
  let reportDeath: (end: ChildEnd) => void = () => undefined;
  const died = new Promise<ChildEnd>((resolve) => {
    reportDeath = resolve;
  });
  const start = async (): Promise<void> => {
    const started = await launchServer(launch);
    child = started;
    void started.ended.then((end) => {
      if (child === started) reportDeath(end);
    });
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ending = child;
    child = undefined;
    if (ending !== undefined) await endWithin(ending, signal, STOP_DEADLINE_MS);
  };
  await start().catch(async (error: unknown) => {
    await remove();
    throw error;
  });
  return {
    get pid() {
      return child?.pid ?? 0;
    },
    addressOf: (role, database) => ({
      host: launch.socketFolder,
      port: PORT,
      user: role,
      password: passwords[role],
      database,
    }),
    died,
    stop: async () => {
      await end('SIGINT');
      await remove();
    },
    kill9: () => end('SIGKILL'),
    restart: async () => {
      await end('SIGINT');
      await start();
    },
  };
}
