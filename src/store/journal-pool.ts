/**
 * The connections to PostgreSQL, and what is known of a statement that went wrong.
 */
import postgres from 'postgres';
import { Bug, Fault } from '../result.ts';
import type { Clock, DurationMs } from '../time.ts';
import type { StoreConnection } from './connection.ts';

/** The statement maker of postgres.js, with int8 as bigint. Statements are templates; values are always bound. */
export type Sql = postgres.Sql<{ bigint: bigint }>;
/** A statement or a part of one, not yet sent. */
export type Statement = postgres.PendingQuery<postgres.Row[]>;

/** How statements reach the journal. */
export interface JournalPool {
  /** Sends one statement in its own transaction and answers its rows, within 3 s. @throws Fault, Bug: see `faultOf`. */
  rows(build: (sql: Sql) => Statement): Promise<readonly postgres.Row[]>;
  /** Lets running statements end for a second, then cuts the connections. Repeating it is harmless. */
  close(): Promise<void>;
}

/** What the pool needs. */
export type JournalPoolDeps = {
  readonly connection: StoreConnection;
  readonly clock: Clock;
  /** Connections, at most. Fewer than 8 make callers wait, more than 32 gain nothing. */
  readonly connections: number;
};

const CONNECT_DEADLINE_S = 3;
/** postgres.js has no deadline of its own: a server that hangs would never answer and never fail. */
const CALL_DEADLINE_MS: DurationMs = 3_000;
const STATEMENT_DEADLINE_MS: DurationMs = 2_000;
const LOCK_DEADLINE_MS: DurationMs = 1_000;
const IDLE_IN_TRANSACTION_MS: DurationMs = 5_000;
/** So many calls without an answer in a row, and the connections are given up for new ones. */
const TIMEOUTS_BEFORE_REPLACEMENT = 3;

// The statement provably never left us: no connection came about, or the server turned it away before taking any.
const NEVER_SENT: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EACCES',
  'CONNECT_TIMEOUT',
  'CONNECTION_ENDED',
  '53300', // too many connections
  '57P03', // starting up or shutting down
  '28000', // role turned away
  '28P01', // wrong password
  '3D000', // no such database
]);

// The server answered that it rolled the statement back, for a reason that may pass.
const ROLLED_BACK: ReadonlySet<string> = new Set([
  '40001', // serialization failure
  '40P01', // deadlock
  '55P03', // lock not available in time
  '57014', // canceled: statement_timeout
  '25006', // read-only: a standby
]);

/**
 * A row that the schema does not take. The store turns the ones it expects into answers; the others are bugs.
 * `constraint`: its name, or empty where a value was not of its type.
 */
export class RowRefused extends Bug {
  readonly constraint: string;

  constructor(code: string, constraint: string) {
    super(`PostgreSQL refused a row (${code}, ${constraint})`);
    this.constraint = constraint;
  }
}

/** A serialization failure or a deadlock: rolled back, and another commit came first. */
export class LostRace extends Fault {
  constructor() {
    super('journal_busy', 'no');
  }
}

function textOf(error: unknown, field: string): string {
  const value: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, field) : undefined;
  return typeof value === 'string' ? value : '';
}

/**
 * What an error of postgres.js means: Fault `journal_unreachable`, happened `no` when nothing was sent and `unknown`
 * when the connection went away meanwhile; Fault `journal_busy`, happened `no`, when the server rolled back by itself;
 * RowRefused or Bug for statements that are wrong. The server's own words are left out: they quote rows.
 */
export function faultOf(error: unknown): Fault | Bug {
  const code = textOf(error, 'code');
  if (code === 'UNDEFINED_VALUE') return new Bug('a statement was given an undefined value');
  if (NEVER_SENT.has(code)) return new Fault('journal_unreachable', 'no', new Error(code));
  if (code === '40001' || code === '40P01') return new LostRace();
  if (ROLLED_BACK.has(code)) return new Fault('journal_busy', 'no', new Error(code));
  const isAnswer = textOf(error, 'name') === 'PostgresError' && textOf(error, 'severity_local') !== '';
  const severity = textOf(error, 'severity') || textOf(error, 'severity_local');
  if (!isAnswer || severity === 'FATAL' || severity === 'PANIC') {
    return new Fault('journal_unreachable', 'unknown', new Error(code || textOf(error, 'name')));
  }
  if (/^(?:53|57|58)/.test(code)) return new Fault('journal_busy', 'no', new Error(code));
  if (/^2[23]/.test(code)) return new RowRefused(code, textOf(error, 'constraint_name'));
  return new Bug(`PostgreSQL refused a statement (${code}, ${textOf(error, 'routine')})`);
}

function connect(deps: JournalPoolDeps): Sql {
  const { ssl, ...address } = deps.connection;
  return postgres({
    ...address,
    ssl: ssl ?? false,
    max: deps.connections,
    connect_timeout: CONNECT_DEADLINE_S,
    prepare: true,
    fetch_types: true, // else arrays are bound as text
    types: { bigint: postgres.BigInt },
    backoff: (attempt: number) => Math.min(1, 0.05 * 2 ** Math.min(attempt, 10)),
    onnotice: () => undefined,
    connection: {
      application_name: 'relais',
      TimeZone: 'UTC',
      default_transaction_isolation: 'read committed',
      statement_timeout: STATEMENT_DEADLINE_MS,
      lock_timeout: LOCK_DEADLINE_MS,
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    },
  });
}

/** Opens the pool; connections are made at first use. */
export function createJournalPool(deps: JournalPoolDeps): JournalPool {
  let sql = connect(deps);
  let timeoutsInARow = 0;

  function countTimeout(of: Sql): void {
    timeoutsInARow += 1;
    if (timeoutsInARow < TIMEOUTS_BEFORE_REPLACEMENT || of !== sql) return;
    timeoutsInARow = 0;
    sql = connect(deps);
    void of.end({ timeout: 0 }); // its open calls are rejected as unknown; they have been answered so already
  }

  return {
    rows(build) {
      const used = sql;
      return new Promise((resolve, reject) => {
        // A statement that hangs on the server is ended there by statement_timeout. postgres.js could cancel it from
        // here, but leaks a rejection when that fails.
        const cancelDeadline = deps.clock.after(CALL_DEADLINE_MS, () => {
          countTimeout(used);
          reject(new Fault('journal_unreachable', 'unknown'));
        });
        build(used).then(
          (rows) => {
            cancelDeadline();
            timeoutsInARow = 0;
            resolve(rows);
          },
          (error: unknown) => {
            cancelDeadline();
            reject(faultOf(error));
          },
        );
      });
    },
    close: () => sql.end({ timeout: 1 }),
  };
}
