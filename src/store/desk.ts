/**
 * The journal as a person looks at it: open cases, and everything about one purchase. Reads only.
 */
import type { Row } from 'postgres';
import type { RefundEntry } from '../purchase/people.ts';
import type { PurchaseId } from '../purchase/purchase.ts';
import type { Loaded } from '../purchase/store-port.ts';
import type { Clock, DurationMs, UnixMs } from '../time.ts';
import type { StoreConnection } from './connection.ts';
import { createJournalPool } from './journal-pool.ts';
import { loadPastStatement, loadStatement } from './read-statement.ts';
import { loadedOfRow } from './record.ts';

/** A case that waits for a person. */
export type OpenCase = {
  readonly purchaseId: PurchaseId;
  readonly reference: string;
  readonly kind: string;
  readonly state: string;
  readonly machineId: string;
  readonly amountMinor: bigint;
  readonly currency: string;
  readonly openForMs: DurationMs;
};

/** An effect that is still planned. `inMs`: until it is due, or its lease ends; negative when it has been for so long. */
export type PlannedRow = {
  readonly name: string;
  readonly inMs: DurationMs;
  readonly tries: number;
  readonly lastError: string | null;
};

/** A machine's word. */
export type SaidRow = {
  readonly kind: string;
  readonly at: UnixMs;
  readonly content: Readonly<Record<string, unknown>>;
};

/** A case of a purchase. */
export type CaseRow = { readonly kind: string; readonly openedAt: UnixMs; readonly closedAt: UnixMs | null };

/** All that stands beside a purchase and its events. */
export type Beside = {
  readonly effects: readonly PlannedRow[];
  readonly statements: readonly SaidRow[];
  readonly refunds: readonly RefundEntry[];
  readonly cases: readonly CaseRow[];
};

/** The desk. @throws Fault of the journal's pool. */
export interface Desk {
  /** Purchases with this id or reference, newest first: references are for people, and two purchases may share one. */
  find(name: string): Promise<readonly Loaded[]>;
  /** Oldest first. */
  openCases(limit: number): Promise<readonly OpenCase[]>;
  beside(loaded: Loaded): Promise<Beside>;
  refundsOf(id: PurchaseId): Promise<readonly RefundEntry[]>;
  close(): Promise<void>;
}

const CONNECTIONS = 2;
const MOST_NAMESAKES = 10;
const MOST_ROWS = 1_000;

/** Opens the desk; connections are made at first use. */
export function openDesk(connection: StoreConnection, clock: Clock): Desk {
  const pool = createJournalPool({ connection, clock, connections: CONNECTIONS });

  async function load(id: PurchaseId): Promise<readonly Loaded[]> {
    const [hot] = await pool.rows((sql) => loadStatement(sql, id));
    const [row] = hot === undefined ? await pool.rows((sql) => loadPastStatement(sql, id)) : [hot];
    return row === undefined ? [] : [loadedOfRow(row)];
  }

  async function refundsOf(id: PurchaseId): Promise<readonly RefundEntry[]> {
    const rows = await pool.rows(
      (
        sql,
      ) => sql`SELECT n, amount_minor, state, requested_by, reason, (extract(epoch FROM requested_at) * 1000)::float8 AS at_ms
FROM refunds WHERE purchase_id = ${id}::uuid ORDER BY n LIMIT ${MOST_ROWS}::int`,
    );
    return rows.map(refundOf);
  }

  return {
    async find(name) {
      if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(name)) return load(name.toLowerCase());
      const rows = await pool.rows(
        (sql) =>
          sql`SELECT id::text AS id FROM purchases_all WHERE reference = ${name.toUpperCase()} ORDER BY id DESC LIMIT ${MOST_NAMESAKES}::int`,
      );
      const found: Loaded[] = [];
      for (const row of rows) found.push(...(await load(row['id'] as string)));
      return found;
    },
    async openCases(limit) {
      const rows = await pool.rows(
        (sql) => sql`SELECT c.purchase_id, c.kind, p.reference, p.state, p.machine_id, p.amount_minor, p.currency,
  (extract(epoch FROM now() - c.opened_at) * 1000)::float8 AS open_for_ms
FROM cases c JOIN purchases_all p ON p.id = c.purchase_id WHERE c.closed_at IS NULL ORDER BY c.opened_at, c.purchase_id, c.kind LIMIT ${limit}::int`,
      );
      return rows.map(caseOf);
    },
    async beside({ purchase: { id, order } }) {
      const effects = await pool.rows(
        (
          sql,
        ) => sql`SELECT kind || coalesce(' ' || (payload->>'template'), ' ' || (payload->>'n'), '') AS name, tries, last_error,
  (extract(epoch FROM due_at - now()) * 1000)::float8 AS in_ms
FROM effects WHERE purchase_id = ${id}::uuid ORDER BY due_at LIMIT ${MOST_ROWS}::int`,
      );
      const statements = await pool.rows(
        (
          sql,
        ) => sql`SELECT kind, content, (extract(epoch FROM received_at) * 1000)::float8 AS at_ms FROM machine_statements
WHERE machine_id = ${order.machineId} AND order_seq = ${order.orderSeq}::bigint ORDER BY received_at`,
      );
      const cases = await pool.rows(
        (
          sql,
        ) => sql`SELECT kind, (extract(epoch FROM opened_at) * 1000)::float8 AS opened_ms, (extract(epoch FROM closed_at) * 1000)::float8 AS closed_ms
FROM cases WHERE purchase_id = ${id}::uuid ORDER BY opened_at, kind`,
      );
      return {
        effects: effects.map(plannedOf),
        statements: statements.map(saidOf),
        refunds: await refundsOf(id),
        cases: cases.map((row) => ({
          kind: row['kind'] as string,
          openedAt: row['opened_ms'] as number,
          closedAt: row['closed_ms'] as number | null,
        })),
      };
    },
    refundsOf,
    close: () => pool.close(),
  };
}

function refundOf(row: Row): RefundEntry {
  return {
    n: row['n'] as number,
    amountMinor: row['amount_minor'] as bigint,
    state: row['state'] as RefundEntry['state'],
    requestedBy: row['requested_by'] as string,
    reason: row['reason'] as string,
    at: row['at_ms'] as number,
  };
}

function caseOf(row: Row): OpenCase {
  return {
    purchaseId: row['purchase_id'] as string,
    reference: row['reference'] as string,
    kind: row['kind'] as string,
    state: row['state'] as string,
    machineId: row['machine_id'] as string,
    amountMinor: row['amount_minor'] as bigint,
    currency: row['currency'] as string,
    openForMs: row['open_for_ms'] as number,
  };
}

function plannedOf(row: Row): PlannedRow {
  return {
    name: row['name'] as string,
    inMs: row['in_ms'] as number,
    tries: row['tries'] as number,
    lastError: row['last_error'] as string | null,
  };
}

function saidOf(row: Row): SaidRow {
  return {
    kind: row['kind'] as string,
    at: row['at_ms'] as number,
    content: row['content'] as Readonly<Record<string, unknown>>,
  };
}
