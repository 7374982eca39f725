/**
 * Rows of tests of the state machine: what is different from the usual purchase, the event, and what it leads to.
 */
import { expect } from 'chai';
import type { PurchaseEvent } from '../../src/purchase/event.ts';
import type { LiveState, Purchase } from '../../src/purchase/purchase.ts';
import type { Rules } from '../../src/purchase/rules.ts';
import { transition } from '../../src/purchase/transition.ts';
import { aLive, type Differences, rules } from '../support/purchase-builders.ts';
import { textOfDecision } from './decision-text.ts';

/** A row: `says` is the test's title, `leads` the decision as `textOfDecision` writes it. */
export type Row = {
  readonly says: string;
  readonly in: LiveState;
  readonly with?: Differences;
  readonly event: PurchaseEvent;
  /** The usual ones when left out. */
  readonly rules?: Rules;
  readonly leads: string;
};

/** What an event leads to, in one line. */
export function decided(purchase: Purchase, event: PurchaseEvent, by: Rules = rules): string {
  return textOfDecision(purchase, transition(purchase, event, by));
}

/** One test a row. */
export function tell(rows: readonly Row[]): void {
  for (const row of rows) {
    it(row.says, () => {
      expect(decided(aLive(row.in, row.with), row.event, row.rules)).to.equal(row.leads);
    });
  }
}
