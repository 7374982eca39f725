/**
 * A private Redis: real, local, nothing on disk, gone with its parent.
 */
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { DurationMs } from '../time.ts';
import { lockFolder } from './folder-lock.ts';
import { type ChildEnd, endWithin, type GuardedChild, startGuarded } from './guarded-child.ts';
import { findRedis, type RedisProgram, type RedisSearch } from './redis-program.ts';

/** Settings of the private server. */
export type RedisSettings = RedisSearch & {
  /** Folder of this run or the one of `--keep`; the socket lies in `<folder>/redis`. */
  readonly folder: string;
  /** Memory after which writes are refused (nothing is ever evicted), MiB; default 512. */
  readonly memoryLimitMib?: number;
};

/** A private server that takes connections. */
export type RedisServer = {
  /** Process id of the server; another one after `restart`. */
  readonly pid: number;
  /** Path of its UNIX socket: `path` of ioredis. The same after `restart`. */
  readonly socketPath: string;
  /** Resolves when the server has ended without being asked to; never after `stop` or `kill9`. */
  readonly died: Promise<ChildEnd>;
  /** Ends it and removes its socket. Repeating it is harmless. */
  stop(): Promise<void>;
  /** Ends it in the middle of what it does. For tests; `restart` brings it back, empty. */
  kill9(): Promise<void>;
  /** Starts it again, empty, at the same address, after stopping it if it runs. */
  restart(): Promise<void>;
};

/** Longest path of a UNIX socket that Linux takes, without the closing zero (sun_path, unix(7)). */
const SOCKET_PATH_LIMIT = 107;
const READY_DEADLINE_MS: DurationMs = 10_000;
const STOP_DEADLINE_MS: DurationMs = 5_000;

function serverParameters(settings: RedisSettings, folder: string, socketPath: string): readonly string[] {
  return [
    ...['--port', '0'],
    ...['--unixsocket', socketPath],
    ...['--unixsocketperm', '700'],
    ...['--dir', folder],
    ...['--save', ''],
    ...['--appendonly', 'no'],
    ...['--maxmemory', `${settings.memoryLimitMib ?? 512}mb`],
    ...['--maxmemory-policy', 'noeviction'],
    ...['--daemonize', 'no'],
    ...['--logfile', ''],
    ...['--loglevel', 'notice'],
  ];
}

function launchServer(
  settings: RedisSettings,
  program: RedisProgram,
  place: { readonly folder: string; readonly socketPath: string },
): Promise<GuardedChild> {
  const library = program.libraryPath === undefined ? {} : { LD_LIBRARY_PATH: program.libraryPath };
  return startGuarded({
    program: program.path,
    parameters: serverParameters(settings, place.folder, place.socketPath),
    folder: place.folder,
    environment: { LC_ALL: 'C', PATH: '/usr/bin:/bin', ...library },
    user: undefined,
    readyLine: /[Rr]eady to accept connections|now ready to accept connections at/,
    readyDeadlineMs: READY_DEADLINE_MS,
    onLine: (line) => settings.log(line),
  });
}

type Place = { readonly folder: string; readonly socketPath: string; remove(): Promise<void> };

async function openPlace(settings: RedisSettings): Promise<Place> {
  const folder = resolve(settings.folder, 'redis');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  const lock = await lockFolder(folder);
  const near = join(folder, 'redis.sock');
  const far = Buffer.byteLength(near) <= SOCKET_PATH_LIMIT ? undefined : await mkdtemp('/tmp/relais-redis-');
  const socketPath = far === undefined ? near : join(far, 'redis.sock');
  await rm(socketPath, { force: true }); // a server that was killed leaves it behind
  return {
    folder,
    socketPath,
    remove: async () => {
      await rm(socketPath, { force: true });
      if (far !== undefined) await rm(far, { recursive: true, force: true });
      await lock.release();
    },
  };
}

/**
 * Starts a private Redis on a UNIX socket only, in a folder that nobody else can enter: no persistence, no eviction.
 * It ends with this process, however that ends.
 * @throws EngineFault `engine_program_missing` (with the one line to run), `engine_folder_busy`, `engine_not_ready`.
 */
export async function startRedis(settings: RedisSettings): Promise<RedisServer> {
  const program = await findRedis(settings);
  const place = await openPlace(settings);
  let child: GuardedChild | undefined;
  let reportDeath: (end: ChildEnd) => void = () => undefined;
  const died = new Promise<ChildEnd>((resolve) => {
    reportDeath = resolve;
  });
  const start = async (): Promise<void> => {
    const started = await launchServer(settings, program, place);
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
    await place.remove();
    throw error;
  });
  return {
    get pid() {
      return child?.pid ?? 0;
    },
    socketPath: place.socketPath,
    died,
    stop: async () => {
      await end('SIGINT');
      await place.remove();
    },
    kill9: () => end('SIGKILL'),
    restart: async () => {
      await end('SIGINT');
      await start();
    },
  };
}
