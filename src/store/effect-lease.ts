/**
 * Leases on effects: who may carry one out, until when, and with which fencing token. Fencing guards scheduling, never
 * facts: what a worker learned outside is offered to the state machine also after its lease was lost.
 */
import type { LeasedEffect } from '../purchase/effect.ts';
import type { PurchaseStore } from '../purchase/store-port.ts';
import type { CommitCounter } from './commit-counter.ts';
import { inMs } from './commit-statement.ts';
import type { JournalPool, Sql, Statement } from './journal-pool.ts';
import { effectOfRow } from './record.ts';

/** The part of the journal that deals with leases. */
export type EffectLeases = Pick<
  PurchaseStore,
  'takeDue' | 'takeForMachines' | 'reschedule' | 'keepLease' | 'finish' | 'effectsOf'
>;

const LONGEST_ERROR = 200;

/** `from`: the row as it was before the take, or `e`. */
function effectColumns(sql: Sql, from: Statement): Statement {
  return sql`e.purchase_id, e.key, e.kind, e.payload, e.tries, e.may_sent, ${from}.may_sent AS may_sent_before,
    (extract(epoch FROM e.due_at - now()) * 1000)::float8 AS lease_left_ms`;
}

/**
 * Take-over of due effects that need no socket. Two takers never wait for each other and never take the same.
 * Materialized: joined as a plain subquery it may be run again for each row, and then finds others than those it has
 * just locked, so that more are taken than the limit says.
 */
export function takeDueStatement(sql: Sql, node: string, limit: number, leaseMs: number): Statement {
  return sql`WITH d AS MATERIALIZED (
  SELECT purchase_id, key FROM effects WHERE machine_id IS NULL AND due_at <= now()
  ORDER BY due_at LIMIT ${limit}::int FOR UPDATE SKIP LOCKED)
UPDATE effects e SET tries = e.tries + 1, lease_owner = ${node}, due_at = ${inMs(sql, leaseMs)}
FROM d WHERE e.purchase_id = d.purchase_id AND e.key = d.key RETURNING ${effectColumns(sql, sql`e`)}`;
}

/**
 * Take-over by the holder of the machines' sockets: what is due, and what another node leased, since a lease ends with
 * the socket. An approval counts as sent from this commit on.
 */
export function takeForMachinesStatement(
  sql: Sql,
  node: string,
  machineIds: readonly string[],
  limit: number,
  leaseMs: number,
): Statement {
  return sql`WITH d AS MATERIALIZED (
  SELECT purchase_id, key, may_sent FROM effects
  WHERE machine_id = ANY(${[...machineIds]}::text[]) AND (due_at <= now() OR lease_owner <> ${node})
  ORDER BY due_at LIMIT ${limit}::int FOR UPDATE SKIP LOCKED)
UPDATE effects e SET tries = e.tries + 1, lease_owner = ${node}, due_at = ${inMs(sql, leaseMs)},
  may_sent = e.may_sent OR e.kind = 'approve'
FROM d WHERE e.purchase_id = d.purchase_id AND e.key = d.key RETURNING ${effectColumns(sql, sql`d`)}`;
}

/**
 * The fence: taken so many times, and last by this node. The owner counts too, since an effect that is planned anew
 * under its key begins its count again.
 */
function isHeld(sql: Sql, effect: LeasedEffect, node: string): Statement {
  return sql`e.purchase_id = ${effect.purchaseId}::uuid AND e.key = ${effect.key}::uuid
  AND e.tries = ${effect.tries}::int AND e.lease_owner = ${node}`;
}

/** Leases over PostgreSQL. */
export function createEffectLeases(pool: JournalPool, node: string, commits: CommitCounter): EffectLeases {
  return {
    async takeDue(limit, leaseMs) {
      const rows = await pool.rows((sql) => takeDueStatement(sql, node, limit, leaseMs));
      commits.flushed(rows);
      return rows.map(effectOfRow);
    },

    async takeForMachines(machineIds, limit, leaseMs) {
      if (machineIds.length === 0) return [];
      const rows = await pool.rows((sql) => takeForMachinesStatement(sql, node, machineIds, limit, leaseMs));
      commits.flushed(rows);
      return rows.map(effectOfRow);
    },

    async reschedule(effect, dueInMs, why, sent = 'maybe') {
      const isUnsent = sent === 'provably_not' && !effect.maySentBefore;
      const rows = await pool.rows(
        (
          sql,
        ) => sql`UPDATE effects e SET due_at = ${inMs(sql, dueInMs)}, lease_owner = NULL, last_error = ${why.slice(0, LONGEST_ERROR)},
  may_sent = e.may_sent AND NOT ${isUnsent}::boolean
WHERE ${isHeld(sql, effect, node)} RETURNING e.key`,
      );
      commits.flushed(rows);
      return rows.length === 1;
    },

    async keepLease(effect, leaseMs) {
      const rows = await pool.rows(
        (sql) =>
          sql`UPDATE effects e SET due_at = ${inMs(sql, leaseMs)} WHERE ${isHeld(sql, effect, node)} RETURNING e.key`,
      );
      commits.flushed(rows);
      return rows.length === 1;
    },

    async finish(id, key, tries) {
      // Lazily: after a crash a text may go out twice; money never hangs on it.
      const rows = await pool.rows(
        (sql) => sql`WITH done AS (DELETE FROM effects WHERE purchase_id = ${id}::uuid AND key = ${key}::uuid
  ${tries === undefined ? sql`` : sql`AND tries = ${tries}::int`} RETURNING key)
SELECT key, set_config('synchronous_commit', 'off', true) FROM done`,
      );
      commits.lazy(rows);
    },

    async effectsOf(id) {
      const rows = await pool.rows(
        (sql) =>
          sql`SELECT ${effectColumns(sql, sql`e`)} FROM effects e WHERE e.purchase_id = ${id}::uuid ORDER BY e.created_at, e.due_at, e.key`,
      );
      return rows.map(effectOfRow);
    },
  };
}
