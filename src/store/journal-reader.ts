/**
 * Readers of the journal for timelines and call records; they write nothing.
 */
import type { JournalReader } from '../purchase/store-port.ts';
import type { JournalPool } from './journal-pool.ts';
import { stateOf } from './record.ts';

/** Longest timeline that is read: a purchase that is retried daily for a year stays below it. */
const LONGEST_TIMELINE = 1_000;

/** Creates the readers over PostgreSQL. */
export function createJournalReader(pool: JournalPool): JournalReader {
  return {
    async timeline(id) {
      const rows = await pool.rows(
        (
          sql,
        ) => sql`SELECT purchase_id, version, event, state, node, content, (extract(epoch FROM at) * 1000)::float8 AS at_ms
FROM purchase_events WHERE purchase_id = ${id}::uuid ORDER BY version LIMIT ${LONGEST_TIMELINE}::int`,
      );
      return rows.map((row) => ({
        purchaseId: row['purchase_id'] as string,
        version: row['version'] as number,
        event: row['event'] as string,
        state: stateOf(row['state']),
        at: row['at_ms'] as number,
        node: row['node'] as string,
        content: row['content'] as Readonly<Record<string, unknown>>,
      }));
    },
  };
}
