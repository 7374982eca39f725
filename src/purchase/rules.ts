/**
 * The numbers of the purchase's rules, and the choice of plan that follows from them.
 */
import type { DurationMs } from '../time.ts';
import type { Capabilities } from './payment-port.ts';
import type { Plan } from './purchase.ts';

/** Durations that the rules use; from configuration, the same on every node. */
export type Rules = {
  /** A confirmation or a validation answer is refused with less left of the order. */
  readonly cutoffMs: DurationMs;
  /** An approval is not begun with less left. */
  readonly dispatchMarginMs: DurationMs;
  /** Added to the machine's delivery time before its silence is doubt. */
  readonly resultMarginMs: DurationMs;
  /** How long `in_doubt` waits for the machine's journal before the payer gets the money. */
  readonly inDoubtMs: DurationMs;
  /** A hold outlives the longest wait by this much. */
  readonly settleGraceMs: DurationMs;
  /** A late authorization becomes a person's affair after this. */
  readonly lateMs: DurationMs;
  /** An unanswered settle or reverse becomes a person's affair after this, and again each time. */
  readonly overdueMs: DurationMs;
  /** How long the SMS of an outcome waits while an open dialog may still show it. */
  readonly toldMs: DurationMs;
  /** Longest time that the wallet may take to hear the payer's answer. */
  readonly validateMs: DurationMs;
  readonly plan: 'auto' | Plan;
};

const SECOND = 1000;
const HOUR = 3600 * SECOND;

/** The defaults of the design: cut-off 20 s, doubt 24 h. */
export const defaultRules: Rules = {
  cutoffMs: 20 * SECOND,
  dispatchMarginMs: 3 * SECOND,
  resultMarginMs: 30 * SECOND,
  inDoubtMs: 24 * HOUR,
  settleGraceMs: HOUR,
  lateMs: HOUR,
  overdueMs: 24 * HOUR,
  toldMs: 10 * SECOND,
  validateMs: 12 * SECOND,
  plan: 'auto',
};

/** So long after its commit an answer may still set out to the wallet; the wallet is asked only when it has had its time. */
export const PASS_ON_WITHIN_MS: DurationMs = 3 * SECOND;

/** Least time that a hold must outlive order and result, so that a delivery can still be captured. */
export const LEAST_HOLD_SLACK_MS: DurationMs = 60 * SECOND;
/** No order waits longer than this (one byte of seconds in MDB/ICP 4.2, 7.4.2). */
const LONGEST_ORDER_MS: DurationMs = 255 * SECOND;

/** So long after the confirmation a call to pay may still reach the wallet: then "never seen" is true for good. */
export function arrivesWithinMs(wallet: { readonly maxPendingMs: DurationMs }): DurationMs {
  return wallet.maxPendingMs + LONGEST_ORDER_MS;
}

/**
 * The plan of a purchase and the least lifetime of its hold (null with `debit_refund`). A wallet whose longest hold
 * does not cover order, result and a minute debits at once; one that covers these but not the whole of `in_doubt`
 * holds as long as it can, and the doubt ends earlier.
 */
export function choosePlan(question: {
  readonly rules: Rules;
  readonly capabilities: Capabilities;
  readonly leftMs: DurationMs;
  readonly deliveryMs: DurationMs;
}): { readonly plan: Plan; readonly holdMs: DurationMs | null } {
  const { rules, capabilities } = question;
  const wait = question.leftMs + question.deliveryMs + rules.resultMarginMs;
  if (rules.plan === 'debit_refund' || capabilities.holds === null) return { plan: 'debit_refund', holdMs: null };
  if (capabilities.holds.maxMs < wait + LEAST_HOLD_SLACK_MS) return { plan: 'debit_refund', holdMs: null };
  const wanted = wait + rules.inDoubtMs + rules.settleGraceMs;
  return { plan: 'hold_capture', holdMs: Math.min(wanted, capabilities.holds.maxMs) };
}

/** True for a wallet that gives back parts; one where a repeated call gives back again must not be asked for any. */
export function givesBackParts({ partialReverse, replay }: Pick<Capabilities, 'partialReverse' | 'replay'>): boolean {
  return partialReverse && replay !== 'none';
}

/** Wait before a next attempt that follows a confirmed refusal: 1 s doubling to 15 min. */
export function attemptDelayMs(attempt: number): DurationMs {
  return Math.min(15 * 60 * SECOND, SECOND * 2 ** Math.min(attempt - 1, 10));
}
