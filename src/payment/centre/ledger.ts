/**
 * The ledger as the centre uses it: each act is one call of one database function, which is one transaction. Answers
 * are values, a decline too; a promise rejects only when the database is away or a bug is found.
 */
import postgres from 'postgres';
import type { ErrorBody } from '../gsma-messages.ts';

/** A pool of the ledger's database; bigint both ways. */
export type Sql = postgres.Sql<{ bigint: bigint }>;

/** A key and what it was first used for: `hash` covers method, path and canonical body. */
export type Keyed = { readonly client: string; readonly key: string; readonly hash: Buffer };

/** The answer that a key has, now and whenever it is asked again. Status null: a PIN is being checked right now. */
export type Answer = {
  readonly status: 201 | 202 | 204 | 400 | null;
  readonly error: ErrorBody | null;
  readonly object: string | null;
  readonly serverKey: string;
  readonly isReplayed: boolean;
};

/** The start of a PIN check. `pinHash` and `holder` are set only for the one caller who is to check. */
export type ValidationStart = Answer & { readonly holder: string | null; readonly pinHash: string | null };

/** What is secured, for whom and under which reference. Ids are the ledger's; `amount` in minor units. */
export type Order = {
  readonly payer: string;
  readonly operator: string;
  readonly amount: bigint;
  readonly currency: string;
  readonly reference: string;
};

type Statement = { readonly machine: string; readonly description: string };
type Validation = { readonly isValidated: boolean; readonly expiresInMs: bigint };

/** The acts of section 5 of the payment page. `id` names what the act creates, a UUIDv7 of the caller. */
export interface Ledger {
  refuse(keyed: Keyed, act: string, error: ErrorBody): Promise<Answer>;
  debit(keyed: Keyed, id: string, order: Order & Statement & Validation & { fee: bigint }): Promise<Answer>;
  placeHold(keyed: Keyed, id: string, order: Order & Validation & { lifetimeMs: bigint }): Promise<Answer>;
  capture(keyed: Keyed, id: string, order: Order & Statement & { hold: string; fee: bigint }): Promise<Answer>;
  void(keyed: Keyed, hold: string): Promise<Answer>;
  release(keyed: Keyed, id: string, payment: string): Promise<Answer>;
  reverse(keyed: Keyed, id: string, payment: string): Promise<Answer>;
  adjust(keyed: Keyed, id: string, payment: string, amount: bigint, currency: string): Promise<Answer>;
  /** `originalKey` is undone if it did something, and refused for ever if it was never seen. */
  reverseByKey(keyed: Keyed, id: string, originalKey: string): Promise<Answer>;
  cashIn(keyed: Keyed, id: string, wallet: string, amount: bigint): Promise<Answer>;
  beginValidation(keyed: Keyed, object: string, kind: 'payment' | 'hold'): Promise<ValidationStart>;
  finishValidation(keyed: Keyed, isCorrect: boolean): Promise<Answer>;
  /** Ends what has run out, at most `limit` of each kind. @returns how many. */
  expireDue(limit: number): Promise<bigint>;
}

const STATEMENT_TIMEOUT_MS = 8_000;
const RECONNECT_SECONDS = 0.25;

/** Where a database is, as both drivers take it. */
export type DatabaseAddress = {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly ssl: 'require' | 'verify-full' | false;
};

/**
 * Reads `postgres://user:password@host:port/database?sslmode=…`; a socket's folder may stand percent-encoded as the host,
 * which neither `new URL` nor postgres.js would undo. `sslmode`: `require` or `verify-full`; else no TLS.
 */
export function databaseAddress(url: string): DatabaseAddress {
  const parts = new URL(url);
  const mode = parts.searchParams.get('sslmode');
  return {
    host: decodeURIComponent(parts.hostname),
    port: Number(parts.port === '' ? '5432' : parts.port),
    user: decodeURIComponent(parts.username),
    password: decodeURIComponent(parts.password),
    database: decodeURIComponent(parts.pathname.slice(1)),
    ssl: mode === 'require' || mode === 'verify-full' ? mode : false,
  };
}

/**
 * Opens the pool. Statements end after 8 s, within the connector's budget, so that a lost answer never hides a running
 * one for long.
 */
export function connectLedger(url: string, connections: number): Sql {
  return postgres({
    ...databaseAddress(url),
    max: connections,
    types: { bigint: postgres.BigInt },
    onnotice: () => undefined,
    connect_timeout: 2,
    // Soon again: a caller is waiting, and it is one server that is restarting.
    backoff: () => RECONNECT_SECONDS,
    connection: {
      application_name: 'relais-centre',
      statement_timeout: STATEMENT_TIMEOUT_MS,
      lock_timeout: STATEMENT_TIMEOUT_MS,
    },
  });
}

type Row = {
  status: Answer['status'];
  error: ErrorBody | null;
  object: string | null;
  server_key: string;
  replayed: boolean;
};

function answerOf(row: Row | undefined): Answer {
  if (row === undefined) throw new Error('a ledger function answered nothing');
  return {
    status: row.status,
    error: row.error,
    object: row.object,
    serverKey: row.server_key,
    isReplayed: row.replayed,
  };
}

/** The ledger over a pool. `newId` makes the ids that the wire shows and the ledger's transfers. */
export function createLedger(sql: Sql, newId: () => string): Ledger {
  const key = (keyed: Keyed) => sql`${keyed.client}, ${keyed.key}, ${keyed.hash}, ${newId()}`;
  const call = async (query: postgres.PendingQuery<Row[]>): Promise<Answer> => answerOf((await query)[0]);
  return {
    refuse: (keyed, act, error) =>
      call(sql`select * from ledger.refuse_request(${key(keyed)}, ${act}, ${sql.json({ ...error })})`),
    debit: (keyed, id, o) =>
      call(sql`select * from ledger.debit(${key(keyed)}, ${id}, ${o.payer}, ${o.operator}, ${o.amount}, ${o.fee},
        ${o.currency}, ${o.reference}, ${o.machine}, ${o.description}, ${o.isValidated}, ${o.expiresInMs})`),
    placeHold: (keyed, id, o) =>
      call(sql`select * from ledger.place_hold(${key(keyed)}, ${id}, ${o.payer}, ${o.operator}, ${o.amount},
        ${o.currency}, ${o.reference}, ${o.lifetimeMs}, ${o.isValidated}, ${o.expiresInMs})`),
    capture: (keyed, id, o) =>
      call(sql`select * from ledger.capture(${key(keyed)}, ${o.hold}, ${id}, ${o.payer}, ${o.operator}, ${o.amount},
        ${o.fee}, ${o.currency}, ${o.reference}, ${o.machine}, ${o.description})`),
    void: (keyed, hold) => call(sql`select * from ledger.void(${key(keyed)}, ${hold})`),
    release: (keyed, id, payment) => call(sql`select * from ledger.release(${key(keyed)}, ${payment}, ${id})`),
    reverse: (keyed, id, payment) => call(sql`select * from ledger.reverse_payment(${key(keyed)}, ${payment}, ${id})`),
    adjust: (keyed, id, payment, amount, currency) =>
      call(sql`select * from ledger.adjust(${key(keyed)}, ${payment}, ${id}, ${amount}, ${currency})`),
    reverseByKey: (keyed, id, originalKey) =>
      call(sql`select * from ledger.reverse_by_key(${key(keyed)}, ${id}, ${originalKey}, ${newId()})`),
    cashIn: (keyed, id, wallet, amount) =>
      call(sql`select * from ledger.cash_in(${key(keyed)}, ${id}, ${wallet}, ${amount})`),
    beginValidation: async (keyed, object, kind) => {
      const rows = await sql<(Row & { holder: string | null; pin_hash: string | null })[]>`
        select * from ledger.begin_validation(${key(keyed)}, ${object}, ${kind === 'hold'})`;
      return { ...answerOf(rows[0]), holder: rows[0]?.holder ?? null, pinHash: rows[0]?.pin_hash ?? null };
    },
    finishValidation: (keyed, isCorrect) =>
      call(sql`select * from ledger.finish_validation(${keyed.client}, ${keyed.key}, ${isCorrect})`),
    expireDue: async (limit) => {
      const rows = await sql<{ ended: bigint }[]>`select ledger.expire_due(${limit}) as ended`;
      return rows[0]?.ended ?? 0n;
    },
  };
}
