/**
 * Whether the server may be trusted with money: its version, and the settings without which a commit may be lost.
 */
import { Fault } from '../result.ts';
import type { JournalPool } from './journal-pool.ts';

/** Each must not have this value. `local` and the remote kinds of synchronous_commit all wait for the own disk. */
const FORBIDDEN: Readonly<Record<string, string>> = {
  fsync: 'off',
  full_page_writes: 'off',
  synchronous_commit: 'off',
};
const OLDEST_VERSION = 150_000;

/** Settings of a server, by name, and what is wrong with them; empty when nothing is. */
export function troublesOf(settings: ReadonlyMap<string, string>): readonly string[] {
  const unsafe = Object.entries(FORBIDDEN).filter(([name, value]) => settings.get(name) === value);
  const troubles = unsafe.map(([name, value]) => `${name} is ${value}: a commit could be lost`);
  const isOld = Number(settings.get('server_version_num') ?? '0') < OLDEST_VERSION;
  return isOld ? [...troubles, 'PostgreSQL is older than 15'] : troubles;
}

/** Reads the settings. @throws Fault `journal_not_durable` (happened no), whose cause names each trouble. */
export async function checkServer(pool: JournalPool): Promise<void> {
  const names = [...Object.keys(FORBIDDEN), 'server_version_num'];
  const rows = await pool.rows((sql) => sql`SELECT name, setting FROM pg_settings WHERE name = ANY(${names}::text[])`);
  const troubles = troublesOf(new Map(rows.map((row) => [row['name'] as string, row['setting'] as string])));
  if (troubles.length > 0) throw new Fault('journal_not_durable', 'no', new Error(troubles.join('; ')));
}
