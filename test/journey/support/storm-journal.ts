/**
 * What the storm reads in the journal, by statements of its own: which purchases are where, and what happened to each.
 */
import type { DurationMs } from '../../../src/time.ts';
import type { Reader } from './storm-reader.ts';

/** States in which a purchase waits for somebody: where it can be struck. */
export const liveStates = [
  'authorizing',
  'validating',
  'approving',
  'vending',
  'settling',
  'reversing',
  'in_doubt',
] as const;
/** One of them. */
export type LiveState = (typeof liveStates)[number];

/** A live purchase as it stands. `node`: name of the node that committed last; `ageMs`: since then. */
export type Sighting = {
  readonly id: string;
  readonly state: LiveState;
  readonly version: number;
  readonly machineId: string;
  readonly node: string;
  readonly ageMs: DurationMs;
};

/** One event of a purchase. */
export type Happening = {
  readonly version: number;
  readonly atMs: number;
  readonly event: string;
  readonly state: string;
  readonly node: string;
  readonly content: unknown;
};

/** A purchase with its last state. */
export type Account = {
  readonly id: string;
  readonly state: string;
  readonly version: number;
  readonly machineId: string;
  readonly orderSeq: bigint;
  readonly priceMinor: bigint;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly isEnded: boolean;
  readonly hasDeadline: boolean;
};

/** All live purchases. @throws while the journal is away */
export function sight(reader: Reader): Promise<readonly Sighting[]> {
  return reader.rows<Sighting>(`
    select p.id, p.state, p.version, p.machine_id as "machineId", split_part(e.node, ':', 1) as node,
           (extract(epoch from clock_timestamp() - e.at) * 1000)::float8 as "ageMs"
      from purchases p join purchase_events e on e.purchase_id = p.id and e.version = p.version
     where p.ended_at is null`);
}

/** Every purchase of the run. */
export function accounts(reader: Reader): Promise<readonly Account[]> {
  return reader.rows<Account>(`
    select id, state, version, machine_id as "machineId", order_seq as "orderSeq", amount_minor as "priceMinor",
           facts, ended_at is not null as "isEnded", deadline_at is not null as "hasDeadline"
      from purchases_all order by id`);
}

/** What happened to these purchases, each in its order. */
export async function timelines(
  reader: Reader,
  ids: readonly string[],
): Promise<ReadonlyMap<string, readonly Happening[]>> {
  const rows = await reader.rows<Happening & { readonly id: string }>(
    `
    select purchase_id as id, version, (extract(epoch from at) * 1000)::float8 as "atMs", event, state, node, content
      from purchase_events where purchase_id = any($1::uuid[]) order by purchase_id, version`,
    [ids],
  );
  const found = new Map<string, Happening[]>();
  for (const row of rows) found.set(row.id, [...(found.get(row.id) ?? []), row]);
  return found;
}

/** Everything that is known of a purchase, as lines for the person who must find out what went wrong. */
export async function tellStory(journal: Reader, ledger: Reader, id: string): Promise<readonly string[]> {
  const [events, effects, statements, holds, payments] = await Promise.all([
    journal.rows<object>(
      `select version, at, event, state, node, content from purchase_events where purchase_id = $1 order by version`,
      [id],
    ),
    journal.rows<object>(
      `select kind, due_at, lease_owner, tries, may_sent, last_error from effects where purchase_id = $1`,
      [id],
    ),
    journal.rows<object>(
      `select s.kind, s.received_at, s.content from machine_statements s join purchases_all p
              on p.machine_id = s.machine_id and p.order_seq = s.order_seq where p.id = $1`,
      [id],
    ),
    ledger.rows<object>(`select state, amount, created_at, expires_at from ledger.hold where reference = $1`, [id]),
    ledger.rows<object>(`select state, amount, created_at, refunded from ledger.payment where reference = $1`, [id]),
  ]);
  const line = (what: string) => (row: unknown) =>
    `  ${what} ${JSON.stringify(row, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value))}`;
  return [
    `purchase ${id}`,
    ...events.map(line('event')),
    ...effects.map(line('effect')),
    ...statements.map(line('statement')),
    ...holds.map(line('hold')),
    ...payments.map(line('payment')),
  ];
}
