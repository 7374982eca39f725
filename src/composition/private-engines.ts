/**
 * A private PostgreSQL and Redis for a node whose configuration names none.
 */
import { CommandEnd, exitCodes } from '../cli/exit.ts';
import type { Config } from '../config.ts';
import { environment } from '../config.ts';
import { EngineFault } from '../engines/engine-fault.ts';
import { startPostgres } from '../engines/postgres-server.ts';
import { startRedis } from '../engines/redis-server.ts';
import { openRunFolder } from '../engines/run-folder.ts';
import type { StoreConnection } from '../store/connection.ts';
import { migrate } from '../store/migrate.ts';

/** Addresses of what was started, nothing where the configuration names a server, and how to stop it. */
export type PrivateEngines = {
  readonly addresses: { readonly database?: StoreConnection; readonly redis?: string };
  stop(): Promise<void>;
};

/**
 * Starts what is missing; the data of PostgreSQL is kept in `keep`.
 * @throws CommandEnd 78 naming the variable to set, where the package with the private server is not installed.
 */
export async function privateEngines(
  config: Config,
  keep: string,
  say: (line: string) => void,
): Promise<PrivateEngines> {
  const needsDatabase = config.database.url === null;
  const needsRedis = config.redis.url === null;
  if (!needsDatabase && !needsRedis) return { addresses: {}, stop: () => Promise.resolve() };
  const folder = await openRunFolder(keep);
  const stops: (() => Promise<void>)[] = [() => folder.close()];
  const addresses: { database?: StoreConnection; redis?: string } = {};
  try {
    if (needsDatabase) {
      const postgres = await startPostgres({ folder: folder.path, log: () => {} });
      stops.unshift(() => postgres.stop());
      await migrate(postgres.addressOf('relais_owner', 'relais'));
      addresses.database = postgres.addressOf('relais_app', 'relais');
      say(`private PostgreSQL in ${keep}: for more than one node, set DATABASE_URL`);
    }
    if (needsRedis) {
      const redis = await startRedis({
        folder: folder.path,
        cacheFolder: `${keep}/cache`,
        environment: environment(),
        log: () => {},
      });
      stops.unshift(() => redis.stop());
      addresses.redis = redis.socketPath;
      say('private Redis: for more than one node, set REDIS_URL');
    }
  } catch (error) {
    for (const stop of stops) await stop();
    if (error instanceof EngineFault && error.code === 'engine_program_missing') {
      const variable = needsDatabase && addresses.database === undefined ? 'DATABASE_URL' : 'REDIS_URL';
      throw new CommandEnd(exitCodes.configuration, `${variable} is not set, and no private server is installed here.`);
    }
    throw error;
  }
  return {
    addresses,
    stop: async () => {
      for (const stop of stops) await stop();
    },
  };
}
