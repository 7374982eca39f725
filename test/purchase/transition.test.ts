import { expect } from 'chai';
import type { EndedState, Purchase, State } from '../../src/purchase/purchase.ts';
import { begin, transition } from '../../src/purchase/transition.ts';
import { aConfirmation, aLive, anEnded, eventOf, order, purchaseId, rules } from '../support/purchase-builders.ts';
import { decided, tell } from './decision-rows.ts';
import { tableOfEvents } from './table-of-events.ts';

const isEnd = (state: State): state is EndedState =>
  state === 'completed' || state === 'declined' || state === 'reversed';
const inState = (state: State): Purchase => (isEnd(state) ? anEnded(state) : aLive(state));

describe('transition, each event in each state', () => {
  for (const [state, row] of Object.entries(tableOfEvents)) {
    describe(state, () => {
      for (const [event, leads] of Object.entries(row)) {
        it(`${event}: ${leads}`, () => {
          const purchase = Object.entries(eventOf).find(([type]) => type === event);
          const named = Object.keys(tableOfEvents).find((each): each is State => each === state);
          expect(named === undefined || purchase === undefined ? '' : decided(inState(named), purchase[1])).to.equal(
            leads,
          );
        });
      }
    });
  }
});

describe('a move', () => {
  it('raises the version by one and leaves order, payer, plan and wallet as they were', () => {
    const before = aLive('authorizing', { version: 7 });
    const decision = transition(before, eventOf.authorized, rules);
    const { state, facts, version, ...kept } = before;
    const after = decision.kind === 'step' ? decision.step.after : before;
    expect({ ...after }).to.deep.equal({ ...kept, state: after.state, facts: after.facts, version: version + 1 });
    expect([state, facts.walletRef]).to.deep.equal(['authorizing', null]);
  });
});

describe('the beginning', () => {
  it('asks the wallet for what is left of the order, less the dispatch margin', () => {
    expect(begin(aConfirmation({ leftMs: 60_000 }), rules)).to.deep.equal({
      ok: true,
      value: {
        purchase: aLive('authorizing', { version: 1 }),
        effects: [
          { effect: { kind: 'authorize', expiresInMs: 57_000, holdMs: 90_000_000, isResend: false }, dueInMs: 0 },
        ],
        deadlineMs: 60_000,
      },
    });
  });

  it('copies the order, so that no later step asks the board', () => {
    const begun = begin(aConfirmation(), rules);
    expect(begun.ok && [begun.value.purchase.id, begun.value.purchase.order]).to.deep.equal([purchaseId, order]);
  });

  it('is refused as too late with less than the cut-off left', () => {
    expect(begin(aConfirmation({ leftMs: 19_999 }), rules)).to.deep.equal({ ok: false, refusal: 'too_late' });
  });

  it('is allowed with exactly the cut-off left', () => {
    expect(begin(aConfirmation({ leftMs: 20_000 }), rules).ok).to.equal(true);
  });

  it('gives the wallet at least a second', () => {
    const begun = begin(aConfirmation({ leftMs: 2000 }), { ...rules, cutoffMs: 0 });
    expect(begun.ok && begun.value.effects[0]?.effect).to.include({ expiresInMs: 1000 });
  });
});

const toReversing = (reason: string, rest: string): string =>
  `to reversing; +reverse/1 ${reason} now; -authorize; deadline 86400000; walletRef=W-2; ${rest}reversalReason=${reason}`;

describe('money that is secured', () => {
  tell([
    {
      says: 'goes back when the purchase is late, however much of a newer deadline is left (edge 9)',
      in: 'validating',
      with: { facts: { isLate: true } },
      event: { ...eventOf.validated, leftMs: 3_000_000 },
      leads:
        'to reversing; +reverse/1 secured_late now; -query_payment; deadline 86400000; walletRef=W-2; isQuerying=false; validation=null; reversalReason=secured_late',
    },
    {
      says: 'goes back when the machine has closed the order meanwhile (edge 28)',
      in: 'authorizing',
      with: { facts: { isOrderGone: true } },
      event: eventOf.authorized,
      leads: toReversing('order_gone', ''),
    },
    {
      says: 'goes back with less than the dispatch margin left',
      in: 'authorizing',
      event: { ...eventOf.authorized, leftMs: 2999 },
      leads: toReversing('secured_late', ''),
    },
    {
      says: 'goes to the machine with exactly the dispatch margin left',
      in: 'authorizing',
      event: { ...eventOf.authorized, leftMs: 3000 },
      leads: 'to approving; +approve now; -authorize; walletRef=W-2; inDoubtMs=86337000',
    },
    {
      says: 'goes back when its hold does not cover order, result and a minute',
      in: 'authorizing',
      event: { ...eventOf.authorized, holdExpiresInMs: 169_999 },
      leads: toReversing('hold_too_short', ''),
    },
    {
      says: 'bounds the doubt by its hold, down to half a minute',
      in: 'authorizing',
      event: { ...eventOf.authorized, holdExpiresInMs: 170_000 },
      leads: 'to approving; +approve now; -authorize; walletRef=W-2; inDoubtMs=30000',
    },
    {
      says: 'bounds the doubt by the rules when the hold lives longer',
      in: 'authorizing',
      event: { ...eventOf.authorized, holdExpiresInMs: 900_000_000 },
      leads: 'to approving; +approve now; -authorize; walletRef=W-2; inDoubtMs=86400000',
    },
    {
      says: 'needs no hold when it was debited',
      in: 'authorizing',
      with: { plan: 'debit_refund', facts: { holdMs: null } },
      event: { ...eventOf.authorized, holdExpiresInMs: 1 },
      leads: 'to approving; +approve now; -authorize; walletRef=W-2; inDoubtMs=86400000',
    },
    {
      says: 'goes to the machine after a silence, and the question is dropped',
      in: 'authorizing',
      with: { facts: { isQuerying: true } },
      event: { ...eventOf.authorized, holdExpiresInMs: null },
      leads: 'to approving; +approve now; -query_payment; walletRef=W-2; isQuerying=false; inDoubtMs=86290000',
    },
    {
      says: 'is doubted no longer than a hold lasts whose end the wallet does not tell',
      in: 'authorizing',
      with: { facts: { holdMs: 4_000_000 } },
      event: { ...eventOf.authorized, holdExpiresInMs: null },
      leads: 'to approving; +approve now; -authorize; walletRef=W-2; inDoubtMs=290000',
    },
  ]);
});

describe('a wallet that has not said', () => {
  tell([
    {
      says: 'is asked once, not twice, after two silences (edge 8)',
      in: 'authorizing',
      with: { facts: { isQuerying: true } },
      event: eventOf.payment_unknown,
      leads: 'already',
    },
    {
      says: 'leaves its reference when it gave one',
      in: 'authorizing',
      event: { type: 'payment_unknown', ref: 'W-9' },
      leads: 'stays; +query_payment in 1000; -authorize; walletRef=W-9; isQuerying=true',
    },
    {
      says: 'is asked now when the deadline passes during the silence, which is no decline',
      in: 'authorizing',
      with: { facts: { isQuerying: true } },
      event: eventOf.deadline_passed,
      leads: 'stays; ~query_payment now; deadline 3600000; isLate=true',
    },
    {
      says: 'becomes a person’s affair after one more hour',
      in: 'authorizing',
      with: { facts: { isQuerying: true, isLate: true } },
      event: eventOf.deadline_passed,
      leads: 'stays; deadline 86400000; open payment_overdue',
    },
    {
      says: 'opens its case once, and is looked at daily',
      in: 'validating',
      with: { facts: { isLate: true, attention: ['payment_overdue'] } },
      event: eventOf.deadline_passed,
      leads: 'stays; deadline 86400000',
    },
    {
      says: 'may be given up by a person once overdue, by key',
      in: 'authorizing',
      with: { facts: { isQuerying: true, isLate: true, attention: ['payment_overdue'] } },
      event: eventOf.operator_refunded,
      leads:
        'to reversing; +reverse/1 refunded_by_operator now; -query_payment; deadline 86400000; isQuerying=false; reversalReason=refunded_by_operator',
    },
    {
      says: 'may not be given up where it cannot undo by key',
      in: 'validating',
      with: { facts: { attention: ['payment_overdue'] }, wallet: { reversesByKey: false } },
      event: eventOf.operator_refunded,
      leads: 'refused not_reversible',
    },
    {
      says: 'closes its case by a definite decline',
      in: 'authorizing',
      with: { facts: { isQuerying: true, isLate: true, attention: ['payment_overdue'] } },
      event: eventOf.authorize_declined,
      leads:
        'to declined; +notify/declined in 10000; -query_payment; close payment_overdue; isQuerying=false; declineCode=insufficient_funds',
    },
    {
      says: 'declines by SMS at once where no dialog could show it',
      in: 'authorizing',
      with: { channel: 'sms' },
      event: eventOf.authorize_declined,
      leads: 'to declined; +notify/declined now; -authorize; declineCode=insufficient_funds',
    },
    {
      says: 'hears of an order that is gone once',
      in: 'validating',
      with: { facts: { isOrderGone: true } },
      event: eventOf.vend_closed,
      leads: 'already',
    },
  ]);
});
