/**
 * The whole machine: what each event means in each state. Pure: it knows no socket, clock, random number or database.
 * The table of edges in docs/purchase.md numbers the outcomes; the comments quote those numbers.
 */
import { ok, type Result, refuse } from '../result.ts';
import type { DurationMs } from '../time.ts';
import { decideInDoubt, decideReversing, decideSettling, toInDoubt, toReversing, toSettling } from './closing.ts';
import type { PlannedEffect } from './effect.ts';
import type { Confirmed, PurchaseEvent } from './event.ts';
import { type EndedPurchase, type Facts, isEnded, type LivePurchase, noFacts, type Purchase } from './purchase.ts';
import type { Refusal } from './refusal.ts';
import { arrivesWithinMs, LEAST_HOLD_SLACK_MS, PASS_ON_WITHIN_MS, type Rules } from './rules.ts';
import { already, type Change, type Decision, type EndedDecision, move, noSuchEdge, noted } from './step.ts';

/** What begins with the payer's confirmation. */
export type Beginning = {
  readonly purchase: LivePurchase;
  readonly effects: readonly PlannedEffect[];
  readonly deadlineMs: DurationMs;
};

/**
 * The purchase that a confirmation begins: `authorizing`, with the effect `authorize` and the order's deadline.
 * Refusal `too_late` with less than the cut-off left (edge 5): nothing is asked of the wallet.
 */
export function begin(event: Confirmed, rules: Rules): Result<Beginning, Extract<Refusal, 'too_late'>> {
  if (event.leftMs < rules.cutoffMs) return refuse('too_late');
  const { id, reference, order, payerId, channel, plan, wallet, holdMs, leftMs } = event;
  return ok({
    purchase: {
      id,
      reference,
      version: 1,
      state: 'authorizing',
      order,
      payerId,
      channel,
      plan,
      wallet,
      facts: { ...noFacts, holdMs },
    },
    effects: [
      { effect: { kind: 'authorize', expiresInMs: expiryOf(leftMs, rules), holdMs, isResend: false }, dueInMs: 0 },
    ],
    deadlineMs: leftMs,
  });
}

/** What an event means for a purchase. A terminal state never yields a step. */
export function transition(purchase: EndedPurchase, event: PurchaseEvent, rules: Rules): EndedDecision;
export function transition(purchase: LivePurchase, event: PurchaseEvent, rules: Rules): Decision;
export function transition(purchase: Purchase, event: PurchaseEvent, rules: Rules): Decision | EndedDecision;
export function transition(purchase: Purchase, event: PurchaseEvent, rules: Rules): Decision | EndedDecision {
  if (isEnded(purchase)) return decideEnded(purchase, event);
  switch (purchase.state) {
    case 'authorizing':
      return decideAuthorizing(purchase, event, rules);
    case 'validating':
      return decideValidating(purchase, event, rules);
    case 'approving':
      return decideApproving(purchase, event, rules);
    case 'vending':
      return decideVending(purchase, event, rules);
    case 'in_doubt':
      return decideInDoubt(purchase, event, rules);
    case 'settling':
      return decideSettling(purchase, event, rules);
    case 'reversing':
      return decideReversing(purchase, event, rules);
  }
}

/** Intent committed, wallet asked or about to be; whether money moved is unknown to us. */
function decideAuthorizing(purchase: LivePurchase, event: PurchaseEvent, rules: Rules): Decision {
  switch (event.type) {
    case 'authorized':
      return secured(purchase, event, rules);
    case 'authorize_declined':
      return declined(purchase, event.code, rules);
    case 'validation_required':
      return askValidation(purchase, event, rules);
    case 'payment_unknown':
      // Edge 8. Silence is no decline, and there is no second authorize: the wallet is asked what became of the first.
      if (purchase.facts.isQuerying) return already;
      return move(purchase, {
        facts: { isQuerying: true, walletRef: event.ref ?? purchase.facts.walletRef },
        dropped: [{ kind: 'authorize' }],
        planned: [{ effect: { kind: 'query_payment' }, dueInMs: FIRST_QUERY_MS }],
      });
    case 'payment_not_found':
      return neverSeen(purchase, event, rules);
    case 'vend_closed':
      return orderGone(purchase);
    case 'vend_succeeded':
    case 'vend_failed':
      return noted('contradicting_result');
    case 'deadline_passed':
      return overdue(purchase, rules);
    case 'operator_refunded':
      return refundedWhileUnknown(purchase, rules);
    default:
      return noSuchEdge;
  }
}

/** The payment centre wants the payer's own validation (ST12); nothing has moved. */
function decideValidating(purchase: LivePurchase, event: PurchaseEvent, rules: Rules): Decision {
  switch (event.type) {
    case 'validated':
    case 'authorized':
      return secured(purchase, event, rules);
    case 'authorize_declined':
      return declined(purchase, event.code, rules);
    case 'validation_required':
      return askValidation(purchase, event, rules);
    case 'validation_given':
      return passOn(purchase, event.leftMs, rules);
    case 'payment_unknown':
      return move(purchase, { rescheduled: [{ effect: { kind: 'query_payment' }, dueInMs: FIRST_QUERY_MS }] });
    case 'payment_not_found':
      return neverSeen(purchase, event, rules);
    case 'vend_closed':
      return orderGone(purchase);
    case 'vend_succeeded':
    case 'vend_failed':
      return noted('contradicting_result');
    case 'deadline_passed':
      return overdue(purchase, rules);
    case 'operator_refunded':
      return refundedWhileUnknown(purchase, rules);
    default:
      return noSuchEdge;
  }
}

/** Money secured; the approval is to be put to the machine, or has been and got no answer yet. */
function decideApproving(purchase: LivePurchase, event: PurchaseEvent, rules: Rules): Decision {
  switch (event.type) {
    case 'approval_accepted':
      return move(purchase, {
        to: 'vending',
        deadlineMs: purchase.order.deliveryMs + rules.resultMarginMs,
        isLazy: true,
      });
    case 'approval_rejected':
      // Edge 12. A rejection closes the order in the machine's journal first, so it is evidence; only an order that
      // the machine does not know, after an approval that may have been sent, may mean that its journal was replaced.
      if (event.reason === 'unknown_order' && event.wasSentBefore) return toInDoubt(purchase, rules);
      return toReversing(purchase, `rejected_${event.reason}`, rules);
    case 'approval_unreachable':
      return toReversing(purchase, 'machine_unreachable', rules, { onlyIfUnsent: true });
    case 'vend_succeeded':
      return event.basis === 'no_result' ? toInDoubt(purchase, rules) : toSettling(purchase, event.basis, rules);
    case 'vend_failed':
      return toReversing(purchase, `failed_${event.code}`, rules);
    case 'vend_closed':
      return toReversing(purchase, 'closed_by_machine', rules);
    case 'deadline_passed':
      return toInDoubt(purchase, rules);
    case 'authorized':
    case 'validated':
    case 'payment_unknown':
      return already;
    default:
      return noSuchEdge;
  }
}

/** The machine journaled the approval and is delivering. */
function decideVending(purchase: LivePurchase, event: PurchaseEvent, rules: Rules): Decision {
  switch (event.type) {
    case 'vend_succeeded':
      return event.basis === 'no_result' ? toInDoubt(purchase, rules) : toSettling(purchase, event.basis, rules);
    case 'vend_failed':
      return toReversing(purchase, `failed_${event.code}`, rules);
    case 'deadline_passed':
      return toInDoubt(purchase, rules);
    case 'vend_closed':
      return noted('contradicting_result');
    case 'approval_accepted':
    case 'authorized':
    case 'validated':
    case 'payment_unknown':
      return already;
    default:
      return noSuchEdge;
  }
}

/** Over: the same word again is a success without effect, another one is a person's affair. */
function decideEnded(purchase: EndedPurchase, event: PurchaseEvent): EndedDecision {
  switch (event.type) {
    case 'authorized':
    case 'validated':
      // Edge 26: the wallet secured the price after it had said, or we had concluded, that it never would.
      return purchase.state === 'declined' ? { kind: 'refund_due', reason: 'paid_after_close' } : already;
    case 'vend_succeeded':
      return purchase.state === 'completed' ? already : noted('contradicting_result');
    case 'vend_failed':
    case 'vend_closed':
      if (purchase.state === 'completed') return noted('contradicting_result');
      if (purchase.state === 'declined' && event.type === 'vend_failed') return noted('contradicting_result');
      return already;
    case 'settled':
      return purchase.state === 'completed' ? already : noSuchEdge;
    case 'reversed':
      return purchase.state === 'reversed' ? already : noSuchEdge;
    case 'authorize_declined':
    case 'payment_not_found':
      return purchase.state === 'declined' || purchase.facts.reversalReason === 'never_seen' ? already : noSuchEdge;
    case 'payment_unknown':
    case 'deadline_passed':
    case 'approval_accepted':
    case 'approval_rejected':
      return already;
    default:
      return noSuchEdge;
  }
}

/** Wait before the first question after silence. */
const FIRST_QUERY_MS: DurationMs = 1000;
/** A day later a purchase given up as never seen is looked at again (edge 10). */
const LAST_LOOK_MS: DurationMs = 24 * 3600 * 1000;

/** The wallet must fail the request by itself before the approval could no longer be dispatched. */
function expiryOf(leftMs: DurationMs, rules: Rules): DurationMs {
  return Math.max(1000, leftMs - rules.dispatchMarginMs);
}

/** Money is secured: on to the machine, or back at once when no approval may be made any more (edges 9, 28). */
function secured(
  purchase: LivePurchase,
  event: Extract<PurchaseEvent, { type: 'authorized' | 'validated' }>,
  rules: Rules,
): Decision {
  const { facts } = purchase;
  const known = { walletRef: event.ref };
  if (facts.isOrderGone) return toReversing(purchase, 'order_gone', rules, { facts: known });
  if (facts.isLate || event.leftMs < rules.dispatchMarginMs) {
    return toReversing(purchase, 'secured_late', rules, { facts: known });
  }
  const result = purchase.order.deliveryMs + rules.resultMarginMs;
  // A wallet that does not tell when its hold ends is held to what it was asked for.
  const hold = purchase.plan === 'hold_capture' ? (event.holdExpiresInMs ?? facts.holdMs) : null;
  if (hold !== null && hold < event.leftMs + result + LEAST_HOLD_SLACK_MS) {
    return toReversing(purchase, 'hold_too_short', rules, { facts: known });
  }
  // A hold must outlive the doubt: what the order and the result may still take is counted against it.
  const doubt = hold === null ? rules.inDoubtMs : hold - event.leftMs - result - rules.settleGraceMs;
  const inDoubtMs = Math.min(rules.inDoubtMs, Math.max(LEAST_HOLD_SLACK_MS / 2, doubt));
  return move(purchase, {
    to: 'approving',
    facts: { ...known, inDoubtMs, validation: null },
    planned: [{ effect: { kind: 'approve' }, dueInMs: 0 }],
  });
}

/** Definite: nothing moved. The SMS waits while the dialog may still show it (edge 6). */
function declined(
  purchase: LivePurchase,
  code: NonNullable<Facts['declineCode']>,
  rules: Rules,
  rescheduled: NonNullable<Change['rescheduled']> = [],
): Decision {
  return move(purchase, {
    to: 'declined',
    facts: { declineCode: code, validation: null },
    closed: ['payment_overdue'],
    rescheduled,
    planned: [
      {
        effect: { kind: 'notify', template: 'declined' },
        dueInMs: purchase.channel === 'ussd' ? rules.toldMs : 0,
      },
    ],
  });
}

/** Edge 7: the payer is asked; the wallet's own push, or the end of its patience, is seen by a query. */
function askValidation(
  purchase: LivePurchase,
  event: Extract<PurchaseEvent, { type: 'validation_required' }>,
  rules: Rules,
): Decision {
  const { by, triesLeft, ref } = event;
  const dueInMs = by === 'push' ? FIRST_QUERY_MS : event.expiresInMs;
  const query = { effect: { kind: 'query_payment' }, dueInMs } as const;
  // A dialog that is still open asks by itself, and then this word is not sent; the payer may have hung up.
  const wordInMs = purchase.channel === 'ussd' ? rules.toldMs : 0;
  const word: readonly PlannedEffect[] =
    purchase.state === 'authorizing' && by !== 'push'
      ? [{ effect: { kind: 'notify', template: 'sms_validate' }, dueInMs: wordInMs }]
      : [];
  return move(purchase, {
    to: 'validating',
    facts: { walletRef: ref, validation: { by, triesLeft }, isQuerying: true },
    planned: purchase.facts.isQuerying ? word : [query, ...word],
    rescheduled: purchase.facts.isQuerying ? [query] : [],
  });
}

/** The attempt is committed before the wallet hears the payer's answer. */
function passOn(purchase: LivePurchase, leftMs: DurationMs, rules: Rules): Decision {
  const { validation, isLate, isOrderGone, validateAttempts } = purchase.facts;
  if (validation === null || validation.by === 'push') return { kind: 'refused', refusal: 'no_answer_wanted' };
  // What it would secure could only be given back.
  if (isLate || isOrderGone || leftMs < rules.cutoffMs) return { kind: 'refused', refusal: 'too_late' };
  // A node that died with the answer in hand is found out by this question, asked once the wallet has had its time.
  const dueInMs = PASS_ON_WITHIN_MS + rules.validateMs;
  return move(purchase, {
    facts: { validateAttempts: validateAttempts + 1 },
    rescheduled: [{ effect: { kind: 'query_payment' }, dueInMs }],
  });
}

/** Edge 10: the wallet has never seen the key. */
function neverSeen(
  purchase: LivePurchase,
  event: Extract<PurchaseEvent, { type: 'payment_not_found' }>,
  rules: Rules,
): Decision {
  const { wallet, facts, state } = purchase;
  // The word of a question that is over: the call that is on its way now answers for itself.
  if (!facts.isQuerying) return already;
  const isInTime = !facts.isLate && !facts.isOrderGone && event.leftMs > rules.cutoffMs;
  if (state === 'authorizing' && isInTime && wallet.resendsByKey) {
    const expiresInMs = expiryOf(event.leftMs, rules);
    return move(purchase, {
      facts: { isQuerying: false },
      dropped: [{ kind: 'query_payment' }],
      planned: [{ effect: { kind: 'authorize', expiresInMs, holdMs: facts.holdMs, isResend: true }, dueInMs: 0 }],
    });
  }
  // Reversed by key, a success still on its way can never lead to `approving`: the wallet stores that it cannot succeed.
  if (wallet.reversesByKey) return toReversing(purchase, 'never_seen', rules);
  if (event.sinceConfirmedMs < arrivesWithinMs(wallet)) return already;
  return declined(purchase, 'wallet_unavailable', rules, [
    { effect: { kind: 'query_payment' }, dueInMs: LAST_LOOK_MS },
  ]);
}

/** The machine closed the order before the money was secured (edge 28): no approval will be made. */
function orderGone(purchase: LivePurchase): Decision {
  return purchase.facts.isOrderGone ? already : move(purchase, { facts: { isOrderGone: true } });
}

/** The deadline passed while the wallet was silent: late for ever, asked on, and after an hour a person's affair. */
function overdue(purchase: LivePurchase, rules: Rules): Decision {
  if (purchase.facts.isLate) {
    return move(purchase, { deadlineMs: rules.overdueMs, opened: ['payment_overdue'] });
  }
  const query = { effect: { kind: 'query_payment' }, dueInMs: 0 } as const;
  const isQuerying = purchase.facts.isQuerying;
  return move(purchase, {
    facts: { isLate: true, isQuerying: true },
    deadlineMs: rules.lateMs,
    dropped: isQuerying ? [] : [{ kind: 'authorize' }],
    planned: isQuerying ? [] : [query],
    rescheduled: isQuerying ? [query] : [],
  });
}

/** A person ends a silence that lasted too long: only where the wallet can undo by the key alone. */
function refundedWhileUnknown(purchase: LivePurchase, rules: Rules): Decision {
  if (!purchase.facts.attention.includes('payment_overdue')) return { kind: 'refused', refusal: 'not_overdue' };
  if (!purchase.wallet.reversesByKey) return { kind: 'refused', refusal: 'not_reversible' };
  return toReversing(purchase, 'refunded_by_operator', rules);
}
