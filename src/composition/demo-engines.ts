/**
 * The engines that the demo and the journeys stand on: the servers that the environment names, else private ones.
 */
import { connect } from 'node:net';
import { CommandEnd, exitCodes } from '../cli/exit.ts';
import { environment } from '../config.ts';
import { postgresUrl, startPostgres } from '../engines/postgres-server.ts';
import { startRedis } from '../engines/redis-server.ts';
import { connectionOfUrl, type StoreConnection } from '../store/connection.ts';
import { migrate } from '../store/migrate.ts';

/** A named part came up, after so long. */
export type OnReady = (part: string, tookMs: number) => void;

/** Servers with the journal's schema, and how they are reached. */
export type Engines = {
  /** The journal's database as the product reaches it, as fields and as a URL. */
  readonly journal: StoreConnection;
  readonly journalUrl: string;
  /** The ledger's, as owner, and as the running centre; null where one login does both. */
  readonly ledgerUrl: string;
  readonly ledgerAppUrl: string | null;
  readonly redisUrl: string;
  /** True for a server that was given: it is not ours to empty. */
  readonly isGivenJournal: boolean;
  /** Empties Redis, as a restart without its data would. @throws for a server that was given: it may hold others' data. */
  wipeRedis(): Promise<void>;
  stop(): Promise<void>;
};

/**
 * Starts what is not given: `DATABASE_URL` with `RELAIS_CENTRE_DATABASE_URL`, and `REDIS_URL`.
 * @throws CommandEnd 78 when only one of the two databases is given; EngineFault when a private server does not come up.
 */
export async function startEngines(folder: string, cacheFolder: string, onReady: OnReady): Promise<Engines> {
  const stops: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const each of stops.splice(0).toReversed()) await each();
  };
  try {
    const databases = await findDatabases(folder, onReady, stops);
    const redis = await findRedis({ folder, cacheFolder, onReady, stops });
    await timed(onReady, 'schema', () => migrate(databases.owner));
    const { owner: _owner, ...reached } = databases;
    return { ...reached, ...redis, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

type Databases = Pick<Engines, 'journal' | 'journalUrl' | 'ledgerUrl' | 'ledgerAppUrl' | 'isGivenJournal'> & {
  readonly owner: StoreConnection;
};

async function findDatabases(folder: string, onReady: OnReady, stops: (() => Promise<void>)[]): Promise<Databases> {
  const { DATABASE_URL: journalUrl, RELAIS_CENTRE_DATABASE_URL: ledgerUrl } = environment();
  if (journalUrl !== undefined && ledgerUrl !== undefined) {
    const journal = connectionOfUrl(journalUrl);
    return { owner: journal, journal, journalUrl, ledgerUrl, ledgerAppUrl: null, isGivenJournal: true };
  }
  if (journalUrl !== undefined || ledgerUrl !== undefined) {
    const missing = journalUrl === undefined ? 'DATABASE_URL' : 'RELAIS_CENTRE_DATABASE_URL';
    throw new CommandEnd(exitCodes.configuration, `Set ${missing} too: journal and ledger are two databases.`);
  }
  const server = await timed(onReady, 'PostgreSQL, two databases', () => startPostgres({ folder, log: () => {} }));
  stops.push(() => server.stop());
  const journal = server.addressOf('relais_app', 'relais');
  return {
    owner: server.addressOf('relais_owner', 'relais'),
    journal,
    journalUrl: postgresUrl(journal),
    ledgerUrl: postgresUrl(server.addressOf('centre_owner', 'relais_centre')),
    ledgerAppUrl: postgresUrl(server.addressOf('centre_app', 'relais_centre')),
    isGivenJournal: false,
  };
}

async function findRedis(place: {
  readonly folder: string;
  readonly cacheFolder: string;
  readonly onReady: OnReady;
  readonly stops: (() => Promise<void>)[];
}): Promise<Pick<Engines, 'redisUrl' | 'wipeRedis'>> {
  const given = environment()['REDIS_URL'];
  if (given !== undefined) {
    return {
      redisUrl: given,
      wipeRedis: () =>
        Promise.reject(new Error('REDIS_URL names a server that may hold others’ data: it is not wiped')),
    };
  }
  const { folder, cacheFolder, onReady, stops } = place;
  const start = (): ReturnType<typeof startRedis> =>
    startRedis({ folder, cacheFolder, environment: environment(), log: () => {} });
  const server = await timed(onReady, 'Redis', start);
  stops.push(() => server.stop());
  return { redisUrl: `unix://${server.socketPath}`, wipeRedis: () => wipe(server.socketPath) };
}

/** Does the work of one part, and tells how long it took. */
export async function timed<Value>(onReady: OnReady, part: string, work: () => Promise<Value>): Promise<Value> {
  const startMs = performance.now();
  const value = await work();
  onReady(part, performance.now() - startMs);
  return value;
}

/** By the inline form of its protocol. */
function wipe(socketPath: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath, () => socket.write('FLUSHALL\r\n'));
    socket.once('error', reject);
    socket.once('data', (answer: Buffer) => {
      socket.destroy();
      if (answer.toString('latin1').startsWith('+OK')) resolve();
      else reject(new Error('Redis refused to be wiped'));
    });
  });
}
