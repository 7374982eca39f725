/**
 * What is still to be asked of the world for a purchase, as imperatives. Each is a row committed together with the
 * state that calls for it; each has one idempotency key, made from the purchase, an operation and a number.
 */
import type { DurationMs } from '../time.ts';
import type { PurchaseId, ReversalReason } from './purchase.ts';

/** Which text the payer gets by SMS. */
export type NoticeTemplate = 'receipt' | 'refunded' | 'declined' | 'in_doubt' | 'refund_pending' | 'sms_validate';

/** An intention. `n` counts attempts where there can be several. */
export type Effect =
  /** `isResend`: an earlier transmission got no answer; a refusal then counts only once a query confirms it. */
  | {
      readonly kind: 'authorize';
      readonly expiresInMs: DurationMs;
      readonly holdMs: DurationMs | null;
      readonly isResend: boolean;
    }
  | { readonly kind: 'query_payment' }
  | { readonly kind: 'approve' }
  | { readonly kind: 'query_order' }
  | { readonly kind: 'settle'; readonly n: number }
  | { readonly kind: 'reverse'; readonly n: number; readonly reason: ReversalReason }
  /** Gives back after the end: money found secured on a declined purchase, or a person's refund of a completed one. */
  | { readonly kind: 'refund'; readonly n: number; readonly amountMinor: bigint; readonly reason: string }
  | { readonly kind: 'notify'; readonly template: NoticeTemplate };

/** Kind of an effect, as the journal writes it. */
export type EffectKind = Effect['kind'];

/** An effect with its due time, counted from the commit. */
export type PlannedEffect = { readonly effect: Effect; readonly dueInMs: DurationMs };

/** An idempotency key: UUIDv5 over `<purchaseId>/<operation>/<n>`. */
export type EffectKey = string;

/** Operations that have keys: those of the effects, and `validate`, which is no effect since a PIN is never stored. */
export type Operation = EffectKind | 'validate';

/** Makes the key of an operation; deterministic. Handed to the coordinator, since the core has no hash. */
export type KeyMaker = (purchaseId: PurchaseId, operation: Operation, n: number | NoticeTemplate) => EffectKey;

/** Operation and number that name an effect within its purchase. */
export function keyPartsOf(effect: Effect): { operation: Operation; n: number | NoticeTemplate } {
  switch (effect.kind) {
    case 'authorize':
    case 'query_payment':
    case 'approve':
    case 'query_order':
      return { operation: effect.kind, n: 1 };
    case 'settle':
    case 'reverse':
    case 'refund':
      return { operation: effect.kind, n: effect.n };
    case 'notify':
      return { operation: 'notify', n: effect.template };
  }
}

/** True for what only the holder of the machine's socket can do. */
export function isMachineEffect(effect: Effect): boolean {
  return effect.kind === 'approve' || effect.kind === 'query_order';
}

/** An effect as read back: with its key, its lease and what is needed to carry it out. */
export type LeasedEffect = {
  readonly purchaseId: PurchaseId;
  readonly key: EffectKey;
  readonly effect: Effect;
  /** Times taken, this one included: the fencing token of rescheduling. */
  readonly tries: number;
  /** `approve`: the machine may have received the approval, or may by this take. */
  readonly maySent: boolean;
  /** Likewise before this take. False: nothing reached the machine but what this taker sends. */
  readonly maySentBefore: boolean;
  /** Until it is due, or its lease ends, as the journal saw it when it was read; it grows old. */
  readonly leaseLeftMs: DurationMs;
};

/**
 * An effect that this node may carry out. `leaseEndsAtMs`: until when, on the node's own monotonic clock, counted from
 * before the statement that took the lease was sent, so that it can only be too early. A node that stalled sees it.
 */
export type HeldEffect = LeasedEffect & { readonly leaseEndsAtMs: DurationMs };
