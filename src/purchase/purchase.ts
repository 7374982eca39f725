/**
 * What a purchase is: its order, its states, the facts learned on the way. See docs/purchase.md.
 */
import type { Money } from '../money.ts';
import type { DurationMs } from '../time.ts';

/** A purchase, named by a UUIDv7 that is fixed when the claim is granted and travels with the dialog. */
export type PurchaseId = string;
/** The payer's number in E.164 digits without `+`, 8 to 15 of them. Never in a log, metric, label or address of ours. */
export type Msisdn = string;
/** A machine's own name on the link, `[A-Za-z0-9][A-Za-z0-9._-]{2,47}`; the short number a payer keys is another one. */
export type MachineId = string;
/** The row of `subscribers` that stands for a payer, so that purchases never hold a phone number. */
export type PayerId = bigint;

/** How the payer reached us. */
export type Channel = 'ussd' | 'sms';
/** How the price is secured: held and captured later, or debited and given back if need be. Fixed at the confirmation. */
export type Plan = 'hold_capture' | 'debit_refund';
/** Name of the payer's own validation (ST12): a PIN or a yes passed on by us, or the wallet's own push. */
export type ValidationBy = 'pin' | 'confirm' | 'push';

/** The order as quoted to the payer; copied into the purchase, so that no later step asks the board. */
export type Order = {
  readonly machineId: MachineId;
  /** The short number printed on the machine. */
  readonly machineNumber: string;
  /** The vending operator, who is paid. */
  readonly operatorId: number;
  /** The operator's name at the payment centre. */
  readonly operatorAccount: string;
  /** The machine's own counter, uint32, never used twice by one machine. */
  readonly orderSeq: number;
  /** For display and logs. */
  readonly orderId: string;
  /** Selection on the machine, 0..65534, or null where it has none. */
  readonly item: number | null;
  readonly productName: string;
  readonly price: Money;
  /** How long the machine may take to deliver once it has accepted. */
  readonly deliveryMs: DurationMs;
};

/** What the core must know of the wallet that was chosen at the confirmation. */
export type WalletTraits = {
  /** Connector's stable label. */
  readonly provider: string;
  /** A second authorize under the same key is answered and never debits twice. */
  readonly resendsByKey: boolean;
  /** The wallet can undo by the authorize key alone, and refuses that key for ever after. */
  readonly reversesByKey: boolean;
  /** Longest time in which an open request may still move money. */
  readonly maxPendingMs: DurationMs;
};

/** The ten states. What is known of the money: see `moneyOf` in invariant.ts. */
export type LiveState = 'authorizing' | 'validating' | 'approving' | 'vending' | 'settling' | 'reversing' | 'in_doubt';
/** Nothing leaves these: completed (operator credited), declined (nothing moved, ever), reversed (payer has it back). */
export type EndedState = 'completed' | 'declined' | 'reversed';
/** Every state a purchase can be in. */
export type State = LiveState | EndedState;

/** Why a definite decline: total tables turn it into phone text, metric label and call-record cause. */
export type DeclineCode =
  | 'account_unknown'
  | 'account_blocked'
  | 'insufficient_funds'
  | 'limit_exceeded'
  | 'amount_not_allowed'
  | 'wrong_pin'
  | 'pin_locked'
  | 'payer_refused'
  | 'payer_silent'
  | 'payee_not_allowed'
  | 'same_party'
  | 'currency_not_supported'
  | 'hold_gone'
  | 'wallet_unavailable'
  | 'wallet_refused'
  | 'request_rejected';

/** Why a machine rejected an approval; each but `unknown_order` closes the order in its journal first. */
export type RejectionReason =
  | 'late'
  | 'canceled'
  | 'replaced'
  | 'already_closed'
  | 'unknown_order'
  | 'other_approval'
  | 'amount_mismatch'
  | 'vmc_not_ready'
  | 'out_of_order'
  | 'storage';

/** Why a delivery failed, in the machine's words. */
export type FailureCode =
  | 'vmc_failure'
  | 'jam'
  | 'sold_out'
  | 'motor'
  | 'door_open'
  | 'vmc_refused'
  | 'not_started'
  | 'other';

/** Why the payer gets the money back. */
export type ReversalReason =
  | 'never_seen'
  | 'secured_late'
  | 'order_gone'
  | 'hold_too_short'
  | 'machine_unreachable'
  | `rejected_${RejectionReason}`
  | `failed_${FailureCode}`
  | 'closed_by_machine'
  | 'doubt_expired'
  | 'refunded_by_operator';

/** Why a person should look. */
export type Attention =
  | 'in_doubt'
  | 'reversal_overdue'
  | 'settlement_overdue'
  | 'contradicting_result'
  | 'paid_after_close'
  | 'payment_overdue'
  | 'parked';

/** Learned on the way; never unlearned but where said. */
export type Facts = {
  /** The wallet's reference of the secured money, opaque; null while unknown. */
  readonly walletRef: string | null;
  /** Least lifetime of the hold that was asked for; null with `debit_refund`. */
  readonly holdMs: DurationMs | null;
  /** `query_payment` is planned. Cleared by its definite answer. */
  readonly isQuerying: boolean;
  /** The deadline passed while the wallet had not answered: an approval is never made any more. */
  readonly isLate: boolean;
  /** The machine closed the order before the money was secured: likewise. */
  readonly isOrderGone: boolean;
  /** What the payer must still do, while `validating`. */
  readonly validation: { readonly by: ValidationBy; readonly triesLeft: number | null } | null;
  /** Validation answers passed on so far. */
  readonly validateAttempts: number;
  /** Current attempt of settle and of reverse, from 1; advanced only by a refusal that a query confirmed. */
  readonly settleAttempt: number;
  readonly reverseAttempt: number;
  /** How long `in_doubt` may last, so that a hold outlives it; set when the money is secured. */
  readonly inDoubtMs: DurationMs | null;
  /** Success inferred from a reset between approval and result (MDB/ICP 4.2, 7.4.7). */
  readonly presumed: 'reboot' | 'vmc_reset' | null;
  readonly declineCode: DeclineCode | null;
  readonly reversalReason: ReversalReason | null;
  /** The hold is gone although the good was delivered; the operator's loss once a person accepts it. */
  readonly isHoldGone: boolean;
  readonly isUncollected: boolean;
  /** Kept for a person, in the order in which they came. */
  readonly attention: readonly Attention[];
};

type Common = {
  readonly id: PurchaseId;
  /** Six characters for people, without 0, O, 1 and I. */
  readonly reference: string;
  /** 1 after the confirmation, one more with each event. */
  readonly version: number;
  readonly order: Order;
  readonly payerId: PayerId;
  readonly channel: Channel;
  readonly plan: Plan;
  readonly wallet: WalletTraits;
  readonly facts: Facts;
};

/** A purchase that waits for somebody, always with a deadline in the journal. */
export type LivePurchase = Common & { readonly state: LiveState };
/** A purchase that is over: it has no deadline, and no edge leaves it. */
export type EndedPurchase = Common & { readonly state: EndedState };
/** A purchase. */
export type Purchase = LivePurchase | EndedPurchase;

/** What nothing is known of yet. */
export const noFacts: Facts = {
  walletRef: null,
  holdMs: null,
  isQuerying: false,
  isLate: false,
  isOrderGone: false,
  validation: null,
  validateAttempts: 0,
  settleAttempt: 1,
  reverseAttempt: 1,
  inDoubtMs: null,
  presumed: null,
  declineCode: null,
  reversalReason: null,
  isHoldGone: false,
  isUncollected: false,
  attention: [],
};

/** True when no edge leaves the purchase's state. */
export function isEnded(purchase: Purchase): purchase is EndedPurchase {
  return purchase.state === 'completed' || purchase.state === 'declined' || purchase.state === 'reversed';
}
