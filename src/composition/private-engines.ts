/**
 * A private PostgreSQL and Redis for a node whose configuration names none.
 */
import { resolve } from 'node:path';
import { CommandEnd, exitCodes } from '../cli/exit.ts';
import type { Config } from '../config.ts';
import { environment } from '../config.ts';
import { EngineFault } from '../engines/engine-fault.ts';
import { startPostgres } from '../engines/postgres-server.ts';
import { startRedis } from '../engines/redis-server.ts';
import { openRunFolder } from '../engines/run-folder.ts';
import type { StoreConnection } from '../store/connection.ts';
import { migrate } from '../store/migrate.ts';

/** A server that a command needs. */
export type Engine = 'database' | 'redis';

/** Addresses of what was started, nothing where the configuration names a server, and how to stop it. */
export type PrivateEngines = {
  readonly addresses: { readonly database?: StoreConnection; readonly redis?: string };
  /** Resolves with a sentence when one of them has ended by itself; else never. */
  readonly died: Promise<string>;
  stop(): Promise<void>;
};

/** What to start, and where. */
export type EngineNeeds = {
  readonly config: Config;
  readonly needs: readonly Engine[];
  /** Folder in which the data of PostgreSQL is kept; made when missing. */
  readonly keep: string;
  /** Where Redis is kept when it had to be fetched; default `.relais` of the working folder, as the demo does. */
  readonly cacheFolder?: string;
  readonly say: (line: string) => void;
  /** How servers are started; default: the real ones. For tests of a machine that has none. */
  readonly start?: { readonly postgres?: typeof startPostgres; readonly redis?: typeof startRedis };
};

const VARIABLES: Readonly<Record<Engine, string>> = { database: 'DATABASE_URL', redis: 'REDIS_URL' };

/**
 * Starts what is missing and brings the journal's schema to this version.
 * @throws CommandEnd 78 naming the variable to set, where the private server is not installed; EngineFault otherwise.
 */
export async function privateEngines(wanted: EngineNeeds): Promise<PrivateEngines> {
  const { config, keep, say } = wanted;
  const missing = wanted.needs.filter((each) => config[each].url === null);
  const never = new Promise<string>(() => undefined);
  if (missing.length === 0) return { addresses: {}, died: never, stop: () => Promise.resolve() };
  const folder = await openRunFolder(keep);
  const stops: (() => Promise<void>)[] = [() => folder.close()];
  const deaths: Promise<string>[] = [never];
  const addresses: { database?: StoreConnection; redis?: string } = {};
  // The last first; none is left running because another one would not stop.
  const stop = async (): Promise<void> => {
    const end = stops.shift();
    if (end === undefined) return;
    try {
      await end();
    } finally {
      await stop();
    }
  };
  let starting: Engine = 'database';
  try {
    if (missing.includes('database')) {
      const postgres = await (wanted.start?.postgres ?? startPostgres)({ folder: folder.path, log: () => undefined });
      stops.unshift(() => postgres.stop());
      deaths.push(postgres.died.then(() => 'The private PostgreSQL has ended by itself.'));
      await migrate(postgres.addressOf('relais_owner', 'relais'));
      addresses.database = postgres.addressOf('relais_app', 'relais');
      say(`private PostgreSQL in ${keep}: for more than one node, set DATABASE_URL`);
    }
    starting = 'redis';
    if (missing.includes('redis')) {
      const redis = await (wanted.start?.redis ?? startRedis)({
        folder: folder.path,
        cacheFolder: wanted.cacheFolder ?? resolve('.relais'),
        environment: environment(),
        log: () => undefined,
      });
      stops.unshift(() => redis.stop());
      deaths.push(redis.died.then(() => 'The private Redis has ended by itself.'));
      addresses.redis = redis.socketPath;
      say('private Redis: for more than one node, set REDIS_URL');
    }
  } catch (error) {
    // What went wrong first is what the person must hear.
    await stop().catch(() => undefined);
    throw isMissing(error) ? notInstalled(starting, error) : error;
  }
  return { addresses, died: Promise.race(deaths), stop };
}

function isMissing(error: unknown): error is EngineFault {
  return error instanceof EngineFault && error.code === 'engine_program_missing';
}

function notInstalled(engine: Engine, fault: EngineFault): CommandEnd {
  const sentence = `${VARIABLES[engine]} is not set, and no private server can be started instead. ${fault.message}`;
  return new CommandEnd(exitCodes.configuration, sentence);
}
