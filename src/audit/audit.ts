/**
 * The audit: day by day, the journal's purchases beside the wallet's movements, both in the order of ids, each day in
 * snapshots of its own. It writes nothing, locks nothing, and keeps no more than a chunk of each side.
 */
import { linesOf, type References, type StatementGroup, type StatementLine } from '../payment/centre/statement.ts';
import {
  idsOfDay,
  type JournalAudit,
  type PackedPurchase,
  type Purchases,
  providerOf,
  purchaseOf,
} from '../store/journal-audit.ts';
import { type Clock, type DurationMs, pause } from '../time.ts';
import { createFeed, type Feed } from './feed.ts';
import { advised, type Finding, type Found } from './finding.ts';
import { about, createHistoryJudge, judgeJournal } from './journal-judge.ts';
import { judgeMoney } from './money-judge.ts';

/** What a wallet says: the built-in centre's ledger, or a statement from a file. */
export type Wallet = {
  /** Whose purchases are compared: the connector's label. */
  readonly provider: string;
  read<Value>(
    of: References,
    use: (chunks: AsyncIterable<readonly StatementGroup[]>) => Promise<Value>,
  ): Promise<Value>;
  /** Movements of a purchase that bear a key of it, but not its id, packed; empty where there are none. */
  byKey(purchase: PackedPurchase): string;
  /** Those that no purchase has asked for: to be read when all have been. */
  unasked(): readonly StatementLine[];
  /** What does not add up in the ledger as a whole: its row, what was expected, what was found. */
  verify(): Promise<readonly { readonly id: string; readonly expected: string; readonly found: string }[]>;
};

/** What the audit reads. */
export type AuditDeps = {
  readonly journal: JournalAudit;
  /** Null: only the journal is checked. */
  readonly wallet: Wallet | null;
  /** Keyed hash of a number, hexadecimal. */
  readonly macOf: (msisdn: string) => string;
  readonly clock: Clock;
  /** Wait before what disagrees is read again: the two databases cannot be read at the same instant. */
  readonly againAfterMs: DurationMs;
};

/** What to audit: UTC days of the purchases' ids, `2026-11-25`, both included; null: from the first, to the last. */
export type AuditRange = { readonly from: string | null; readonly to: string | null };

/** Told on the way. */
export type AuditListener = {
  readonly onFinding: (finding: Finding) => void;
  readonly onDay: (day: string, soFar: AuditCounts) => void;
};

/** What was read. `notCompared`: purchases by another wallet than the one that is compared with. */
export type AuditCounts = {
  readonly days: number;
  readonly purchases: number;
  readonly notCompared: number;
  readonly movements: number;
  readonly findings: number;
};

/** Something that is looked at twice: a purchase, or money that no purchase knows. */
type Pair = { readonly purchase: PackedPurchase | null; readonly group: StatementGroup | null };

const AGAIN_AT_ONCE = 500;
const UUID7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Runs it. @throws what the databases throw. */
export async function audit(deps: AuditDeps, range: AuditRange, listener: AuditListener): Promise<AuditCounts> {
  const counts = { days: 0, purchases: 0, notCompared: 0, movements: 0, findings: 0 };
  const say = (finding: Finding): void => {
    counts.findings += 1;
    listener.onFinding(finding);
  };
  const days = (await deps.journal.days()).filter(
    (day) => (range.from === null || day >= range.from) && (range.to === null || day <= range.to),
  );
  const isWhole = range.from === null && range.to === null;
  const judge = createJudge(deps);
  const old = createOldMoney(range.from === null ? days[0] : '');
  for (const { day, ...within } of spansOf(days, range)) {
    const suspects = await readSpan(deps, within, { judge, counts, old });
    for (const finding of await lookAgain(deps, suspects, judge)) say(finding);
    if (day === null) continue;
    for (const oddity of await deps.journal.odditiesOf(day)) say(advised({ ...oddity, check: oddity.kind }));
    counts.days += 1;
    listener.onDay(day, counts);
  }
  for (const found of old.found()) say(advised(found));
  if (isWhole && days.length === 0 && deps.wallet !== null) say(advised(noDays));
  for (const finding of isWhole ? await readWhole(deps) : []) say(finding);
  return counts;
}

const noDays: Found = {
  ...about(null, null),
  check: 'history',
  subject: 'the journal',
  expected: 'a day at least, beside a wallet',
  found: 'none',
};

type Span = { readonly from: string; readonly to: string | null };

/**
 * Days and what lies between them, so that each name lies in one span: money of a day that the journal does not have, of
 * before the first and after the last, and under a name that is no id, has to be somewhere.
 */
function spansOf(days: readonly string[], range: AuditRange): readonly (Span & { readonly day: string | null })[] {
  const first = range.from === null ? '' : idsOfDay(range.from).from;
  const last = range.to === null ? null : idsOfDay(range.to).to;
  if (days.length === 0) return [{ day: null, from: first, to: last }];
  return days.map((day, at) => {
    const next = days[at + 1];
    return {
      day,
      from: at === 0 ? first : idsOfDay(day).from,
      to: next === undefined ? last : idsOfDay(next).from,
    };
  });
}

type OldMoney = { take(group: StatementGroup): boolean; found(): readonly Found[] };

/** Money older than the journal's first day, in one line: there may be years of it. `firstDay`: none when absent, every day when empty. */
function createOldMoney(firstDay: string | undefined): OldMoney {
  const before = firstDay === undefined ? null : firstDay === '' ? '' : idsOfDay(firstDay).from;
  const sums = new Map<string, { payments: number; minor: bigint }>();
  return {
    take: (group) => {
      if (!UUID7.test(group.reference) || (before !== null && group.reference >= before)) return false;
      for (const { amountMinor, currency } of securedOf(linesOf(group))) {
        const { payments, minor } = sums.get(currency) ?? { payments: 0, minor: 0n };
        sums.set(currency, { payments: payments + 1, minor: minor + amountMinor });
      }
      return true;
    },
    found: () =>
      [...sums].map(([currency, { payments, minor }]) => ({
        ...about(null, null),
        check: 'unknown_money',
        subject: firstDay === undefined ? 'of any day' : `older than ${firstDay}`,
        expected: 'purchases that asked for it',
        found: `${minor} ${currency} secured at the wallet in ${payments} payments, and no such purchases`,
      })),
  };
}

type Judge = (pair: Pair) => readonly Found[];

/** Pairs that were judged good are remembered by what they say: there are few different ones among millions. */
const MOST_REMEMBERED = 50_000;
const AGREED: readonly Found[] = [];

function createJudge({ wallet, macOf }: AuditDeps): Judge {
  const historyOf = createHistoryJudge();
  const isPayer = createPayerJudge(macOf);
  const agreed = new Set<string>();
  return ({ purchase, group }) => {
    if (purchase === null) return group === null ? AGREED : unknownMoney(linesOf(group));
    const key = group === null ? purchase.said : `${purchase.said}\n${group.said}`;
    const isSamePayer = isPayer(purchase, group);
    if (isSamePayer && agreed.has(key)) return AGREED;
    const read = purchaseOf(purchase);
    const isCompared = wallet !== null && read.row?.provider === wallet.provider;
    const money = isCompared ? judgeMoney(read, group === null ? [] : linesOf(group)) : AGREED;
    const foreign = isCompared || wallet === null || group === null ? AGREED : foreignMoney(purchase, wallet, group);
    const found = [...judgeJournal(read, historyOf), ...money, ...foreign];
    if (found.length === 0 && agreed.size < MOST_REMEMBERED) agreed.add(key);
    return isSamePayer || !isCompared ? found : [...found, otherPayer(purchase)];
  };
}

/** Numbers whose hashes are remembered. */
const MOST_PAYERS = 200_000;

/** False where another number paid than the purchase's; what either side does not tell is not judged. */
function createPayerJudge(
  macOf: AuditDeps['macOf'],
): (purchase: PackedPurchase, group: StatementGroup | null) => boolean {
  const macs = new Map<string, string>();
  return ({ payerMac }, group) => {
    if (payerMac === null || group === null || group.payers === null) return true;
    const mac = macs.get(group.payers) ?? macOf(group.payers);
    if (macs.size >= MOST_PAYERS) macs.clear();
    macs.set(group.payers, mac);
    return mac === payerMac;
  };
}

function otherPayer({ id, reference }: PackedPurchase): Found {
  const expected = 'paid by the payer of the purchase';
  return { ...about(id, reference), check: 'terms', expected, found: 'paid by another number at the wallet' };
}

/** Money at this wallet of a purchase that says that another one has it: which of them is right, nobody can compare. */
function foreignMoney(purchase: PackedPurchase, wallet: Wallet, group: StatementGroup): readonly Found[] {
  const provider = providerOf(purchase);
  const moved = linesOf(group).filter((line) => line.status !== 'failed').length;
  if (provider === '' || moved === 0) return [];
  const found = `${moved} movements at ${wallet.provider}`;
  return [{ ...about(purchase.id, purchase.reference), check: 'terms', expected: `paid by ${provider}`, found }];
}

function securedOf(lines: readonly StatementLine[]): readonly StatementLine[] {
  return lines.filter((line) => line.kind === 'authorize' && line.status === 'done');
}

/** Money under a name that no purchase has. */
function unknownMoney(lines: readonly StatementLine[]): readonly Found[] {
  const moved = securedOf(lines);
  const [first] = moved;
  if (first === undefined) return [];
  const sum = moved.reduce((total, line) => total + line.amountMinor, 0n);
  const name = first.reference === '' ? `key ${first.key ?? 'unknown'}` : `reference ${first.reference}`;
  const known = UUID7.test(first.reference) ? about(first.reference, null) : { ...about(null, null), subject: name };
  const expected = 'a purchase that asked for it';
  return [
    {
      ...known,
      check: 'unknown_money',
      expected,
      found: `${sum} ${first.currency} secured at the wallet, and no such purchase`,
    },
  ];
}

type Counting = {
  readonly judge: Judge;
  readonly counts: { purchases: number; notCompared: number; movements: number };
  readonly old: OldMoney;
};

/** Of every id there is. */
const ALL_IDS = { from: '00000000-0000-0000-0000-000000000000', to: 'ffffffff-ffff-ffff-ffff-ffffffffffff' };

/** Names of those that do not agree at the first look. */
async function readSpan(deps: AuditDeps, span: Span, { judge, counts, old }: Counting): Promise<readonly string[]> {
  const suspects: string[] = [];
  const see = (name: string, pair: Pair): void => {
    const { purchase, group } = pair;
    if (group !== null) counts.movements += countLines(group);
    if (purchase !== null) {
      counts.purchases += 1;
      if (deps.wallet !== null && providerOf(purchase) !== deps.wallet.provider) counts.notCompared += 1;
    } else if (group !== null && old.take(group)) return;
    if (judge(pair).length > 0) suspects.push(name);
  };
  const ids = { from: span.from === '' ? ALL_IDS.from : span.from, to: span.to ?? ALL_IDS.to };
  await both(deps, ids, span, see);
  return suspects;
}

function countLines({ said }: StatementGroup): number {
  let lines = said === '' ? 0 : 1;
  for (let at = said.indexOf('\n'); at >= 0; at = said.indexOf('\n', at + 1)) lines += 1;
  return lines;
}

/** Journal first, wallet after it: what begins meanwhile is money without a purchase until it is looked at again. */
async function both(
  { journal, wallet }: AuditDeps,
  purchases: Purchases,
  references: References,
  see: (name: string, pair: Pair) => void,
): Promise<void> {
  await journal.read(purchases, async (chunks) => {
    const rows = createFeed(chunks);
    if (wallet === null) return merge(rows, createFeed(nothing()), see);
    const keyed = (name: string, pair: Pair): void => see(name, withKeyed(pair, wallet));
    return wallet.read(references, (groups) => merge(rows, createFeed(groups), keyed));
  });
}

async function* nothing(): AsyncIterable<readonly StatementGroup[]> {}

function withKeyed(pair: Pair, wallet: Wallet): Pair {
  const said = pair.purchase === null ? '' : wallet.byKey(pair.purchase);
  if (said === '' || pair.purchase === null) return pair;
  const own = pair.group === null ? [] : [pair.group.said];
  const payers = pair.group?.payers ?? null;
  return { purchase: pair.purchase, group: { reference: pair.purchase.id, said: [...own, said].join('\n'), payers } };
}

/** Two sequences in the order of their names, walked through together. */
async function merge(
  rows: Feed<PackedPurchase>,
  groups: Feed<StatementGroup>,
  see: (name: string, pair: Pair) => void,
): Promise<void> {
  for (;;) {
    const purchase = rows.peek() ?? ((await rows.more()) ? rows.peek() : undefined);
    const group = groups.peek() ?? ((await groups.more()) ? groups.peek() : undefined);
    if (purchase === undefined && group === undefined) return;
    const isRowNext = purchase !== undefined && (group === undefined || purchase.id <= group.reference);
    const isGroupNext = group !== undefined && (purchase === undefined || group.reference <= purchase.id);
    if (isRowNext) rows.skip();
    if (isGroupNext) groups.skip();
    const name = isRowNext ? purchase.id : (group?.reference ?? '');
    see(name, { purchase: isRowNext ? purchase : null, group: isGroupNext ? group : null });
  }
}

/** What still disagrees a moment later. */
async function lookAgain(deps: AuditDeps, suspects: readonly string[], judge: Judge): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  if (suspects.length > 0) await pause(deps.clock, deps.againAfterMs);
  for (let at = 0; at < suspects.length; at += AGAIN_AT_ONCE) {
    const these = suspects.slice(at, at + AGAIN_AT_ONCE);
    const see = (_name: string, pair: Pair): void => {
      findings.push(...judge(pair).map(advised));
    };
    await both(deps, { these: these.filter((name) => UUID7.test(name)) }, { these }, see);
  }
  return findings;
}

/** What belongs to no day. */
async function readWhole({ journal, wallet }: AuditDeps): Promise<readonly Finding[]> {
  const found: Found[] = (await journal.odditiesOfAll()).map((oddity) => ({ ...oddity, check: oddity.kind }));
  if (wallet === null) return found.map(advised);
  for (const line of wallet.unasked()) found.push(...unknownMoney([line]));
  for (const each of await wallet.verify()) {
    found.push({
      ...about(null, null),
      check: 'ledger',
      subject: `row ${each.id}`,
      expected: each.expected,
      found: each.found,
    });
  }
  return found.map(advised);
}
