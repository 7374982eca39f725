/**
 * The wallet as the purchase sees it. Implemented by one connector a wallet in `src/payment/`. A verb rejects its
 * promise only for a bug of ours; whatever the outside world does is an outcome.
 */
import type { Money } from '../money.ts';
import { Bug } from '../result.ts';
import type { DurationMs } from '../time.ts';
import type { EffectKey } from './effect.ts';
import type { Channel, DeclineCode, Msisdn, Plan, PurchaseId, ValidationBy } from './purchase.ts';

/** The wallet's reference: opaque, at most 1024 characters, made and read by one connector, kept with the purchase. */
export type WalletRef = string;

/** The same in every call of a purchase. */
export type Terms = {
  readonly purchaseId: PurchaseId;
  readonly payer: Msisdn;
  /** The operator's account at the wallet. */
  readonly operator: string;
  readonly machineNumber: string;
  readonly price: Money;
  readonly plan: Plan;
};

/** What a wallet can do; constant while the process lives. */
export type Capabilities = {
  readonly holds: { readonly maxMs: DurationMs } | null;
  /** Settling releases the operator's pending credit; false: the provider pays the operator itself. */
  readonly release: boolean;
  readonly partialReverse: boolean;
  readonly affordability: boolean;
  readonly reverseByKey: boolean;
  /** What a second POST with the same key does; `none`: authorize is never sent twice. */
  readonly replay: 'first_answer' | 'rejects_duplicate' | 'none';
  readonly validation: readonly ValidationBy[];
  /** Longest time in which an open request may still move money. */
  readonly maxPendingMs: DurationMs;
  readonly currencies: readonly string[];
};

/** Advice before the confirmation (ST10); `unknown` lets the purchase go on. */
export type Check = {
  readonly account: 'available' | 'unavailable' | 'unregistered' | 'unknown';
  readonly affordable: 'yes' | 'no' | 'unknown';
  readonly validation: 'none' | ValidationBy | 'unknown';
};

/** What became of a call. Nothing but `declined` means that no money moved. */
export type Outcome =
  | { readonly kind: 'done'; readonly ref: WalletRef; readonly holdExpiresInMs: DurationMs | null }
  | { readonly kind: 'declined'; readonly code: DeclineCode }
  | {
      readonly kind: 'needs_validation';
      readonly ref: WalletRef;
      readonly by: ValidationBy;
      readonly triesLeft: number | null;
      readonly expiresInMs: DurationMs;
    }
  | {
      readonly kind: 'pending';
      readonly ref: WalletRef | null;
      readonly pollAfterMs: DurationMs;
      readonly expiresInMs: DurationMs | null;
    }
  | { readonly kind: 'unknown'; readonly cause: 'timeout' | 'connection' | 'status' | 'shape' | 'mismatch' }
  /** Of a query: the wallet has provably never seen the key. Of a call: no byte was sent. */
  | { readonly kind: 'not_found' };

/** The payer's PIN or yes: prints as `[secret]`, can be read once, exists in no row, log, trace or effect. */
export class Secret {
  #value: string | null;
  constructor(value: string) {
    this.#value = value;
  }
  /** Hands the value out and forgets it. @throws Bug on a second reading. */
  read(): string {
    const value = this.#value;
    if (value === null) throw new Bug('a secret is read once');
    this.#value = null;
    return value;
  }
  toString(): string {
    return '[secret]';
  }
  toJSON(): string {
    return '[secret]';
  }
}

/** The verbs (payment page, section 1). `key`: idempotency key, committed before the call. */
export interface PaymentPort {
  /** Stable label for journal and metrics: `centre`, `gsma:<id>`, `mtn:<market>`. */
  readonly name: string;
  readonly capabilities: Capabilities;
  /** ST10: is there an account, is it usable, would the price be covered? Moves nothing, may be stale; at most 2 s. */
  check(question: { readonly payer: Msisdn; readonly price: Money }): Promise<Check>;
  /** ST11: hold the price, or debit it into the operator's pending credit, once for this key; at most 12 s. */
  authorize(command: {
    readonly key: EffectKey;
    readonly terms: Terms;
    /** After this the wallet must fail the request by itself. */
    readonly expiresInMs: DurationMs;
    readonly holdMs: DurationMs | null;
    readonly channel: Channel;
    /** For the payer's statement, at most 160 characters, without personal data. */
    readonly text: string;
  }): Promise<Outcome>;
  /** ST12: pass the payer's own answer on; at most 12 s. */
  validate(command: {
    readonly key: EffectKey;
    readonly terms: Terms;
    readonly ref: WalletRef;
    readonly answer: Secret;
  }): Promise<Outcome>;
  /** Delivered: capture the hold, or release the pending credit; at most 10 s. */
  settle(command: { readonly key: EffectKey; readonly terms: Terms; readonly ref: WalletRef }): Promise<Outcome>;
  /** ST71: give it back. `ref` null: reverse whatever `authorizeKey` did or may still do. `amount` null: all of it. */
  reverse(command: {
    readonly key: EffectKey;
    readonly terms: Terms;
    readonly ref: WalletRef | null;
    readonly authorizeKey: EffectKey;
    readonly amount: Money | null;
    readonly reason: string;
  }): Promise<Outcome>;
  /** What became of the operation with this key? Read only; the sole authority after an open outcome. */
  query(question: {
    readonly of: 'authorize' | 'validate' | 'settle' | 'reverse';
    readonly key: EffectKey;
    readonly terms: Terms;
    readonly ref: WalletRef | null;
  }): Promise<Outcome>;
}
