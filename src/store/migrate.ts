/**
 * The schema, brought up to date: plain SQL files, forward only, each in one transaction with its bookkeeping.
 */
import { fileURLToPath } from 'node:url';
import { runner } from 'node-pg-migrate';
import type { StoreConnection } from './connection.ts';

/**
 * Runs the migrations that are missing, as the role that owns the schema; answers their names, in order, none when all
 * had run. Several at once are harmless: an advisory lock lets one work and the others wait. A file that fails leaves
 * nothing behind, and the promise rejects with what PostgreSQL said.
 */
export async function migrate(connection: StoreConnection): Promise<readonly string[]> {
  const { ssl, ...address } = connection;
  const run = await runner({
    databaseUrl: { ...address, ssl: ssl === undefined ? false : { rejectUnauthorized: ssl === 'verify-full' } },
    dir: fileURLToPath(new URL('./migrations', import.meta.url)),
    direction: 'up',
    count: Number.POSITIVE_INFINITY,
    migrationsTable: 'relais_migrations',
    checkOrder: true,
    singleTransaction: false,
    advisoryLockMode: 'wait',
    // Nothing but SQL files: a source map or a stray editor file is no migration.
    ignorePattern: '.*(?<!\\.sql)$',
    log: () => undefined,
  });
  return run.map((migration) => migration.name);
}
