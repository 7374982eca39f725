/**
 * What may happen to a purchase, as past participles. Time appears only as durations: `leftMs` is what is left of the
 * purchase's deadline, negative when it has passed.
 */
import type { DurationMs } from '../time.ts';
import type {
  Channel,
  DeclineCode,
  FailureCode,
  Order,
  PayerId,
  Plan,
  PurchaseId,
  RejectionReason,
  ValidationBy,
  WalletTraits,
} from './purchase.ts';

/** The payer's confirmation, with which a purchase begins. */
export type Confirmed = {
  readonly type: 'confirmed';
  readonly id: PurchaseId;
  readonly reference: string;
  readonly order: Order;
  readonly payerId: PayerId;
  readonly channel: Channel;
  readonly plan: Plan;
  readonly wallet: WalletTraits;
  /** Least lifetime of a hold, or null with `debit_refund`. */
  readonly holdMs: DurationMs | null;
  readonly leftMs: DurationMs;
};

/** Every later event. Who feeds it: the worker (wallet, machine's answers), the machine link (statements), a person. */
export type PurchaseEvent =
  /** The wallet secured the price (held or debited). */
  | {
      readonly type: 'authorized';
      readonly ref: string;
      readonly holdExpiresInMs: DurationMs | null;
      readonly leftMs: DurationMs;
    }
  /** Definite: nothing moved, and under this key nothing ever will. */
  | { readonly type: 'authorize_declined'; readonly code: DeclineCode; readonly leftMs: DurationMs }
  /** The wallet wants the payer's own validation. `expiresInMs`: until it fails by itself. */
  | {
      readonly type: 'validation_required';
      readonly ref: string;
      readonly by: ValidationBy;
      readonly triesLeft: number | null;
      readonly expiresInMs: DurationMs;
    }
  /** The payer's answer is about to be passed on; committed before the wallet hears of it. */
  | { readonly type: 'validation_given'; readonly leftMs: DurationMs }
  /** The payer's answer was right and the price is secured. */
  | {
      readonly type: 'validated';
      readonly ref: string;
      readonly holdExpiresInMs: DurationMs | null;
      readonly leftMs: DurationMs;
    }
  /** No answer, a broken connection, a 5xx, or still open: silence is no decline. */
  | { readonly type: 'payment_unknown'; readonly ref: string | null }
  /** The wallet has provably never seen the key. `sinceConfirmedMs`: its age, as far as two clocks prove it. */
  | { readonly type: 'payment_not_found'; readonly leftMs: DurationMs; readonly sinceConfirmedMs: DurationMs }
  /** The machine journaled the approval and is delivering. */
  | { readonly type: 'approval_accepted' }
  /** `wasSentBefore`: an earlier transmission of this approval may have reached the machine. */
  | { readonly type: 'approval_rejected'; readonly reason: RejectionReason; readonly wasSentBefore: boolean }
  /** The deadline passed and provably nothing was ever sent. */
  | { readonly type: 'approval_unreachable' }
  /** The good came out. `basis` tells a presumed success; `no_result` is none: the controller never said. */
  | { readonly type: 'vend_succeeded'; readonly basis: null | 'reboot' | 'vmc_reset' | 'no_result' }
  | { readonly type: 'vend_failed'; readonly code: FailureCode }
  /** The machine closed the order: it did not deliver and never will. */
  | { readonly type: 'vend_closed'; readonly result: string }
  | { readonly type: 'settled' }
  /** The wallet refused to settle, confirmed by a query. */
  | { readonly type: 'settle_refused'; readonly code: DeclineCode }
  /** A person gave up a hold that is gone for good. */
  | { readonly type: 'loss_accepted'; readonly by: string; readonly reason: string }
  | { readonly type: 'reversed' }
  /** The wallet refused to reverse, confirmed by a query. */
  | { readonly type: 'reverse_refused'; readonly code: DeclineCode }
  /** A person decided for the payer. */
  | { readonly type: 'operator_refunded'; readonly by: string; readonly reason: string }
  /** A person saw that the good was delivered. */
  | { readonly type: 'operator_confirmed'; readonly by: string; readonly reason: string }
  | { readonly type: 'deadline_passed' };
