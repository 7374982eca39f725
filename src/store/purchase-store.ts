/**
 * The purchase journal over PostgreSQL: each method is one statement and one round trip, unless it says otherwise.
 * State, event, effects and deadline change together or not at all; no method may be half done.
 */
import type { MachineId, PurchaseId } from '../purchase/purchase.ts';
import type { BeginCommit, Begun, Commit, Committed, Loaded, PurchaseStore } from '../purchase/store-port.ts';
import { assert, Fault } from '../result.ts';
import type { Clock, DurationMs } from '../time.ts';
import { type CommitKind, createCommitCounter } from './commit-counter.ts';
import {
  beginStatement,
  commitStatement,
  inMs,
  keptStatement,
  openCaseStatement,
  planStatement,
  refundStatement,
  type Writer,
} from './commit-statement.ts';
import { createEffectLeases } from './effect-lease.ts';
import { type JournalPool, LostRace, RowRefused, type Sql, type Statement } from './journal-pool.ts';
import {
  holderInPastStatement,
  holderStatement,
  liveOfMachineStatement,
  loadPastStatement,
  loadStatement,
  machineStatement,
  pastDeadlineStatement,
  recentStatement,
  seqFloorStatement,
} from './read-statement.ts';
import { loadedOfRow } from './record.ts';

/** What the journal needs. */
export type PurchaseStoreDeps = Writer & {
  readonly pool: JournalPool;
  readonly clock: Clock;
  readonly onCommit?: ((kind: CommitKind) => void) | undefined;
};

/** A refused commit 1 whose reason is gone again when looked for is tried anew, so many times. */
const BEGIN_ROUNDS = 4;
const LONGEST_ROUNDS_MS: DurationMs = 1000;

function violates(error: unknown, constraint: string): boolean {
  return error instanceof RowRefused && error.constraint === constraint;
}

/** The statement wrote nothing, perhaps because an earlier one has begun this purchase: unread, that stays open. */
function unknownWhy(error: unknown): never {
  if (error instanceof Fault) throw new Fault(error.code, 'unknown', error);
  throw error;
}

/** Creates the journal. Faults of all methods: see `faultOf`; a fault with `happened: unknown` is answered by reading. */
export function createPurchaseStore(deps: PurchaseStoreDeps): PurchaseStore {
  const { pool } = deps;
  const writer: Writer = { node: deps.node, leaseMs: deps.leaseMs };
  const commits = createCommitCounter(deps.onCommit);

  /** The first that answers. In this order: a purchase that is moved between the two is found by the second. */
  async function hotOrPast(hot: (sql: Sql) => Statement, past: (sql: Sql) => Statement): Promise<Loaded | null> {
    const [row] = await pool.rows(hot);
    if (row !== undefined) return loadedOfRow(row);
    const [moved] = await pool.rows(past);
    return moved === undefined ? null : loadedOfRow(moved);
  }

  function load(id: PurchaseId): Promise<Loaded | null> {
    return hotOrPast(
      (sql) => loadStatement(sql, id),
      (sql) => loadPastStatement(sql, id),
    );
  }

  function ofOrder(machineId: MachineId, orderSeq: number): Promise<Loaded | null> {
    return hotOrPast(
      (sql) => holderStatement(sql, machineId, orderSeq),
      (sql) => holderInPastStatement(sql, machineId, orderSeq),
    );
  }

  /** Why commit 1 wrote nothing; null when nothing speaks against it any more. */
  async function whyNotBegun({ purchase }: BeginCommit): Promise<Exclude<Begun, { kind: 'begun' }> | null> {
    const own = await load(purchase.id);
    if (own !== null) return { kind: 'exists', loaded: own };
    const { machineId, orderSeq } = purchase.order;
    const by = await ofOrder(machineId, orderSeq);
    if (by !== null) return { kind: 'order_taken', by };
    const [machine] = await pool.rows((sql) => machineStatement(sql, machineId, orderSeq));
    if (machine === undefined) return { kind: 'machine_unknown' };
    if (machine['suspended'] === true) return { kind: 'machine_suspended' };
    return machine['is_over'] === true ? { kind: 'order_over' } : null;
  }

  async function begin(commit: BeginCommit): Promise<Begun> {
    assert(commit.purchase.version === 1, 'a purchase begins with version 1');
    const startMs = deps.clock.now();
    for (let round = 0; round < BEGIN_ROUNDS; round += 1) {
      // The order's time runs on while the rounds before are looked into: a caller who can decide anew is to do so.
      const tookMs = deps.clock.now() - startMs;
      if (tookMs > LONGEST_ROUNDS_MS) break;
      const now = { ...commit, deadlineMs: commit.deadlineMs - tookMs };
      const rows = await pool.rows((sql) => beginStatement(sql, now, writer));
      commits.flushed(rows);
      if (rows.length === 1) return { kind: 'begun' };
      const why = await whyNotBegun(commit).catch(unknownWhy);
      if (why !== null) return why;
    }
    throw new Fault('journal_busy', 'no');
  }

  async function commit(change: Commit): Promise<Committed> {
    const { before, after, isLazy } = change;
    assert(
      after.id === before.id && after.version === before.version + 1,
      'a commit moves one purchase by one version',
    );
    try {
      const rows = await pool.rows((sql) => commitStatement(sql, change, writer));
      commits[isLazy ? 'lazy' : 'flushed'](rows);
      return { kind: rows.length === 1 ? 'committed' : 'lost_race' };
    } catch (error) {
      if (error instanceof LostRace) return { kind: 'lost_race' };
      if (violates(error, 'machine_statements_pkey')) return { kind: 'statement_known' };
      throw error;
    }
  }

  return {
    begin,
    load,
    commit,
    ofOrder,
    ...createEffectLeases(pool, deps.node, commits),

    async keepStatement(statement, purchaseId, opened) {
      assert(purchaseId !== null || opened.length === 0, 'a case belongs to a purchase');
      commits.flushed(await pool.rows((sql) => keptStatement(sql, statement, purchaseId, opened)));
    },

    async planQuery(id, effect) {
      commits.flushed(await pool.rows((sql) => planStatement(sql, id, effect, writer)));
    },

    async refund(change) {
      try {
        const rows = await pool.rows((sql) => refundStatement(sql, change, writer));
        commits.flushed(rows);
        return rows.length === 1 ? 'recorded' : 'exists';
      } catch (error) {
        if (violates(error, 'refunds_within_price')) return 'above_price';
        throw error;
      }
    },

    async refundSettled(id, n) {
      const rows = await pool.rows(
        (sql) => sql`WITH settled AS (
  UPDATE refunds SET state = 'settled', settled_at = now()
  WHERE purchase_id = ${id}::uuid AND n = ${n}::int AND state = 'pending' RETURNING purchase_id, key),
answered AS (
  DELETE FROM effects e USING settled s WHERE e.purchase_id = s.purchase_id AND e.key = s.key)
SELECT key FROM settled`,
      );
      commits.flushed(rows);
    },

    async openCase(id, attention) {
      commits.flushed(await pool.rows((sql) => openCaseStatement(sql, id, attention)));
    },

    async pastDeadline(limit) {
      return (await pool.rows((sql) => pastDeadlineStatement(sql, limit))).map(loadedOfRow);
    },

    async putOffDeadline(id, version, byMs) {
      const rows = await pool.rows(
        (sql) => sql`UPDATE purchases SET deadline_at = ${inMs(sql, byMs)}
WHERE id = ${id}::uuid AND version = ${version}::int AND deadline_at IS NOT NULL RETURNING id`,
      );
      commits.flushed(rows);
    },

    async liveOfMachine(machineId) {
      return (await pool.rows((sql) => liveOfMachineStatement(sql, machineId))).map(loadedOfRow);
    },

    async seqFloorOf(machineId) {
      const [row] = await pool.rows((sql) => seqFloorStatement(sql, machineId));
      return Number(row?.['seq_floor'] ?? 0);
    },

    async recentOfPayer(payerId, withinMs, limit) {
      return (await pool.rows((sql) => recentStatement(sql, payerId, withinMs, limit))).map(loadedOfRow);
    },
  };
}
