/**
 * The daily partitions of the large tables, and the move of what is over into them.
 */
import type { DurationMs, UnixMs } from '../time.ts';
import type { CommitCounter } from './commit-counter.ts';
import { inMs } from './commit-statement.ts';
import type { JournalPool, Sql, Statement } from './journal-pool.ts';

const DAY_MS: DurationMs = 86_400_000;
/** Yesterday, for ids minted before midnight; today; and a week in which nobody needs to come and look. */
const DAYS_BEFORE = 1;
const DAYS_AHEAD = 7;

function dayOf(at: UnixMs): string {
  return new Date(at).toISOString().slice(0, 10);
}

/** Makes the partitions from yesterday to a week ahead; those that are there stay. The application's role may call it. */
export async function ensurePartitions(pool: JournalPool, now: UnixMs): Promise<void> {
  const first = dayOf(now - DAYS_BEFORE * DAY_MS);
  await pool.rows((sql) => sql`SELECT make_journal_partitions(${first}::date, ${DAYS_BEFORE + 1 + DAYS_AHEAD}::int)`);
}

/** True when tomorrow's partitions are there. */
export async function hasTomorrow(pool: JournalPool, now: UnixMs): Promise<boolean> {
  const suffix = dayOf(now + DAY_MS).replaceAll('-', '');
  const names = [`purchase_events_${suffix}`, `purchases_past_${suffix}`];
  const [row] = await pool.rows((sql) => sql`SELECT count(to_regclass(n)) AS found FROM unnest(${names}::text[]) AS n`);
  return row?.['found'] === 2n;
}

/** Moves ended purchases; one mover at a time, so that two never lock machines in different order. */
export function movePastStatement(sql: Sql, limit: number, hotMs: DurationMs): Statement {
  return sql`WITH alone AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(hashtextextended('relais.move_past', 0)) AS is_held),
chosen AS MATERIALIZED (
  SELECT p.id FROM purchases p, alone a WHERE a.is_held AND p.ended_at <= ${inMs(sql, -hotMs)}
  ORDER BY p.ended_at LIMIT ${limit}::int FOR UPDATE OF p SKIP LOCKED),
gone AS (DELETE FROM purchases WHERE id IN (SELECT id FROM chosen) RETURNING *),
kept AS (INSERT INTO purchases_past SELECT * FROM gone),
floors AS (
  UPDATE machines m SET seq_floor = greatest(m.seq_floor, g.highest)
  FROM (SELECT machine_id, max(order_seq) AS highest FROM gone GROUP BY machine_id) g WHERE m.id = g.machine_id)
SELECT id FROM gone`;
}

/** Moves up to `limit` purchases that ended longer than `hotMs` ago; answers how many. */
export async function movePast(
  pool: JournalPool,
  commits: CommitCounter,
  limit: number,
  hotMs: DurationMs,
): Promise<number> {
  const rows = await pool.rows((sql) => movePastStatement(sql, limit, hotMs));
  commits.flushed(rows);
  return rows.length;
}
