/**
 * What must hold of every purchase at every moment. Checked by property tests, by the simulation after each step and
 * by `relais audit`.
 */
import type { State } from './purchase.ts';

/** What a state says of the payer's money. */
export type MoneyState =
  /** The wallet has been asked and has not said. */
  | 'unknown'
  /** With the payer. */
  | 'not_moved'
  /** Held, or debited into the operator's pending credit. */
  | 'secured'
  /** On its way back to the payer. */
  | 'going_back'
  /** With the operator. */
  | 'moved'
  /** With the payer again. */
  | 'back';

/** The money of each state, as purchase.md states it. */
export const moneyOf: Readonly<Record<State, MoneyState>> = {
  authorizing: 'unknown',
  validating: 'not_moved',
  approving: 'secured',
  vending: 'secured',
  in_doubt: 'secured',
  settling: 'secured',
  completed: 'moved',
  declined: 'not_moved',
  reversing: 'going_back',
  reversed: 'back',
};

/** What the outside world shows of a purchase: read from ledger and hardware, never from the purchase's own row. */
export type Evidence = {
  /** Minor units secured from the payer, and given back to him, reversal only. */
  readonly securedMinor: bigint;
  readonly returnedMinor: bigint;
  /** Successful authorizes and reversals. */
  readonly authorizes: number;
  readonly reversals: number;
  /** Given back after the end. */
  readonly refundedMinor: bigint;
  /** Goods that dropped for this order. */
  readonly delivered: number;
};

/** What the invariants need to know of a purchase. */
export type Judged = {
  readonly state: State;
  readonly order: { readonly price: { readonly minor: bigint } };
  readonly facts: { readonly isUncollected: boolean };
};

/** The invariants that a purchase with that evidence breaks, in words; empty when all hold. */
export function brokenInvariants(purchase: Judged, evidence: Evidence): readonly string[] {
  const price = purchase.order.price.minor;
  const left = evidence.securedMinor - evidence.returnedMinor;
  const hasMoved = purchase.state === 'completed' && !purchase.facts.isUncollected;
  const isAtRest = purchase.state === 'completed' || purchase.state === 'declined' || purchase.state === 'reversed';
  const isPaidAfterClose = purchase.state === 'declined' && evidence.refundedMinor > 0n;
  const rules: readonly (readonly [boolean, string])[] = [
    [left === 0n || left === price, 'secured less returned is 0 or the price'],
    [
      !isAtRest || isPaidAfterClose || (left === price) === hasMoved,
      'at rest the price is kept exactly when completed',
    ],
    [evidence.delivered <= 1, 'an order is delivered at most once'],
    [evidence.delivered === 0 || evidence.securedMinor === price, 'a delivery implies money secured earlier'],
    [evidence.authorizes <= 1, 'at most one successful authorize'],
    [evidence.reversals <= 1, 'at most one successful reversal'],
    [evidence.refundedMinor <= evidence.securedMinor, 'refunds are at most what was secured'],
  ];
  return rules.filter(([holds]) => !holds).map(([, rule]) => rule);
}
