/**
 * A process that starts both private servers, reports their process ids to its own parent, and waits to be killed.
 */
import { join } from 'node:path';
import { startPostgres } from '../../src/engines/postgres-server.ts';
import { startRedis } from '../../src/engines/redis-server.ts';
import { openRunFolder } from '../../src/engines/run-folder.ts';
import { checkoutFolder } from './servers.ts';

const quiet = (): void => undefined;
const run = await openRunFolder();
const cacheFolder = join(checkoutFolder(), '.relais');
const postgres = await startPostgres({ folder: run.path, log: quiet });
const redis = await startRedis({ folder: run.path, cacheFolder, environment: process.env, log: quiet });
process.send?.({ postgres: postgres.pid, redis: redis.pid, folder: run.path });
// A test that fails before it kills us must not leave us behind.
process.once('disconnect', () => process.exit(1));
setInterval(quiet, 60_000);
