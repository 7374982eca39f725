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

/** What was read. */
export type AuditCounts = {
  readonly days: number;
  readonly purchases: number;
  readonly movements: number;
  readonly findings: number;
};

/** Something that is looked at twice: a purchase, or money that no purchase knows. */
type Pair = { readonly purchase: PackedPurchase | null; readonly group: StatementGroup | null };

const AGAIN_AT_ONCE = 500;
const UUID7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Runs it. @throws what the databases throw. */
export async function audit(deps: AuditDeps, range: AuditRange, listener: AuditListener): Promise<AuditCounts> {
  const counts = { days: 0, purchases: 0, movements: 0, findings: 0 };
  const say = (finding: Finding): void => {
    counts.findings += 1;
    listener.onFinding(finding);
  };
  const all = await deps.journal.days();
  const days = all.filter(
    (day) => (range.from === null || day >= range.from) && (range.to === null || day <= range.to),
  );
  const isWhole = range.from === null && range.to === null;
  const judge = createJudge(deps, all[0]);
  for (const day of days) {
    // Money that bears no id of these days has to be somewhere: before the first, or after the last.
    const ids = idsOfDay(day);
    const from = day === all[0] && range.from === null ? '' : ids.from;
    const to = day === all.at(-1) && range.to === null ? null : ids.to;
    const suspects = await readDay(deps, { ids, from, to }, { judge, counts });
    for (const finding of await lookAgain(deps, suspects, judge)) say(finding);
    for (const oddity of await deps.journal.odditiesOf(day)) say(advised({ ...oddity, check: oddity.kind }));
    counts.days += 1;
    listener.onDay(day, counts);
  }
  for (const finding of isWhole ? await readWhole(deps) : []) say(finding);
  return counts;
}

type Judge = (pair: Pair) => readonly Found[];

/** Pairs that were judged good are remembered by what they say: there are few different ones among millions. */
const MOST_REMEMBERED = 50_000;
const AGREED: readonly Found[] = [];

/** `firstDay`: of the journal; what is older is none of its business. */
function createJudge({ wallet, macOf }: AuditDeps, firstDay: string | undefined): Judge {
  const historyOf = createHistoryJudge();
  const isPayer = createPayerJudge(macOf);
  const oldest = firstDay === undefined ? '' : idsOfDay(firstDay).from;
  const agreed = new Set<string>();
  return ({ purchase, group }) => {
    if (purchase === null) return group === null ? AGREED : unknownMoney(linesOf(group), oldest);
    const key = group === null ? purchase.said : `${purchase.said}\n${group.said}`;
    const isSamePayer = isPayer(purchase, group);
    if (isSamePayer && agreed.has(key)) return AGREED;
    const read = purchaseOf(purchase);
    const isCompared = wallet !== null && read.row?.provider === wallet.provider;
    const money = isCompared ? judgeMoney(read, group === null ? [] : linesOf(group)) : AGREED;
    const found = [...judgeJournal(read, historyOf), ...money];
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

/** Money under a name that no purchase has; not what is older than the journal's memory. */
function unknownMoney(lines: readonly StatementLine[], oldest: string): readonly Found[] {
  const moved = lines.filter((line) => line.kind === 'authorize' && line.status === 'done');
  const [first] = moved;
  if (first === undefined || (UUID7.test(first.reference) && first.reference < oldest)) return [];
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

type DayRange = {
  readonly ids: { readonly from: string; readonly to: string };
  readonly from: string;
  readonly to: string | null;
};
type Counting = { readonly judge: Judge; readonly counts: { purchases: number; movements: number } };

/** Names of those that do not agree at the first look. */
async function readDay(deps: AuditDeps, { ids, from, to }: DayRange, counting: Counting): Promise<readonly string[]> {
  const suspects: string[] = [];
  const see = (name: string, pair: Pair): void => {
    if (pair.purchase !== null) counting.counts.purchases += 1;
    if (pair.group !== null) counting.counts.movements += countLines(pair.group);
    if (counting.judge(pair).length > 0) suspects.push(name);
  };
  await both(deps, ids, { from, to }, see);
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
  for (const line of wallet.unasked()) found.push(...unknownMoney([line], ''));
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
