/**
 * Brings the centre's database to the schema of this version: forward only, one at a time under an advisory lock. Then
 * says what the running centre may do there: read, and call the functions; it can write no table.
 */
import { fileURLToPath } from 'node:url';
import { runner } from 'node-pg-migrate';
import type { CentreLog } from './centre-config.ts';
import { connectLedger, databaseAddress } from './ledger.ts';

/** Any number that nobody else on this server locks on. */
const MIGRATION_LOCK = 5_209_617_342;

/**
 * Runs what is missing, as the owner; a second process waits for the first. `appUrl` null: the centre runs as the owner.
 * @throws when the database is away or a migration fails.
 */
export async function migrateLedger(ownerUrl: string, appUrl: string | null, log: CentreLog): Promise<void> {
  const { ssl, ...address } = databaseAddress(ownerUrl);
  await runner({
    databaseUrl: { ...address, ssl: ssl === false ? false : { rejectUnauthorized: ssl === 'verify-full' } },
    dir: fileURLToPath(new URL('./migrations', import.meta.url)),
    direction: 'up',
    migrationsTable: 'centre_migrations',
    schema: 'public',
    checkOrder: true,
    singleTransaction: true,
    advisoryLockMode: 'wait',
    lockValue: MIGRATION_LOCK,
    logger: {
      debug: () => undefined,
      info: () => undefined,
      warn: (text) => log.warn({ text }, 'centre_migration'),
      error: (text) => log.error({ text }, 'centre_migration'),
    },
  });
  const app = appUrl === null ? address.user : databaseAddress(appUrl).user;
  if (app === address.user) log.warn({}, 'centre_without_role_of_its_own');
  else await grantTo(ownerUrl, app);
}

// Default privileges of the database may have given more than this to the role: hence the revocation first.
async function grantTo(ownerUrl: string, role: string): Promise<void> {
  const sql = connectLedger(ownerUrl, 1);
  try {
    await sql.begin(async (tx) => {
      // PostgreSQL refuses two grants on one table at the same time.
      await tx`select pg_advisory_xact_lock(${MIGRATION_LOCK})`;
      await tx`revoke all on all tables in schema ledger from ${tx(role)}`;
      await tx`grant usage on schema ledger to ${tx(role)}`;
      await tx`grant select on all tables in schema ledger to ${tx(role)}`;
      await tx`revoke all on ledger.pin from ${tx(role)}`;
      await tx`grant execute on all functions in schema ledger to ${tx(role)}`;
    });
  } finally {
    await sql.end();
  }
}
