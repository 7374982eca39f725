/**
 * What the tests of the state machine are made of: a purchase in each state, and each event in its usual form.
 */
import type { Confirmed, PurchaseEvent } from '../../src/purchase/event.ts';
import {
  type EndedPurchase,
  type EndedState,
  type Facts,
  type LivePurchase,
  type LiveState,
  noFacts,
  type Order,
  type PurchaseId,
  type State,
  type WalletTraits,
} from '../../src/purchase/purchase.ts';
import { defaultRules, type Rules } from '../../src/purchase/rules.ts';

/** The rules that these tests reckon with: those of the design. */
export const rules: Rules = defaultRules;

/** The id that built purchases bear. */
export const purchaseId: PurchaseId = '00000000-0000-7000-8000-000000000001';

/** A drink for 500 F CFA on machine 4567; the machine delivers within 30 s. */
export const order: Order = {
  machineId: 'M-4567',
  machineNumber: '4567',
  operatorId: 1,
  operatorAccount: 'teranga',
  orderSeq: 17,
  orderId: 'o-17',
  item: 3,
  productName: 'Coca 33 cl',
  price: { minor: 500n, currency: 'XOF' },
  deliveryMs: 30_000,
};

/** A wallet like the built-in payment centre: it replays by key and reverses by key. */
const wallet: WalletTraits = {
  provider: 'centre',
  resendsByKey: true,
  reversesByKey: true,
  maxPendingMs: 120_000,
};

/** What may differ from the usual purchase. */
export type Differences = {
  readonly facts?: Partial<Facts>;
  readonly wallet?: Partial<WalletTraits>;
  readonly channel?: 'ussd' | 'sms';
  readonly plan?: 'hold_capture' | 'debit_refund';
  readonly deliveryMs?: number;
  readonly version?: number;
};

function common(differences: Differences): Omit<LivePurchase, 'state'> {
  const { channel = 'ussd', plan = 'hold_capture', version = 4, deliveryMs = order.deliveryMs } = differences;
  return {
    id: purchaseId,
    reference: 'K7M2QX',
    version,
    order: { ...order, deliveryMs },
    payerId: 7n,
    channel,
    plan,
    wallet: { ...wallet, ...differences.wallet },
    facts: { ...noFacts, holdMs: 90_000_000, ...differences.facts },
  };
}

/** Facts that a purchase cannot be without in a state. */
const factsOf: Readonly<Record<State, Partial<Facts>>> = {
  authorizing: {},
  validating: { isQuerying: true, walletRef: 'W-1', validation: { by: 'pin', triesLeft: 3 } },
  approving: { walletRef: 'W-1', inDoubtMs: 80_000_000 },
  vending: { walletRef: 'W-1', inDoubtMs: 80_000_000 },
  settling: { walletRef: 'W-1', inDoubtMs: 80_000_000 },
  reversing: { walletRef: 'W-1', reversalReason: 'failed_jam' },
  in_doubt: { walletRef: 'W-1', inDoubtMs: 80_000_000, attention: ['in_doubt'] },
  completed: { walletRef: 'W-1' },
  declined: { declineCode: 'insufficient_funds' },
  reversed: { walletRef: 'W-1', reversalReason: 'failed_jam' },
};

/** A live purchase in a state, with the facts that go with it. */
export function aLive(state: LiveState, differences: Differences = {}): LivePurchase {
  return { ...common({ ...differences, facts: { ...factsOf[state], ...differences.facts } }), state };
}

/** A purchase that is over. */
export function anEnded(state: EndedState, differences: Differences = {}): EndedPurchase {
  return { ...common({ ...differences, facts: { ...factsOf[state], ...differences.facts } }), state };
}

/** A confirmation with 60 s left of the order. */
export function aConfirmation(changes: Partial<Confirmed> = {}): Confirmed {
  return {
    type: 'confirmed',
    id: purchaseId,
    reference: 'K7M2QX',
    order,
    payerId: 7n,
    channel: 'ussd',
    plan: 'hold_capture',
    wallet,
    holdMs: 90_000_000,
    leftMs: 60_000,
    ...changes,
  };
}

/** Each event in its usual form: 50 s are left, a hold lives 25 h. */
export const eventOf: { readonly [Type in PurchaseEvent['type']]: Extract<PurchaseEvent, { type: Type }> } = {
  authorized: { type: 'authorized', ref: 'W-2', holdExpiresInMs: 90_000_000, leftMs: 50_000 },
  authorize_declined: { type: 'authorize_declined', code: 'insufficient_funds', leftMs: 50_000 },
  validation_required: { type: 'validation_required', ref: 'W-2', by: 'pin', triesLeft: 3, expiresInMs: 45_000 },
  validation_given: { type: 'validation_given', leftMs: 50_000 },
  validated: { type: 'validated', ref: 'W-2', holdExpiresInMs: 90_000_000, leftMs: 50_000 },
  payment_unknown: { type: 'payment_unknown', ref: null },
  payment_not_found: { type: 'payment_not_found', leftMs: 50_000, sinceConfirmedMs: 10_000 },
  approval_accepted: { type: 'approval_accepted' },
  approval_rejected: { type: 'approval_rejected', reason: 'late', wasSentBefore: false },
  approval_unreachable: { type: 'approval_unreachable' },
  vend_succeeded: { type: 'vend_succeeded', basis: null },
  vend_failed: { type: 'vend_failed', code: 'jam' },
  vend_closed: { type: 'vend_closed', result: 'expired' },
  settled: { type: 'settled' },
  settle_refused: { type: 'settle_refused', code: 'wallet_refused' },
  loss_accepted: { type: 'loss_accepted', by: 'awa', reason: 'hold expired' },
  reversed: { type: 'reversed' },
  reverse_refused: { type: 'reverse_refused', code: 'wallet_refused' },
  operator_refunded: { type: 'operator_refunded', by: 'awa', reason: 'payer called' },
  operator_confirmed: { type: 'operator_confirmed', by: 'awa', reason: 'seen on camera' },
  deadline_passed: { type: 'deadline_passed' },
};
