/**
 * The storm's books: journal, ledger and the flaps of the machines beside each other, purchase by purchase and in sum.
 */
import type { Drop } from './machine-hall.ts';
import { type Account, accounts } from './storm-journal.ts';
import type { StormWorld } from './storm-world.ts';

/** Something that does not agree. `id`: the purchase, where there is one. */
export type Disagreement = { readonly id: string | null; readonly what: string };

/** What the ledger shows of one purchase. `kept`: still held or debited, less what went back. */
type Evidence = { readonly id: string; readonly kept: bigint; readonly secured: number; readonly objects: number };

async function evidence(world: StormWorld): Promise<ReadonlyMap<string, Evidence>> {
  const rows = await world.ledger.rows<Evidence>(`
    select reference as id, sum(kept)::int8 as kept, sum(secured)::int as secured, count(*)::int as objects from (
      select reference, case when state = 'active' then amount else 0 end as kept,
             (state in ('active', 'captured'))::int as secured from ledger.hold
      union all
      select reference, case when state in ('debited', 'settled') then amount - refunded else 0 end,
             (state in ('debited', 'settled') and hold is null)::int from ledger.payment) as object
     group by reference`);
  return new Map(rows.map((row) => [row.id, row]));
}

const dropKey = (machineId: string, orderSeq: bigint | number | null): string => `${machineId}/${orderSeq ?? '?'}`;

function countDrops(drops: readonly Drop[]): ReadonlyMap<string, number> {
  const counted = new Map<string, number>();
  for (const { machineId, orderSeq } of drops) {
    const key = dropKey(machineId, orderSeq);
    counted.set(key, (counted.get(key) ?? 0) + 1);
  }
  return counted;
}

/** What is wrong with a purchase that has ended. */
function judge(account: Account, kept: bigint, dropped: number): readonly string[] {
  const { state, priceMinor, facts } = account;
  const isPresumed = facts['presumed'] !== null;
  const rules: readonly (readonly [boolean, string])[] = [
    [kept === (state === 'completed' ? priceMinor : 0n), `${state}, and the ledger keeps ${kept} of ${priceMinor}`],
    [dropped <= 1, `${dropped} goods for one order`],
    [state !== 'completed' || dropped === 1 || isPresumed, 'paid, and no good dropped'],
    // An order that was declined may have been paid by another purchase: looked at by the order, below.
    [state !== 'reversed' || dropped === 0, 'a good dropped, and the payer has his money back'],
  ];
  return rules.filter(([holds]) => !holds).map(([, what]) => what);
}

/** Orders whose goods nobody paid, or that two paid. */
function judgeOrders(
  all: readonly Account[],
  goods: ReadonlyMap<string, number>,
  kept: (id: string) => bigint,
): readonly Disagreement[] {
  const payers = new Map<string, string[]>();
  for (const { id, machineId, orderSeq } of all) {
    if (kept(id) === 0n) continue;
    const key = dropKey(machineId, orderSeq);
    payers.set(key, [...(payers.get(key) ?? []), id]);
  }
  const unpaid = [...goods.keys()].filter((key) => !payers.has(key));
  const doubled = [...payers].filter(([, ids]) => ids.length > 1);
  return [
    ...unpaid.map((key) => ({ id: null, what: `a good dropped for order ${key}, and nobody paid it` })),
    ...doubled.map(([key, ids]) => ({ id: ids[0] ?? null, what: `order ${key} is paid ${ids.length} times` })),
  ];
}

/** The ended purchases not yet looked at, and the ledger's own check. @throws while a database is away */
export async function checkEnded(world: StormWorld, checked: Set<string>): Promise<readonly Disagreement[]> {
  const ended = (await accounts(world.journal)).filter(({ id, isEnded }) => isEnded && !checked.has(id));
  const ledger = await evidence(world);
  const goods = countDrops(world.halls.flatMap((hall) => hall.drops()));
  const wrong = ended.flatMap((account) => {
    const { id, machineId, orderSeq } = account;
    const dropped = goods.get(dropKey(machineId, orderSeq)) ?? 0;
    return judge(account, ledger.get(id)?.kept ?? 0n, dropped).map((what) => ({ id, what }));
  });
  const findings = await world.verify();
  for (const { id } of ended) checked.add(id);
  return [...wrong, ...findings.map((finding) => ({ id: null, what: `ledger: ${JSON.stringify(finding)}` }))];
}

/** True when it waits for a person or for time alone, since the machine itself cannot say what happened. */
export function isAtRest(account: Account, unclear: ReadonlySet<string>): boolean {
  return account.isEnded || (account.state === 'in_doubt' && account.hasDeadline && unclear.has(account.id));
}

/** Purchases whose machine said that it does not know. */
export async function unclearOnes(world: StormWorld): Promise<ReadonlySet<string>> {
  const rows = await world.journal.rows<{ id: string }>(`
    select distinct p.id from purchases p join machine_statements s
      on s.machine_id = p.machine_id and s.order_seq = p.order_seq
     where p.state = 'in_doubt' and s.kind = 'success' and s.content::text like '%no_result%'`);
  return new Set(rows.map(({ id }) => id));
}

/** Everything once more, over all purchases: each by itself, each order, each wallet, and the ledger. */
export async function checkAll(world: StormWorld): Promise<readonly Disagreement[]> {
  const all = await accounts(world.journal);
  const unclear = await unclearOnes(world);
  const ledger = await evidence(world);
  const kept = (id: string): bigint => ledger.get(id)?.kept ?? 0n;
  const goods = countDrops(world.halls.flatMap((hall) => hall.drops()));
  const known = new Set(all.map(({ id }) => id));
  const wrong: Disagreement[] = [...(await checkEnded(world, new Set()))];
  for (const account of all) {
    const { id, state, priceMinor } = account;
    if (!isAtRest(account, unclear)) wrong.push({ id, what: `still ${state}` });
    else if (!account.isEnded && kept(id) !== priceMinor) wrong.push({ id, what: `in doubt, and ${kept(id)} is kept` });
    if ((ledger.get(id)?.secured ?? 0) > 1) wrong.push({ id, what: 'secured more than once' });
  }
  for (const { id } of ledger.values()) {
    if (!known.has(id)) wrong.push({ id, what: 'in the ledger, and no purchase of the journal' });
  }
  wrong.push(...judgeOrders(all, goods, kept), ...(await judgeSums(world, all)));
  return wrong;
}

/** All wallets together have lost what the operator has. */
async function judgeSums(world: StormWorld, all: readonly Account[]): Promise<readonly Disagreement[]> {
  const opened = world.payers.reduce((sum, { openingMinor }) => sum + BigInt(openingMinor), 0n);
  const sold = all.reduce((sum, { state, priceMinor }) => (state === 'completed' ? sum + priceMinor : sum), 0n);
  const [wallets] = await world.ledger.rows<{ posted: bigint }>(`
    select sum(posted)::int8 as posted from ledger.account where kind = 'wallet'`);
  const [operator] = await world.ledger.rows<{ available: bigint }>(`
    select coalesce(sum(p.delta), 0)::int8 as available from ledger.posting p
      join ledger.account a on a.id = p.account where a.kind = 'operator_available'`);
  const spent = opened - (wallets?.posted ?? 0n);
  const inDoubt = await world.ledger.rows<{ pending: bigint }>(`
    select coalesce(sum(p.delta), 0)::int8 as pending from ledger.posting p
      join ledger.account a on a.id = p.account where a.kind = 'operator_pending'`);
  const pending = inDoubt[0]?.pending ?? 0n;
  const wrong: Disagreement[] = [];
  if (operator?.available !== sold)
    wrong.push({ id: null, what: `the operator has ${operator?.available}, sold for ${sold}` });
  if (spent !== sold + pending)
    wrong.push({ id: null, what: `payers spent ${spent}, sold for ${sold}, pending ${pending}` });
  return wrong;
}
