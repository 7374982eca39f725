/**
 * The second half of the machine: after the machine's word, or without it. Settling, giving back, doubt.
 */
import { assert } from '../result.ts';
import type { PurchaseEvent } from './event.ts';
import type { Facts, LivePurchase, ReversalReason } from './purchase.ts';
import { attemptDelayMs, type Rules } from './rules.ts';
import { already, type Change, type Decision, move, noSuchEdge, noted } from './step.ts';

/** The good came out: the price is captured or released, and the payer gets a receipt. */
export function toSettling(purchase: LivePurchase, presumed: Facts['presumed'], rules: Rules): Decision {
  return move(purchase, {
    to: 'settling',
    facts: { presumed },
    deadlineMs: rules.overdueMs,
    closed: ['in_doubt'],
    planned: [
      { effect: { kind: 'settle', n: purchase.facts.settleAttempt }, dueInMs: 0 },
      { effect: { kind: 'notify', template: 'receipt' }, dueInMs: 0 },
    ],
  });
}

/** No delivery, or owed back: the payer must get the money (ST71). */
export function toReversing(
  purchase: LivePurchase,
  reason: ReversalReason,
  rules: Rules,
  also: Pick<Change, 'facts' | 'onlyIfUnsent' | 'closed'> = {},
): Decision {
  return move(purchase, {
    to: 'reversing',
    facts: { ...also.facts, reversalReason: reason, validation: null },
    deadlineMs: rules.overdueMs,
    closed: also.closed ?? ['in_doubt'],
    onlyIfUnsent: also.onlyIfUnsent ?? false,
    planned: [{ effect: { kind: 'reverse', n: purchase.facts.reverseAttempt, reason }, dueInMs: 0 }],
  });
}

/** The approval may have reached the machine and nothing says what happened: no new approval, ever (edges 13, 14). */
export function toInDoubt(purchase: LivePurchase, rules: Rules): Decision {
  return move(purchase, {
    to: 'in_doubt',
    deadlineMs: purchase.facts.inDoubtMs ?? rules.inDoubtMs,
    opened: ['in_doubt'],
    planned: [
      { effect: { kind: 'query_order' }, dueInMs: 0 },
      { effect: { kind: 'notify', template: 'in_doubt' }, dueInMs: 0 },
    ],
  });
}

/** Waits for the machine's journal, a person, or time. */
export function decideInDoubt(purchase: LivePurchase, event: PurchaseEvent, rules: Rules): Decision {
  switch (event.type) {
    case 'vend_succeeded':
      return event.basis === 'no_result' ? already : toSettling(purchase, event.basis, rules);
    case 'vend_failed':
      return toReversing(purchase, `failed_${event.code}`, rules);
    case 'vend_closed':
      return toReversing(purchase, 'closed_by_machine', rules);
    case 'approval_rejected':
      // Its journal may have been replaced since the approval was sent: no evidence.
      if (event.reason === 'unknown_order' && event.wasSentBefore) return already;
      return toReversing(purchase, `rejected_${event.reason}`, rules);
    case 'operator_refunded':
      return toReversing(purchase, 'refunded_by_operator', rules);
    case 'operator_confirmed':
      return toSettling(purchase, null, rules);
    case 'deadline_passed':
      // In the payer's favor, and the case stays open for a person to see.
      return toReversing(purchase, 'doubt_expired', rules, { closed: [] });
    case 'approval_accepted':
    case 'authorized':
    case 'validated':
    case 'payment_unknown':
      return already;
    default:
      return noSuchEdge;
  }
}

/** Delivered; being captured, or released to the operator. */
export function decideSettling(purchase: LivePurchase, event: PurchaseEvent, rules: Rules): Decision {
  const attempt = purchase.facts.settleAttempt;
  switch (event.type) {
    case 'settled':
      return move(purchase, { to: 'completed', closed: ['settlement_overdue'], isLazy: true });
    case 'settle_refused':
      if (purchase.facts.isHoldGone) return already;
      if (event.code === 'hold_gone') {
        // Edge 20: nothing is left to capture. The operator's loss, once a person accepts it.
        return move(purchase, {
          facts: { isHoldGone: true },
          dropped: [{ kind: 'settle', n: attempt }],
          opened: ['settlement_overdue'],
        });
      }
      return move(purchase, {
        facts: { settleAttempt: attempt + 1 },
        dropped: [{ kind: 'settle', n: attempt }],
        planned: [{ effect: { kind: 'settle', n: attempt + 1 }, dueInMs: attemptDelayMs(attempt + 1) }],
      });
    case 'deadline_passed':
      return move(purchase, { deadlineMs: rules.overdueMs, opened: ['settlement_overdue'] });
    case 'loss_accepted':
      if (!purchase.facts.isHoldGone) return { kind: 'refused', refusal: 'hold_not_gone' };
      return move(purchase, { to: 'completed', facts: { isUncollected: true }, closed: ['settlement_overdue'] });
    case 'vend_failed':
    case 'vend_closed':
      return noted('contradicting_result');
    case 'vend_succeeded':
    case 'approval_accepted':
    case 'authorized':
    case 'validated':
    case 'payment_unknown':
      return already;
    default:
      return noSuchEdge;
  }
}

/** The payer gets it back; asked until the wallet answers, however long that takes (edge 19). */
export function decideReversing(purchase: LivePurchase, event: PurchaseEvent, rules: Rules): Decision {
  const attempt = purchase.facts.reverseAttempt;
  switch (event.type) {
    case 'reversed':
      return move(purchase, {
        to: 'reversed',
        closed: ['reversal_overdue', 'payment_overdue'],
        planned: [noticeOfReversal(purchase, rules)],
      });
    case 'reverse_refused':
      return move(purchase, {
        facts: { reverseAttempt: attempt + 1 },
        dropped: [{ kind: 'reverse', n: attempt }],
        planned: [
          {
            effect: { kind: 'reverse', n: attempt + 1, reason: reasonOf(purchase) },
            dueInMs: attemptDelayMs(attempt + 1),
          },
        ],
      });
    case 'deadline_passed':
      return move(purchase, {
        deadlineMs: rules.overdueMs,
        opened: ['reversal_overdue'],
        planned: purchase.facts.attention.includes('reversal_overdue')
          ? []
          : [{ effect: { kind: 'notify', template: 'refund_pending' }, dueInMs: 0 }],
      });
    case 'vend_succeeded':
      return noted('contradicting_result');
    case 'vend_failed':
    case 'vend_closed':
    case 'approval_accepted':
    case 'approval_rejected':
    case 'authorized':
    case 'validated':
    case 'authorize_declined':
    case 'payment_unknown':
    case 'payment_not_found':
      // A success still on its way is covered by this same reversal; a decline moved nothing to be covered.
      return already;
    default:
      return noSuchEdge;
  }
}

function reasonOf({ facts }: LivePurchase): ReversalReason {
  assert(facts.reversalReason !== null, 'a reversal has a reason');
  return facts.reversalReason;
}

/** While the dialog may still be open it can show this outcome itself; after the machine's word it is closed. */
function noticeOfReversal(
  purchase: LivePurchase,
  rules: Rules,
): {
  readonly effect: { readonly kind: 'notify'; readonly template: 'refunded' | 'declined' };
  readonly dueInMs: number;
} {
  const reason = reasonOf(purchase);
  const isFromDelivery = /^(failed|doubt|refunded)_/.test(reason);
  return {
    effect: { kind: 'notify', template: reason === 'never_seen' ? 'declined' : 'refunded' },
    dueInMs: purchase.channel === 'ussd' && !isFromDelivery ? rules.toldMs : 0,
  };
}
