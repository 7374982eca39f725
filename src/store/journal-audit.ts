/**
 * The journal as `relais audit` reads it: whole days at a time, in snapshots that lock nothing, in the order of ids. It
 * states what is written there and judges nothing.
 */
import postgres from 'postgres';
import type { Facts, State } from '../purchase/purchase.ts';
import { noFacts } from '../purchase/purchase.ts';
import type { UnixMs } from '../time.ts';
import type { StoreConnection } from './connection.ts';
import { type JournalOddity, odditiesOfAll, odditiesOfDay } from './journal-oddities.ts';

/** A refund as recorded. */
export type AuditedRefund = {
  readonly n: number;
  readonly amountMinor: bigint;
  readonly isSettled: boolean;
  readonly key: string;
};

/** All that the journal says of one purchase. */
export type AuditedPurchase = {
  readonly id: string;
  /** Its own row; null where only its events are left. */
  readonly row: AuditedRow | null;
  /** Lines of its history as `event:state`, by version, one blank between two; empty where there is none. */
  readonly history: string;
  /** Of the first and the last line; 0 where there is none. */
  readonly firstVersion: number;
  readonly lastVersion: number;
  /** Effects that are planned: `settle/1`, `approve`. */
  readonly effects: readonly string[];
  /** How long the oldest effect that needs no machine has been due; negative while none is. */
  readonly effectOverdueMs: number | null;
  /** Cases of any age, and those that are open. */
  readonly cases: readonly string[];
  readonly openCases: readonly string[];
  readonly refunds: readonly AuditedRefund[];
  /** What the machine said: `success`, `failure`, `closed`; a success of which the controller never spoke is left out. */
  readonly statements: readonly string[];
};

/** A purchase's row. */
export type AuditedRow = {
  readonly reference: string;
  readonly state: State;
  readonly version: number;
  readonly amountMinor: bigint;
  readonly currency: string;
  readonly provider: string;
  readonly operatorAccount: string;
  readonly holdsOrder: boolean;
  readonly hasEnded: boolean;
  /** How long its deadline has passed; null where there is none. */
  readonly overdueMs: number | null;
  /** Those of a purchase that ended as usual are not read. */
  readonly facts: Facts;
};

/**
 * One purchase as it is handed over: millions look alike, so what there is to judge stands in one text, for whoever
 * judges to remember. `purchaseOf` reads it.
 */
export type PackedPurchase = {
  readonly id: string;
  readonly reference: string | null;
  /** Keyed hash of the payer's number, hexadecimal; null once it is erased. */
  readonly payerMac: string | null;
  readonly said: string;
};

/** Purchases to read: by their ids, from `from` (included) to `to` (not), or these ones. */
export type Purchases = { readonly from: string; readonly to: string } | { readonly these: readonly string[] };

/** The journal, open for reading. Each read is one snapshot of its own. */
export interface JournalAudit {
  /** UTC days that have a partition, in order, as `2026-11-25`. */
  days(): Promise<readonly string[]>;
  /** Purchases in the order of their ids, handed over in chunks while the snapshot lasts. */
  read<Value>(of: Purchases, use: (chunks: AsyncIterable<readonly PackedPurchase[]>) => Promise<Value>): Promise<Value>;
  /** What is wrong with the purchases of a UTC day beside each other, and with its machines' figures. */
  odditiesOf(day: string): Promise<readonly JournalOddity[]>;
  /** What is wrong with the journal as a whole: what belongs to no purchase, and the chain of acts. */
  odditiesOfAll(): Promise<readonly JournalOddity[]>;
  close(): Promise<void>;
}

type AuditSql = postgres.ISql<{ bigint: bigint }>;

const CHUNK_ROWS = 5_000;
/** Between the fields of what a purchase says; no field can hold it. */
const SEPARATOR = '\x1f';
const DAY_MS = 86_400_000;

/** The ids of a UTC day: from its first to the first of the next. */
export function idsOfDay(day: string): { readonly from: string; readonly to: string } {
  const startMs = Date.parse(`${day}T00:00:00Z`);
  return { from: firstIdAt(startMs), to: firstIdAt(startMs + DAY_MS) };
}

function firstIdAt(at: UnixMs): string {
  const hex = at.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}

/** Opens the journal for reading; connections are made at first use. */
export function openJournalAudit(connection: StoreConnection): JournalAudit {
  const { ssl, ...address } = connection;
  const sql = postgres({
    ...address,
    ssl: ssl ?? false,
    max: 1,
    types: { bigint: postgres.BigInt },
    onnotice: () => undefined,
    connect_timeout: 5,
    connection: { application_name: 'relais-audit', TimeZone: 'UTC' },
  });
  const snapshot = <Value>(use: (tx: AuditSql) => Promise<Value>): Promise<Value> =>
    sql.begin('isolation level repeatable read read only', use) as Promise<Value>;
  return {
    days: () => daysOf(sql),
    read: (of, use) => snapshot((tx) => use(packedOf(statementOf(tx, of).cursor(CHUNK_ROWS)))),
    odditiesOf: (day) => snapshot((tx) => odditiesOfDay(tx, day)),
    odditiesOfAll: () => snapshot(odditiesOfAll),
    close: () => sql.end({ timeout: 5 }),
  };
}

async function daysOf(sql: AuditSql): Promise<readonly string[]> {
  const rows = await sql<{ name: string }[]>`SELECT DISTINCT right(c.relname, 8) AS name
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent IN ('purchase_events'::regclass, 'purchases_past'::regclass) AND c.relname ~ '_[0-9]{8}$' ORDER BY 1`;
  return rows.map(({ name }) => `${name.slice(0, 4)}-${name.slice(4, 6)}-${name.slice(6)}`);
}

function within(tx: AuditSql, column: string, of: Purchases) {
  if ('these' in of) return tx`${tx(column)} = ANY(${[...of.these]}::uuid[])`;
  return tx`${tx(column)} >= ${of.from}::uuid AND ${tx(column)} < ${of.to}::uuid`;
}

/** A machine's word comes within the doubt, a day and more after the purchase began; kept 7 days, found by its age. */
function saidAbout(tx: AuditSql, of: Purchases) {
  if ('these' in of) return tx``;
  const endMs = Math.min(timeOfId(of.to) + 8 * DAY_MS, LAST_MS);
  return tx`AND received_at >= ${new Date(timeOfId(of.from))} AND received_at < ${new Date(endMs)}`;
}

/** What the database's own calendar, as text, holds without a sign. */
const LAST_MS: UnixMs = Date.parse('9999-12-31T00:00:00Z');

function timeOfId(id: string): UnixMs {
  return Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16);
}

// An ended purchase without attention and loss is like any other: its facts are not worth their way here.
function statementOf(tx: AuditSql, of: Purchases) {
  return tx`WITH p AS (
  SELECT id, reference, state, version, amount_minor, currency, provider, order_snapshot, payer_id, holds_order, ended_at, deadline_at, facts
  FROM purchases WHERE ${within(tx, 'id', of)}
  UNION ALL
  SELECT id, reference, state, version, amount_minor, currency, provider, order_snapshot, payer_id, holds_order, ended_at, deadline_at, facts
  FROM purchases_past WHERE ${within(tx, 'id', of)}),
e AS (
  SELECT purchase_id, min(version) AS first_version, max(version) AS last_version, string_agg(event || ':' || state, ' ' ORDER BY version) AS history
  FROM purchase_events WHERE ${within(tx, 'purchase_id', of)} GROUP BY purchase_id),
f AS MATERIALIZED (
  SELECT purchase_id, string_agg(kind || coalesce('/' || (payload->>'n'), ''), ' ') AS effects, min(due_at) FILTER (WHERE machine_id IS NULL) AS due_at
  FROM effects WHERE ${within(tx, 'purchase_id', of)} GROUP BY purchase_id),
c AS MATERIALIZED (
  SELECT purchase_id, string_agg(kind, ' ') AS cases, string_agg(kind, ' ') FILTER (WHERE closed_at IS NULL) AS open_cases
  FROM cases WHERE ${within(tx, 'purchase_id', of)} GROUP BY purchase_id),
r AS MATERIALIZED (
  SELECT purchase_id, string_agg(concat_ws(',', n, amount_minor, state, key), ' ' ORDER BY n) AS refunds
  FROM refunds WHERE ${within(tx, 'purchase_id', of)} GROUP BY purchase_id),
s AS MATERIALIZED (
  SELECT purchase_id, string_agg(kind, ' ') FILTER (WHERE content->>'basis' IS DISTINCT FROM 'no_result') AS statements
  FROM machine_statements WHERE ${within(tx, 'purchase_id', of)} ${saidAbout(tx, of)} GROUP BY purchase_id)
SELECT coalesce(p.id, e.purchase_id)::text AS id, p.reference, encode(b.msisdn_mac, 'hex') AS payer_mac,
  concat(p.state, E'\\x1f', p.version, E'\\x1f', p.amount_minor, E'\\x1f', p.currency, E'\\x1f', p.provider, E'\\x1f',
    p.order_snapshot->>'operatorAccount', E'\\x1f', p.holds_order, E'\\x1f', p.ended_at IS NOT NULL, E'\\x1f',
    (extract(epoch FROM now() - p.deadline_at) * 1000)::bigint, E'\\x1f',
    CASE WHEN p.ended_at IS NULL OR p.facts->'attention' <> '[]' OR p.facts->'isUncollected' = 'true' THEN p.facts END, E'\\x1f',
    e.history, E'\\x1f', e.first_version, E'\\x1f', e.last_version, E'\\x1f', f.effects, E'\\x1f',
    (extract(epoch FROM now() - f.due_at) * 1000)::bigint, E'\\x1f', c.cases, E'\\x1f', c.open_cases, E'\\x1f', r.refunds, E'\\x1f', s.statements) AS said
FROM p FULL JOIN e ON e.purchase_id = p.id
LEFT JOIN subscribers b ON b.id = p.payer_id
LEFT JOIN f ON f.purchase_id = p.id LEFT JOIN c ON c.purchase_id = p.id
LEFT JOIN r ON r.purchase_id = p.id LEFT JOIN s ON s.purchase_id = p.id
ORDER BY 1`;
}

async function* packedOf(chunks: AsyncIterable<readonly postgres.Row[]>): AsyncIterable<readonly PackedPurchase[]> {
  for await (const rows of chunks) yield rows.map(onePacked);
}

function onePacked(row: postgres.Row): PackedPurchase {
  return {
    id: row['id'] as string,
    reference: row['reference'] as string | null,
    payerMac: row['payer_mac'] as string | null,
    said: row['said'] as string,
  };
}

function wordsOf(text: string): readonly string[] {
  return text === '' ? [] : text.split(' ');
}

function numberOf(text: string): number | null {
  return text === '' ? null : Number(text);
}

/** Whose wallet it names; empty where its row is gone. */
export function providerOf({ said }: PackedPurchase): string {
  return said.split(SEPARATOR, 5)[4] ?? '';
}

/** What a packed purchase says. */
export function purchaseOf({ id, reference, said }: PackedPurchase): AuditedPurchase {
  const fields = said.split(SEPARATOR);
  const field = (at: number): string => fields[at] ?? '';
  return {
    id,
    row: field(0) === '' ? null : ownRowOf(reference ?? '', field),
    history: field(10),
    firstVersion: Number(field(11)),
    lastVersion: Number(field(12)),
    effects: wordsOf(field(13)),
    effectOverdueMs: numberOf(field(14)),
    cases: wordsOf(field(15)),
    openCases: wordsOf(field(16)),
    refunds: wordsOf(field(17)).map(refundOf),
    statements: wordsOf(field(18)),
  };
}

function ownRowOf(reference: string, field: (at: number) => string): AuditedRow {
  const facts = field(9);
  return {
    reference,
    // Another word than a state is found by the audit itself: it has no edges.
    state: field(0) as State,
    version: Number(field(1)),
    amountMinor: BigInt(field(2)),
    currency: field(3),
    provider: field(4),
    operatorAccount: field(5),
    holdsOrder: field(6) === 't',
    hasEnded: field(7) === 't',
    overdueMs: numberOf(field(8)),
    facts: facts === '' ? noFacts : { ...noFacts, ...(JSON.parse(facts) as Partial<Facts>) },
  };
}

function refundOf(text: string): AuditedRefund {
  const [n = '0', amount = '0', state, key = ''] = text.split(',');
  return { n: Number(n), amountMinor: BigInt(amount), isSettled: state === 'settled', key };
}
