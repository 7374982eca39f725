/**
 * What the wallet says of one purchase, held against its state: the rules of `src/purchase/invariant.ts` over the
 * wallet's own movements, and what they add for the way there.
 */
import type { StatementLine } from '../payment/centre/statement.ts';
import { brokenInvariants, type Evidence } from '../purchase/invariant.ts';
import type { State } from '../purchase/purchase.ts';
import type { AuditedPurchase, AuditedRow } from '../store/journal-audit.ts';
import type { CheckName, Found } from './finding.ts';
import { about } from './journal-judge.ts';

/** Where the payer's money is, by the wallet's movements. */
type Position = Evidence & { readonly settledMinor: bigint };

/** All in which wallet and purchase differ. `lines`: every movement that bears the purchase's id or one of its keys. */
export function judgeMoney(purchase: AuditedPurchase, lines: readonly StatementLine[]): readonly Found[] {
  const { row, id } = purchase;
  if (row === null) return [];
  const found: Found[] = [];
  const say = (check: CheckName, expected: string, what: string): void => {
    found.push({ ...about(id, row.reference), check, expected, found: what });
  };
  judgeTerms(row, lines, say);
  const position = positionOf(purchase, lines);
  const amounts = textOf(position, row.currency);
  const facts = { isUncollected: row.facts.isUncollected };
  const judged = { state: row.state, order: { price: { minor: row.amountMinor } }, facts };
  const isRefundOwed = purchase.refunds.some((each) => !each.isSettled);
  // What is found paid after a decline is on its way back as a refund.
  const reckoned =
    row.state === 'declined' && isRefundOwed ? { ...position, refundedMinor: position.securedMinor } : position;
  const broken = [...brokenInvariants(judged, reckoned), ...brokenOnTheWay(row, reckoned)];
  const [first] = broken;
  // Where the amount itself differs, what follows from it says nothing more.
  if (first !== undefined && found.length === 0)
    say('money', `${first} (${row.state}, price ${row.amountMinor})`, amounts);
  judgeRefunds(purchase, position, say);
  return found;
}

type Say = (check: CheckName, expected: string, found: string) => void;

function judgeTerms(row: AuditedRow, lines: readonly StatementLine[], say: Say): void {
  for (const line of lines) {
    if (line.kind !== 'authorize' || line.status === 'failed') continue;
    if (line.amountMinor !== row.amountMinor || line.currency !== row.currency) {
      say('terms', `${row.amountMinor} ${row.currency}`, `${line.amountMinor} ${line.currency} at the wallet`);
    }
    if (line.payee !== null && line.payee !== row.operatorAccount) {
      say('terms', `paid to ${row.operatorAccount}`, `paid to ${line.payee} at the wallet`);
    }
  }
}

function positionOf({ refunds, statements, cases, row }: AuditedPurchase, lines: readonly StatementLine[]): Position {
  // A whole refund is a reversal at many wallets: the key tells whose word it was. Where there is none, as where a hold is
  // freed, only what has ended without going back can have been refunded.
  const isRefundable = refunds.length > 0 && (row?.state === 'declined' || row?.state === 'completed');
  const isRefundOf = (key: string | null): boolean =>
    key === null ? isRefundable : refunds.some((each) => each.key === key);
  let [securedMinor, returnedMinor, refundedMinor, settledMinor] = [0n, 0n, 0n, 0n];
  let [authorizes, reversals] = [0, 0];
  for (const line of lines) {
    if (line.status !== 'done') continue;
    if (line.kind === 'authorize') {
      authorizes += 1;
      securedMinor += line.amountMinor;
    } else if (line.kind === 'settle') settledMinor += line.amountMinor;
    else if (line.kind === 'refund' || isRefundOf(line.key)) refundedMinor += line.amountMinor;
    else {
      reversals += 1;
      returnedMinor += line.amountMinor;
    }
  }
  // A contradiction that has a case is before a person already.
  const delivered = statements.includes('success') && !cases.includes('contradicting_result') ? 1 : 0;
  return { securedMinor, returnedMinor, refundedMinor, settledMinor, authorizes, reversals, delivered };
}

function textOf(position: Position, currency: string): string {
  const { securedMinor, authorizes, settledMinor, returnedMinor, refundedMinor } = position;
  const payments = authorizes === 1 ? '1 payment' : `${authorizes} payments`;
  return `${securedMinor} ${currency} secured in ${payments}, ${settledMinor} to the operator, ${returnedMinor} given back, ${refundedMinor} refunded`;
}

/** Of these states the money is known, and the wallet must say the same; of the others it may be either way. */
const SECURED: ReadonlySet<State> = new Set<State>(['approving', 'vending', 'in_doubt']);

function brokenOnTheWay({ state, amountMinor, facts }: AuditedRow, position: Position): readonly string[] {
  const { securedMinor, returnedMinor, refundedMinor, settledMinor } = position;
  const leftMinor = securedMinor - returnedMinor;
  const rules: readonly (readonly [boolean, string])[] = [
    [!SECURED.has(state) || leftMinor === amountMinor, 'the price is secured'],
    [
      state !== 'settling' || facts.isHoldGone || leftMinor === amountMinor,
      'the price is secured until it is collected',
    ],
    [state !== 'completed' || facts.isUncollected || settledMinor === amountMinor, 'the operator has the price'],
    [settledMinor === 0n || state === 'settling' || state === 'completed', 'the operator has nothing'],
    [state !== 'declined' || leftMinor === refundedMinor, 'the payer has all his money'],
  ];
  return rules.filter(([holds]) => !holds).map(([, rule]) => rule);
}

function judgeRefunds({ refunds }: AuditedPurchase, { refundedMinor }: Position, say: Say): void {
  const sum = (of: typeof refunds): bigint => of.reduce((total, each) => total + each.amountMinor, 0n);
  const promised = sum(refunds);
  const settled = sum(refunds.filter((each) => each.isSettled));
  if (refundedMinor < settled || refundedMinor > promised) {
    say('refund', `refunds of ${settled} to ${promised}`, `${refundedMinor} refunded at the wallet`);
  }
}
