/**
 * A wallet's statement from a file: comma-separated, a header line, one movement a line.
 *
 *   purchase_id,key,kind,amount,currency,status,time
 *   019f…,,authorize,500,XOF,done,2026-11-25T10:00:00Z
 *
 * Columns in any order, others are passed over. `purchase_id` or `key` (the idempotency key of the call), one of them at
 * least; `kind`: authorize, settle, reverse, refund; `amount`: a decimal number as the currency has it; `status`: done,
 * open, failed; `time`: for people, and may be absent.
 */

import { isCurrency, parseDecimal } from '../money.ts';
import { packLines, type References, type StatementGroup, type StatementLine } from '../payment/centre/statement.ts';
import type { KeyMaker, Operation } from '../purchase/effect.ts';
import { ok, type Result, refuse } from '../result.ts';
import { type PackedPurchase, purchaseOf } from '../store/journal-audit.ts';
import type { Wallet } from './audit.ts';

/** More than that is asked for day by day: a statement is sorted in memory. */
const MOST_LINES = 2_000_000;
const COLUMNS = ['kind', 'amount', 'currency', 'status'] as const;
const KINDS: ReadonlySet<string> = new Set([
  'authorize',
  'settle',
  'reverse',
  'refund',
] satisfies StatementLine['kind'][]);
const STATUSES: ReadonlySet<string> = new Set(['done', 'open', 'failed'] satisfies StatementLine['status'][]);
/** Attempts of one operation that are looked for by key. */
const MOST_ATTEMPTS = 5;

/** Reads it. Refusal: every line that is wrong, as a sentence, the first hundred of them. */
export function readStatementFile(text: string): Result<readonly StatementLine[], readonly string[]> {
  const [header = '', ...rest] = text.split(/\r?\n/);
  const names = header.split(',').map((name) => name.trim());
  const missing = COLUMNS.filter((name) => !names.includes(name));
  if (missing.length > 0) return refuse([`line 1: no column ${missing.join(', ')}`]);
  if (!names.includes('purchase_id') && !names.includes('key')) return refuse(['line 1: no column purchase_id or key']);
  if (rest.length > MOST_LINES)
    return refuse([`more than ${MOST_LINES} lines: give the statement of one day with --from and --to`]);
  const problems: string[] = [];
  const lines: StatementLine[] = [];
  for (const [index, written] of rest.entries()) {
    if (written.trim() === '') continue;
    const read = readLine(names, written);
    if (typeof read !== 'string') lines.push(read);
    else if (problems.length < 100) problems.push(`line ${index + 2}: ${read}`);
  }
  return problems.length === 0 ? ok(lines) : refuse(problems);
}

function readLine(names: readonly string[], written: string): StatementLine | string {
  const cells = written.split(',').map((cell) => cell.trim().replace(/^"(.*)"$/, '$1'));
  const cell = (name: string): string => cells[names.indexOf(name)] ?? '';
  const [reference, key, kind, status, currency] = [
    cell('purchase_id').toLowerCase(),
    cell('key').toLowerCase(),
    cell('kind'),
    cell('status'),
    cell('currency'),
  ];
  if (reference === '' && key === '') return 'neither purchase_id nor key';
  if (!isKind(kind)) return 'kind is none of authorize, settle, reverse, refund';
  if (!isStatus(status)) return 'status is none of done, open, failed';
  if (!isCurrency(currency)) return 'an unknown currency';
  const amount = parseDecimal(cell('amount'), currency);
  if (!amount.ok) return 'no amount of its currency';
  const rest = { kind, status, currency, amountMinor: amount.value.minor, payee: null };
  return { reference, key: key === '' ? null : key, ...rest };
}

function isKind(text: string): text is StatementLine['kind'] {
  return KINDS.has(text);
}

function isStatus(text: string): text is StatementLine['status'] {
  return STATUSES.has(text);
}

/** The statement as the audit asks it. `keyOf`: makes the keys of a purchase's calls, for lines that bear no id. */
export function walletOfLines(provider: string, lines: readonly StatementLine[], keyOf: KeyMaker): Wallet {
  const named = lines.filter((line) => line.reference !== '').toSorted(byReference);
  const keyed = new Map<string, StatementLine[]>();
  for (const line of lines) {
    if (line.reference === '' && line.key !== null) keyed.set(line.key, [...(keyed.get(line.key) ?? []), line]);
  }
  const asked = new Set<string>();
  return {
    provider,
    read: (of, use) => use(chunksOf(chosen(named, of))),
    byKey: (purchase) => {
      if (keyed.size === 0) return '';
      const keys = keysOf(purchase, keyOf);
      for (const key of keys) asked.add(key);
      return packLines(keys.flatMap((key) => keyed.get(key) ?? []));
    },
    unasked: () => [...keyed].filter(([key]) => !asked.has(key)).flatMap(([, each]) => each),
    verify: async () => [],
  };
}

function byReference(one: StatementLine, other: StatementLine): number {
  return one.reference < other.reference ? -1 : one.reference > other.reference ? 1 : 0;
}

function chosen(sorted: readonly StatementLine[], of: References): readonly StatementLine[] {
  if ('these' in of) {
    const these = new Set(of.these);
    return sorted.filter((line) => these.has(line.reference));
  }
  return sorted.slice(firstFrom(sorted, of.from), of.to === null ? sorted.length : firstFrom(sorted, of.to));
}

/** Place of the first line whose reference is not before this one. */
function firstFrom(sorted: readonly StatementLine[], reference: string): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((sorted[middle]?.reference ?? '') < reference) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Lines of one reference together. */
async function* chunksOf(sorted: readonly StatementLine[]): AsyncIterable<readonly StatementGroup[]> {
  let from = 0;
  while (from < sorted.length) {
    const reference = sorted[from]?.reference ?? '';
    let to = from + 1;
    while (sorted[to]?.reference === reference) to += 1;
    yield [{ reference, said: packLines(sorted.slice(from, to)), payers: null }];
    from = to;
  }
}

function keysOf(purchase: PackedPurchase, keyOf: KeyMaker): readonly string[] {
  const { id, refunds } = purchaseOf(purchase);
  const attempts = (operation: Operation, count: number): readonly string[] =>
    Array.from({ length: count }, (_, index) => keyOf(id, operation, index + 1));
  const made = [
    ...attempts('authorize', 1),
    ...attempts('settle', MOST_ATTEMPTS),
    ...attempts('reverse', MOST_ATTEMPTS),
  ];
  return [...made, ...refunds.map((each) => each.key)];
}
