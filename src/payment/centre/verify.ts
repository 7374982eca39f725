/**
 * `verify`: reads the whole ledger in one snapshot and says what does not add up. Checks 1 to 7 of the payment page,
 * and 10 (nobody but the functions can write money).
 */
import type postgres from 'postgres';
import { connectLedger, type Sql } from './ledger.ts';

/** One thing that does not add up. `check`: number on the payment page; `id`: the row concerned. */
export type Finding = {
  readonly check: number;
  readonly id: string;
  readonly expected: string;
  readonly found: string;
};

/** A pool or a transaction on it. */
type Snapshot = postgres.ISql<{ bigint: bigint }>;

// Each query answers only what is wrong: check, id, expected, found.
const CHECKS: readonly ((sql: Snapshot) => Promise<Finding[]>)[] = [
  (sql) => sql<Finding[]>`
    select 1 as check, a.currency as id, '0' as expected, sum(p.delta)::text as found
      from ledger.posting p join ledger.account a on a.id = p.account group by a.currency having sum(p.delta) <> 0`,
  (sql) => sql<Finding[]>`
    select 1 as check, t.id::text as id, 'balanced, 2 lines or more of ' || t.amount as expected,
           count(p.*) || ' lines, sum ' || coalesce(sum(p.delta), 0) as found
      from ledger.transfer t left join ledger.posting p on p.transfer = t.id left join ledger.account a on a.id = p.account
     group by t.id having count(p.*) < 2 or sum(p.delta) <> 0 or bool_or(a.id is null or a.currency <> t.currency)
        or coalesce(sum(p.delta) filter (where p.delta > 0), 0) <> t.amount`,
  (sql) => sql<Finding[]>`
    select 2 as check, a.id::text as id, a.posted || ' after ' || a.seq as expected, coalesce(sum(p.delta), 0) || ' after ' || count(p.*) as found
      from ledger.account a left join ledger.posting p on p.account = a.id where a.kind = 'wallet'
     group by a.id having coalesce(sum(p.delta), 0) <> a.posted or count(p.*) <> a.seq or coalesce(max(p.seq), 0) <> a.seq`,
  (sql) => sql<Finding[]>`
    select 2 as check, transfer::text as id, 'balance ' || should as expected, balance::text as found
      from (select p.transfer, p.balance, sum(p.delta) over (partition by p.account order by p.seq) as should
              from ledger.posting p where p.seq is not null) line where balance <> should`,
  (sql) => sql<Finding[]>`
    select 3 as check, a.id::text as id, coalesce(sum(h.amount), 0)::text as expected, a.held::text as found
      from ledger.account a left join ledger.hold h on h.payer = a.id and h.state = 'active' where a.kind = 'wallet'
     group by a.id having coalesce(sum(h.amount), 0) <> a.held`,
  (sql) => sql<Finding[]>`
    select 3 as check, id::text as id, 'ended' as expected, state as found from ledger.hold
     where state in ('active', 'validating') and expires_at < now() - interval '60 seconds'`,
  (sql) => sql<Finding[]>`
    select 4 as check, id::text as id, 'at least ' || -credit_limit as expected, (posted - held)::text as found
      from ledger.account where kind = 'wallet' and posted - held + credit_limit < 0`,
  (sql) => sql<Finding[]>`
    select 5 as check, p.id::text as id, p.state || ', refunded ' || p.refunded as expected, coalesce(string_agg(t.kind, ' ' order by t.kind), 'no transfer') as found
      from ledger.payment p left join ledger.transfer t on t.id = p.id or t.original = p.id
     group by p.id having
        (p.state in ('debited', 'settled', 'reversed')) <> (count(*) filter (where t.id = p.id) = 1)
        or (p.hold is not null) <> (count(*) filter (where t.kind = 'capture') = 1)
        or coalesce(bool_or(t.id = p.id and t.amount <> p.amount), false)
        or (p.state = 'settled' and p.hold is null) and count(*) filter (where t.kind = 'release') <> 1
        or p.state = 'debited' and count(*) filter (where t.original = p.id) > 0
        or (p.state = 'reversed') <> (count(*) filter (where t.kind = 'reversal') = 1 or p.refunded = p.amount)
        or coalesce(sum(t.amount) filter (where t.kind = 'adjustment'), 0) <> p.refunded`,
  (sql) => sql<Finding[]>`
    select 6 as check, h.id::text as id, h.state || ' ' || h.amount as expected, count(t.id) || ' captures of ' || coalesce(sum(t.amount), 0) as found
      from ledger.hold h left join ledger.transfer t on t.original = h.id and t.kind = 'capture'
     group by h.id having count(t.id) <> (h.state = 'captured')::int or coalesce(sum(t.amount), h.amount) <> h.amount`,
  (sql) => sql<Finding[]>`
    select 7 as check, r.key::text as id, r.act || ' ' || r.status as expected, 'no object' as found from ledger.request r
     where r.status in (201, 202) and not exists (select 1 from ledger.payment where id = r.object)
       and not exists (select 1 from ledger.hold where id = r.object) and not exists (select 1 from ledger.reversal where id = r.object)
       and not exists (select 1 from ledger.transfer where id = r.object)`,
  (sql) => sql<Finding[]>`
    select 7 as check, object::text as id, 'one key' as expected, count(*) || ' keys' as found from ledger.request
     where status in (201, 202) group by object having count(*) > 1`,
  (sql) => sql<Finding[]>`
    select distinct 10 as check, table_name::text as id, 'only the owner writes' as expected, grantee::text as found
      from information_schema.table_privileges
     where table_schema = 'ledger' and privilege_type in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
       and grantee <> (select nspowner::regrole::text from pg_namespace where nspname = 'ledger')`,
  (sql) => sql<Finding[]>`
    select 10 as check, t.tgname as id, 'enabled' as expected, t.tgenabled::text as found from pg_trigger t
      join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'ledger' and not t.tgisinternal and t.tgenabled <> 'O'`,
];

/** Reads the ledger in one read-only snapshot; an empty list means that every cent is accounted for. */
export async function verifyLedger(sql: Sql): Promise<readonly Finding[]> {
  return await sql.begin('isolation level repeatable read read only', readFindings);
}

/**
 * The same on a connection of its own, which is ended after use. The driver answers a connection that breaks within its
 * own `begin` by a rollback to nobody, and that place of a pool never connects again; so nothing here lets it roll back.
 * @throws when the database is away, or the snapshot broke off on the way.
 */
export async function verifyApart(url: string): Promise<readonly Finding[]> {
  const sql = connectLedger(url, 1);
  const begunAt = async (): Promise<string | undefined> =>
    (await sql<{ at: string }[]>`select now()::text || ' ' || pg_backend_pid() as at`)[0]?.at;
  try {
    await sql`begin isolation level repeatable read read only`;
    const snapshot = await begunAt();
    const findings = await readFindings(sql);
    // A connection lost between two questions is opened anew without a word; time stands still in one transaction alone.
    if (snapshot !== (await begunAt())) throw new Error('the connection broke while the ledger was read');
    return findings;
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** The same within a transaction that the caller has begun. */
export async function readFindings(snapshot: Snapshot): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const check of CHECKS) findings.push(...(await check(snapshot)));
  return findings;
}
