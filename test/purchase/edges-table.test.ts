import { expect } from 'chai';
import { edges, firstImpossible } from '../../src/purchase/edges.ts';
import type { PurchaseEvent } from '../../src/purchase/event.ts';
import type { LiveState } from '../../src/purchase/purchase.ts';
import { transition } from '../../src/purchase/transition.ts';
import { aLive, type Differences, eventOf, rules } from '../support/purchase-builders.ts';

const events: readonly PurchaseEvent[] = [
  ...Object.values(eventOf),
  { ...eventOf.authorized, leftMs: 0 },
  { ...eventOf.validated, leftMs: 0 },
  { ...eventOf.payment_not_found, leftMs: 0, sinceConfirmedMs: 3_600_000 },
  { ...eventOf.approval_rejected, reason: 'unknown_order', wasSentBefore: true },
  { ...eventOf.vend_succeeded, basis: 'no_result' },
];
const noKeys = { resendsByKey: false, reversesByKey: false };
const differences: readonly Differences[] = [
  {},
  { facts: { isQuerying: true } },
  { facts: { isQuerying: true }, wallet: noKeys },
  { facts: { attention: ['payment_overdue'] } },
  { facts: { isHoldGone: true } },
];

/** `authorizing authorized approving`, for every step of `transition` over all of these. */
function stepsTaken(): readonly string[] {
  const live = (Object.keys(edges) as (keyof typeof edges)[]).filter(
    (state): state is LiveState => Object.keys(edges[state]).length > 0,
  );
  const taken = live.flatMap((state) =>
    differences.flatMap((different) =>
      events.flatMap((event) => {
        const decision = transition(aLive(state, different), event, rules);
        return decision.kind === 'step' ? [`${state} ${event.type} ${decision.step.after.state}`] : [];
      }),
    ),
  );
  return [...new Set(taken)].sort();
}

function edgesListed(): readonly string[] {
  return Object.entries(edges)
    .flatMap(([from, ways]) =>
      Object.entries(ways).flatMap(([event, to]) => to.map((state) => `${from} ${event} ${state}`)),
    )
    .sort();
}

describe('the table of edges', () => {
  it('holds each step of the rules, and no other', () => {
    expect(edgesListed()).to.deep.equal(stepsTaken());
  });

  const lived = (text: string) =>
    text.split(' ').map((line) => {
      const [event = '', state = ''] = line.split(':');
      return { event, state };
    });
  const histories: readonly (readonly [says: string, text: string, at: number | null])[] = [
    ['of a sale', 'confirmed:authorizing authorized:approving vend_succeeded:settling settled:completed', null],
    ['that begins in the middle', 'authorized:approving', 0],
    ['that begins elsewhere', 'confirmed:approving', 0],
    ['with an event of another state', 'confirmed:authorizing settled:completed', 1],
    ['with a wrong end', 'confirmed:authorizing authorized:vending', 1],
    ['that goes on after its end', 'confirmed:authorizing authorize_declined:declined authorized:approving', 2],
    ['with a state of no rule', 'confirmed:authorizing authorized:nowhere authorized:approving', 1],
  ];
  for (const [says, text, at] of histories) {
    it(`${at === null ? 'allows' : 'refuses'} a history ${says}`, () => {
      expect(firstImpossible(lived(text))).to.equal(at);
    });
  }

  it('allows a purchase of which nothing is written', () => {
    expect(firstImpossible([])).to.equal(null);
  });
});
