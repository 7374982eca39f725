/**
 * Which states an event may lead to: what `transition` can do, as a table, for those who read histories that older
 * rules may have written. Tested against `transition` itself, both ways.
 */
import type { PurchaseEvent } from './event.ts';
import type { State } from './purchase.ts';

type Ways = Readonly<Partial<Record<PurchaseEvent['type'], readonly State[]>>>;

/** For each state the events that move it on, each with the states in which it may end. What is over has none. */
export const edges: Readonly<Record<State, Ways>> = {
  authorizing: {
    authorized: ['approving', 'reversing'],
    authorize_declined: ['declined'],
    validation_required: ['validating'],
    payment_unknown: ['authorizing'],
    payment_not_found: ['authorizing', 'reversing', 'declined'],
    vend_closed: ['authorizing'],
    deadline_passed: ['authorizing'],
    operator_refunded: ['reversing'],
  },
  validating: {
    authorized: ['approving', 'reversing'],
    validated: ['approving', 'reversing'],
    authorize_declined: ['declined'],
    validation_required: ['validating'],
    validation_given: ['validating'],
    payment_unknown: ['validating'],
    payment_not_found: ['reversing', 'declined'],
    vend_closed: ['validating'],
    deadline_passed: ['validating'],
    operator_refunded: ['reversing'],
  },
  approving: {
    approval_accepted: ['vending'],
    approval_rejected: ['reversing', 'in_doubt'],
    approval_unreachable: ['reversing'],
    vend_succeeded: ['settling', 'in_doubt'],
    vend_failed: ['reversing'],
    vend_closed: ['reversing'],
    deadline_passed: ['in_doubt'],
  },
  vending: {
    vend_succeeded: ['settling', 'in_doubt'],
    vend_failed: ['reversing'],
    deadline_passed: ['in_doubt'],
  },
  in_doubt: {
    vend_succeeded: ['settling'],
    vend_failed: ['reversing'],
    vend_closed: ['reversing'],
    approval_rejected: ['reversing'],
    operator_refunded: ['reversing'],
    operator_confirmed: ['settling'],
    deadline_passed: ['reversing'],
  },
  settling: {
    settled: ['completed'],
    settle_refused: ['settling'],
    loss_accepted: ['completed'],
    deadline_passed: ['settling'],
  },
  reversing: {
    reversed: ['reversed'],
    reverse_refused: ['reversing'],
    deadline_passed: ['reversing'],
  },
  completed: {},
  declined: {},
  reversed: {},
};

/** One line of a history: what happened, and the state it led to. */
export type Lived = { readonly event: string; readonly state: string };

/** The first line of a history that no rule allows, counted from 0; null when all of it may have happened. */
export function firstImpossible(history: readonly Lived[]): number | null {
  let state: State | null = null;
  for (const [index, lived] of history.entries()) {
    const next: State | undefined = waysTo(state, lived.event).find((each) => each === lived.state);
    if (next === undefined) return index;
    state = next;
  }
  return null;
}

/** Where an event may lead; from nothing only the confirmation leads anywhere. */
function waysTo(state: State | null, event: string): readonly State[] {
  const ways: Ways | { readonly confirmed: readonly State[] } =
    state === null ? { confirmed: ['authorizing'] } : edges[state];
  return Object.entries(ways).find(([name]) => name === event)?.[1] ?? [];
}
