/**
 * What the ledger says of each purchase, read only: the built-in centre's side of a reconciliation. Of one client, by
 * the reference that it gave, in the order of references.
 */
import postgres from 'postgres';
import { databaseAddress } from './ledger.ts';
import { type Finding, readFindings } from './verify.ts';

/**
 * One movement as a wallet states it. `authorize`: the price was held or debited; `settle`: it went to the operator;
 * `reverse`, `refund`: it went back, in whole or in part. `open`: not decided yet; `failed`: nothing moved, or never will.
 */
export type StatementLine = {
  /** What the relation server gave as its reference: the purchase's id. */
  readonly reference: string;
  /** Idempotency key of the call, where it tells something: of what went back. */
  readonly key: string | null;
  readonly kind: 'authorize' | 'settle' | 'reverse' | 'refund';
  readonly amountMinor: bigint;
  readonly currency: string;
  readonly status: 'done' | 'open' | 'failed';
  /** The operator's name at the wallet; null where it is unknown. */
  readonly payee: string | null;
};

/**
 * All movements of one reference, in one text, for whoever judges to remember: millions look alike. `linesOf` reads it.
 * `payers`: numbers that paid, one blank between two, never to be shown; null where the wallet does not tell.
 */
export type StatementGroup = { readonly reference: string; readonly said: string; readonly payers: string | null };

/** References to read: from `from` (included) to `to` (not), null for no end; or these ones. */
export type References = { readonly from: string; readonly to: string | null } | { readonly these: readonly string[] };

/** A ledger that is read. Each read is one snapshot of its own; nothing is written, nothing is locked. */
export interface Statement {
  /** In the order of references, bytewise, handed over in chunks while the snapshot lasts. */
  read<Value>(
    of: References,
    use: (chunks: AsyncIterable<readonly StatementGroup[]>) => Promise<Value>,
  ): Promise<Value>;
  /** What does not add up in the ledger as a whole. */
  verify(): Promise<readonly Finding[]>;
  close(): Promise<void>;
}

const CHUNK_ROWS = 5_000;

type Reader = postgres.ISql<{ bigint: bigint }>;

/** Opens the ledger at this address. `client`: whose movements are stated; those that no client's key explains are stated too. */
export function openStatement(url: string, client: string): Statement {
  const sql = postgres({
    ...databaseAddress(url),
    max: 1,
    types: { bigint: postgres.BigInt },
    onnotice: () => undefined,
    connect_timeout: 5,
    connection: { application_name: 'relais-audit' },
  });
  return {
    read: (of, use) =>
      sql.begin('isolation level repeatable read read only', (tx) =>
        use(groupsOf(statementOf(tx, of, client).cursor(CHUNK_ROWS))),
      ) as ReturnType<typeof use>,
    verify: () => sql.begin('isolation level repeatable read read only', readFindings),
    close: () => sql.end({ timeout: 5 }),
  };
}

async function* groupsOf(chunks: AsyncIterable<readonly postgres.Row[]>): AsyncIterable<readonly StatementGroup[]> {
  for await (const rows of chunks) yield rows.map(groupOf);
}

function groupOf(row: postgres.Row): StatementGroup {
  return {
    reference: row['reference'] as string,
    said: row['said'] as string,
    payers: row['payers'] as string | null,
  };
}

/** Movements as one text, in the order given. */
export function packLines(lines: readonly StatementLine[]): string {
  return lines
    .map((line) =>
      [line.kind, line.key ?? '', line.amountMinor, line.currency, line.status, line.payee ?? ''].join('|'),
    )
    .join('\n');
}

/** The movements of a group. */
export function linesOf({ reference, said }: Pick<StatementGroup, 'reference' | 'said'>): readonly StatementLine[] {
  if (said === '') return [];
  return said.split('\n').map((line) => {
    const [kind, key = '', amount = '0', currency = '', status, ...payee] = line.split('|');
    return {
      reference,
      kind: kind as StatementLine['kind'],
      key: key === '' ? null : key,
      amountMinor: BigInt(amount),
      currency,
      status: status as StatementLine['status'],
      payee: payee.length === 0 || payee[0] === '' ? null : payee.join('|'),
    };
  });
}

function within(tx: Reader, of: References) {
  if ('these' in of) return tx`reference = any(${[...of.these]}::text[])`;
  return of.to === null ? tx`reference >= ${of.from}` : tx`reference >= ${of.from} and reference < ${of.to}`;
}

// A hold secures, ends or is captured by a payment; a payment without a hold secures by itself. What went back is what
// the payer's wallet got, line by line. `opened`: the request that began it, which tells whose it is.
function statementOf(tx: Reader, of: References, client: string) {
  return tx`
    with h as materialized (
      select h.*, r.client from ledger.hold h left join ledger.request r on r.object = h.id and r.status in (201, 202)
       where ${within(tx, of)}),
    p as materialized (
      select p.*, r.client from ledger.payment p left join ledger.request r on r.object = p.id and r.status in (201, 202)
       where ${within(tx, of)}),
    line as (
      select reference, client, null::uuid as key, 'authorize' as kind, amount, currency, payer, payee,
             case when state = 'validating' then 'open' when failure is not null then 'failed' else 'done' end as status
        from h
      union all
      select reference, client, null, 'reverse', amount, currency, payer, payee, 'done'
        from h where state in ('canceled', 'expired') and failure is null
      union all
      select reference, client, null, 'authorize', amount, currency, payer, operator,
             case state when 'validating' then 'open' when 'failed' then 'failed' else 'done' end
        from p where hold is null
      union all
      select reference, client, null, 'settle', amount, currency, payer, operator, 'done'
        from p where hold is not null or state = 'settled'
          or state = 'reversed' and exists (select 1 from ledger.transfer t where t.original = p.id and t.kind = 'release')
      union all
      select p.reference, p.client, r.key, case t.kind when 'adjustment' then 'refund' else 'reverse' end, l.delta, p.currency, p.payer, p.operator, 'done'
        from p join ledger.transfer t on t.original = p.id and t.kind in ('reversal', 'adjustment')
        join ledger.posting l on l.transfer = t.id and l.account = p.payer
        left join ledger.request r on r.object = t.id and r.status in (201, 202)
       where p.state = 'reversed' or p.refunded > 0)
    select line.reference, string_agg(concat(line.kind, '|', line.key, '|', line.amount, '|', line.currency, '|', line.status, '|', payee.value), e'\\n' order by line.kind, line.key) as said,
           case when min(payer.value) = max(payer.value) then min(payer.value) else min(payer.value) || ' ' || max(payer.value) end as payers
      from line left join ledger.account a on a.id = line.payer
      left join ledger.alias payer on payer.holder = a.owner and payer.kind = 'msisdn'
      left join ledger.alias payee on payee.holder = line.payee and payee.kind = 'organisationid'
     where line.client is null or line.client = ${client}
     group by line.reference order by line.reference collate "C"`;
}
