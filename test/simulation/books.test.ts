import { expect } from 'chai';
import { keyOf } from '../../src/composition/names.ts';
import type { Facts } from '../../src/purchase/purchase.ts';
import { aLive, anEnded, eventOf, order, purchaseId } from '../support/purchase-builders.ts';
import { commitOf } from '../support/store-builders.ts';
import { type BooksBench, createBooksBench, heldOffer, node, payerMac } from './books-bench.ts';

const PAID = 'Payé: 500 F CFA. Prenez votre produit, distributeur 4567. Réf K7M2QX';
const RECEIPT = 'Payé 500 F CFA, Coca 33 cl, distributeur 4567, 01/06 12:00. Réf K7M2QX';
const REFUSED = 'Paiement refusé. Aucun débit. Réf K7M2QX';
const NOT_ENOUGH = 'Solde insuffisant. Prix 500 F CFA. Aucun débit.\nRechargez puis refaites *123*4567#';
const OVER = 'Session terminée. Refaites *123#';
const DOWN = 'Service indisponible. Aucun débit. Réessayez plus tard.';
const BACK = "Le produit n'est pas sorti. 500 F CFA rendus. Réf K7M2QX";
const { machineId, orderSeq } = order;

/** A purchase that has ended well, its receipt sent and read. */
function finish(bench: BooksBench): void {
  bench.sell();
  bench.call('settle');
  bench.move('collected');
  bench.apply({ type: 'settled' });
  bench.say(RECEIPT, 'sms');
  bench.finish('notify', 'receipt');
}

/** A purchase that the wallet refused: the dialog says so. */
function decline(bench: BooksBench, before = (): void => undefined): void {
  bench.begin();
  bench.call('authorize');
  bench.books.offerHeld(payerMac, heldOffer);
  before();
  bench.apply(eventOf.authorize_declined);
  bench.say(NOT_ENOUGH);
  bench.finish('notify', 'declined');
}

/** A yes that came to nothing, as the payer was told. */
function failAtYes(bench: BooksBench): void {
  bench.quote();
  bench.books.offerHeld(payerMac, heldOffer);
  bench.say(DOWN);
}

/** The same decline, by a node that stood still before it said so: the payer's next dial was taken up first. */
function declineLate(bench: BooksBench): void {
  bench.begin();
  bench.call('authorize');
  bench.apply(eventOf.authorize_declined);
  bench.books.offerHeld(payerMac, { ...heldOffer, isYes: false, text: NOT_ENOUGH });
  const next = { purchaseId: 'another', isConfirmed: false, isYes: false, isNewTurn: true, text: null };
  bench.books.offerHeld(payerMac, next);
  bench.say(NOT_ENOUGH);
  bench.finish('notify', 'declined');
}

/** A delivery that failed, its money back and the payer told. */
function giveBack(bench: BooksBench): void {
  fail(bench);
  bench.call('reverse');
  bench.move('returned');
  bench.apply(eventOf.reversed);
  bench.say(BACK, 'sms');
  bench.finish('notify', 'refunded');
}

/** A delivery that failed, up to the reversal of the money. */
function fail(bench: BooksBench): void {
  bench.begin();
  bench.call('authorize');
  bench.move('secured');
  bench.apply(eventOf.authorized);
  bench.apply(eventOf.vend_failed);
}

type Lie = readonly [what: string, act: (bench: BooksBench) => void, complaint: RegExp];

/** Each lie, what tells it, and the sentence that must come of it at once. */
const lies: readonly Lie[] = [
  ['a good dropped twice', (bench) => (bench.sell(), bench.drop()), /dropped 2 times/],
  ['a good for nobody', (bench) => bench.drop(), /nobody has bought it/],
  ['a good before the money', (bench) => (bench.begin(), bench.drop()), /dropped with 0 secured/],
  [
    'a good after the money went back',
    (bench) => (fail(bench), bench.call('reverse'), bench.move('returned'), bench.drop()),
    /dropped after the money went back/,
  ],
  [
    'a go-ahead after the machine has stopped waiting',
    (bench) => (bench.sell(), bench.books.goAhead({ ...late, approvalId: null })),
    /the go-ahead came 61000 ms after/,
  ],
  [
    'a second approval for one order',
    (bench) => (bench.sell(), bench.books.approvalPut(machineId, orderSeq, 'another')),
    /a second approval/,
  ],
  [
    'an approval that no commit has named',
    (bench) => (bench.begin(), bench.books.approvalPut(machineId, orderSeq, keyOf(purchaseId, 'approve', 1))),
    /an approval that no commit has named/,
  ],
  ['a delivery that is reported and never was', reportNothing, /says that it delivered, and nothing dropped/],
  ['money that goes back for a delivered good', (bench) => (dropThenFail(bench), undefined), /gives back/],
  ['a call for an unknown purchase', (bench) => bench.call('authorize'), /not in the journal/],
  [
    'a second authorize',
    (bench) => (bench.begin(), bench.call('authorize'), bench.call('authorize')),
    /called 2 times/,
  ],
  ['an authorize under a new key', (bench) => (bench.begin(), bench.call('authorize', 2)), /under another key/],
  [
    'a settlement that nobody planned',
    (bench) => (bench.begin(), bench.call('settle')),
    /no effect without an intention/,
  ],
  ['a PIN passed on before its commit', (bench) => (bench.begin(), bench.call('validate')), /no effect without/],
  ['money secured twice', (bench) => (bench.sell(), bench.move('secured')), /at most one successful authorize/],
  ['an approval without money', (bench) => (bench.begin(), bench.apply(eventOf.authorized)), /with 0 of 500 secured/],
  [
    'a decline of what was secured',
    (bench) => (bench.begin(), bench.move('secured'), bench.apply(eventOf.authorize_declined)),
    /declined with 500 secured/,
  ],
  [
    'a reversal without money back',
    (bench) => (fail(bench), bench.apply(eventOf.reversed)),
    /at rest the price is kept exactly when completed/,
  ],
  ['a half reversal', (bench) => (fail(bench), bench.move('returned', 250n)), /0 or the price/],
  [
    'money from nowhere',
    (bench) => (bench.begin(), bench.move('secured'), bench.forge(4999n)),
    /a payer has 4999 at the wallet/,
  ],
  [
    'credit for nothing',
    (bench) => (bench.begin(), bench.move('secured'), bench.move('collected')),
    /nothing was delivered/,
  ],
  [
    'a version left out',
    (bench) => (bench.begin(), bench.apply(eventOf.payment_unknown, { after: { ...bench.purchase(), version: 3 } })),
    /version 3 follows 1/,
  ],
  [
    'an event that has no edge',
    (bench) => {
      bench.begin();
      const after = anEnded('completed', { version: 2 });
      const commit = commitOf(bench.purchase(), 'completed', { type: 'settled' }, { after });
      bench.books.committed(node, commit, { kind: 'committed' });
    },
    /settled was committed, which authorizing answers with refused/,
  ],
  [
    'a live purchase without a deadline',
    (bench) => (bench.begin(), bench.apply(eventOf.payment_unknown, { deadline: null })),
    /without a deadline/,
  ],
  [
    'an effect that was forgotten',
    (bench) => (bench.begin(), bench.apply(eventOf.payment_unknown, { planned: [] })),
    /nothing goes on/,
  ],
  [
    'an effect that outlives its state',
    (bench) => (
      bench.begin(), bench.apply(eventOf.payment_unknown, { dropped: [] }), bench.apply(eventOf.authorize_declined)
    ),
    /which declined does not call for/,
  ],
  [
    'an effect that ends without an event',
    (bench) => (bench.begin(), bench.books.effectFinished(node, purchaseId, keyOf(purchaseId, 'authorize', 1))),
    /ended without an event/,
  ],
  ['an order that begins twice', (bench) => (bench.begin(), bench.begin()), /began twice/],
  [
    'a statement acknowledged too early',
    (bench) => bench.books.acknowledged({ machineId, orderSeq, kind: 'success' }),
    /acknowledged, and not in the journal/,
  ],
  ['"nothing debited" of what is debited', (bench) => (bench.sell(), bench.say(REFUSED)), /is told "declined"/],
  ['"paid" with nothing paid', (bench) => (bench.begin(), bench.say(PAID)), /is told "paid", and nothing was paid/],
  [
    'a receipt for no good',
    (bench) => (bench.begin(), bench.move('secured'), bench.apply(eventOf.authorized), bench.say(RECEIPT, 'sms')),
    /a receipt, and nothing was delivered/,
  ],
  ['"returned" with nothing back', (bench) => (fail(bench), bench.say(BACK)), /the money is not back/],
  [
    'an approval for an order that is late',
    (bench) => (bench.begin(), bench.apply(eventOf.deadline_passed), approveNow(bench, { isLate: true })),
    /an approval is planned, and it is too late for one/,
  ],
  [
    'an approval with no time left to send it',
    (bench) => (bench.begin(), bench.move('secured'), bench.apply(secured, { event: { ...secured, leftMs: 2_999 } })),
    /an approval is planned, and it is too late for one/,
  ],
  [
    'an approval for an order that the machine has closed',
    (bench) => (bench.begin(), bench.apply(eventOf.vend_closed), approveNow(bench, { isOrderGone: true })),
    /an approval is planned, and the machine has closed the order/,
  ],
  [
    'a refusal to settle what was settled',
    (bench) => (bench.sell(), bench.move('collected'), bench.apply(eventOf.settle_refused)),
    /settle_refused was committed, and the operator has been credited/,
  ],
  [
    'a refusal to give back what is back',
    (bench) => (fail(bench), bench.move('returned'), bench.apply(eventOf.reverse_refused)),
    /reverse_refused was committed, and the money is back/,
  ],
  ['a text that is none of ours', (bench) => bench.say('Bonjour'), /no phrase of ours/],
];

const secured = eventOf.authorized;
const approval = {
  effect: { kind: 'approve' },
  key: keyOf(purchaseId, 'approve', 1),
  dueInMs: 0,
  isOwn: true,
} as const;
const late = { machineId, orderSeq, selectedAtMs: 0, goAheadAtMs: 61_000, maxWaitMs: 60_000 };

/** What no rule of the purchase would do. */
function approveNow(bench: BooksBench, facts: Partial<Facts>): void {
  const after = aLive('approving', { version: 3, facts });
  bench.move('secured');
  bench.apply(secured, { after, planned: [approval] });
}

function reportNothing(bench: BooksBench): void {
  bench.begin();
  bench.move('secured');
  bench.apply(eventOf.authorized);
  bench.apply(eventOf.vend_succeeded);
}

function dropThenFail(bench: BooksBench): void {
  bench.begin();
  bench.move('secured');
  bench.apply(eventOf.authorized);
  bench.drop();
  bench.apply(eventOf.vend_failed);
}

/** Lies that only show when everything is over. */
const restLies: readonly Lie[] = [
  ['a purchase that never ended', (bench) => bench.sell(), /never came to rest/],
  [
    'an effect that nobody carried out',
    (bench) => (finish(bench), bench.books.refundRecorded(node, refund, 'recorded')),
    /the effect refund is still planned/,
  ],
  [
    'a payer who was never told',
    (bench) => (
      bench.sell(), bench.move('collected'), bench.apply({ type: 'settled' }), bench.finish('notify', 'receipt')
    ),
    /left without a last word/,
  ],
  [
    'a payer who was told that nothing is debited, and was',
    (bench) => (decline(bench), bench.move('secured')),
    /that nothing was debited; 500 were/,
  ],
  [
    'a yes that was said to have come to nothing, and was paid',
    (bench) => (failAtYes(bench), finish(bench)),
    /was told "service_down", that nothing was debited; 500 were/,
  ],
  ['a paid purchase without credit', (bench) => (bench.sell(), bench.apply({ type: 'settled' })), /credited 0 of 500/],
  ['a balance that is too low', (bench) => (finish(bench), bench.forge(4000n)), /at rest a payer has 4000/],
  [
    'a success that is kept beside a purchase that gives back',
    (bench) => (giveBack(bench), bench.keep('success', ours)),
    /the journal keeps the machine's success, and no case is open/,
  ],
  [
    'a failure that is kept beside a completed purchase',
    (bench) => (finish(bench), bench.keep('failure', ours)),
    /the journal keeps the machine's failure, and no case is open/,
  ],
  [
    'an order closed and completed',
    (bench) => (finish(bench), bench.keep('closed', {})),
    /the journal keeps the machine's closed, and no case is open/,
  ],
  [
    'a case that was opened for a statement that the journal had',
    (bench) => (giveBack(bench), bench.keep('success', ours), bench.keep('success', ours, ['contradicting_result'])),
    /the journal keeps the machine's success, and no case is open/,
  ],
  [
    'a result under another approval that nobody looks at',
    (bench) => (finish(bench), bench.keep('success', { ...ours, approvalId: 'another' })),
    /keeps a success under another approval, and no case is open/,
  ],
  [
    'a statement that never reached the journal',
    (bench) => bench.books.stated({ machineId, orderSeq, kind: 'failure' }),
    /never acknowledged, not in the journal/,
  ],
];

const ours = { approvalId: keyOf(purchaseId, 'approve', 1), basis: null };
const refund = {
  purchaseId,
  n: 1,
  amountMinor: 500n,
  requestedBy: 'awa',
  reason: 'wrong product',
  effect: {
    effect: { kind: 'refund', n: 1, amountMinor: 500n, reason: 'wrong product' },
    key: keyOf(purchaseId, 'refund', 1),
    dueInMs: 0,
    isOwn: false,
  },
  opened: [],
} as const;

describe('the books of a simulation', () => {
  for (const [what, act, complaint] of lies) {
    it(`see ${what}`, () => {
      const bench = createBooksBench();
      act(bench);
      expect(bench.books.broken().join('\n')).to.match(complaint);
    });
  }

  for (const [what, act, complaint] of restLies) {
    it(`see at rest ${what}`, () => {
      const bench = createBooksBench();
      act(bench);
      bench.books.broken();
      expect(bench.books.brokenAtRest().join('\n')).to.match(complaint);
    });
  }

  const stories: readonly (readonly [string, (bench: BooksBench) => void])[] = [
    ['a sale', finish],
    ['a decline', decline],
    ['a failed delivery', giveBack],
    [
      'a purchase whose payer read another offer first',
      (bench) => (bench.quote({ machineNumber: '1203', orderSeq: 3, productName: 'Eau 50 cl' }), finish(bench)),
    ],
    [
      'a late success that a person is told of',
      (bench) => (giveBack(bench), bench.keep('success', ours, ['contradicting_result'])),
    ],
    [
      'a success without a result beside what was given back',
      (bench) => (giveBack(bench), bench.keep('success', { ...ours, basis: 'no_result' })),
    ],
    ['a decline told after the next dial was taken up', declineLate],
    [
      'a decline told after a copy of the yes, to which the board was wiped already',
      (bench) => decline(bench, () => bench.say(OVER)),
    ],
    [
      'a yes given again after the first came to nothing',
      (bench) => (failAtYes(bench), bench.quote(), bench.books.offerHeld(payerMac, heldOffer), finish(bench)),
    ],
    ['a failure told again', (bench) => (giveBack(bench), bench.keep('failure', ours), bench.keep('failure', ours))],
  ];
  for (const [what, act] of stories) {
    it(`have nothing to say of ${what}`, () => {
      const bench = createBooksBench();
      act(bench);
      expect([bench.books.broken(), bench.books.brokenAtRest(), bench.books.unrest()]).to.deep.equal([
        [],
        [],
        { purchases: 0, effects: 0, statements: 0 },
      ]);
    });
  }

  it('count the rows and states that were reached', () => {
    const bench = createBooksBench();
    fail(bench);
    const { edges, states } = bench.books;
    expect([edges[15], edges[17], edges[6], states.approving, states.reversing]).to.deep.equal([1, 1, 0, 1, 1]);
  });
});
