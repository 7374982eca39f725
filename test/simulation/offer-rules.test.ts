import { expect } from 'chai';
import { order, purchaseId } from '../support/purchase-builders.ts';
import { type BooksBench, createBooksBench, heldOffer, payerMac } from './books-bench.ts';

/** Each lie, what tells it, and the sentence that must come of it at once. */
const lies: readonly (readonly [what: string, act: (bench: BooksBench) => void, complaint: RegExp])[] = [
  ['a purchase that was never quoted', (bench) => bench.beginUnquoted(), /its payer was quoted nothing under its name/],
  [
    'a quote that no node has kept',
    (bench) => bench.quote({}, 'Distributeur 4567\nCoca 33 cl: 400 F CFA\n1 Payer\n2 Autre produit\n0 Annuler'),
    /a payer is quoted Coca 33 cl at 400 F CFA on 4567, and no such offer is kept for him/,
  ],
  [
    'a price other than the one quoted',
    (bench) => (bench.quote({ price: { minor: 400n, currency: 'XOF' } }), bench.beginUnquoted()),
    /began for Coca 33 cl at 500 F CFA on 4567.17, and its payer was quoted Coca 33 cl at 400 F CFA/,
  ],
  [
    'a product other than the one quoted',
    (bench) => (bench.quote({ productName: 'Eau 50 cl' }), bench.beginUnquoted()),
    /its payer was quoted Eau 50 cl/,
  ],
  [
    'a machine other than the one quoted',
    (bench) => (bench.quote({ machineNumber: '1203' }), bench.beginUnquoted()),
    /its payer was quoted Coca 33 cl at 500 F CFA on 1203/,
  ],
  [
    'an order that took the place of the one quoted',
    (bench) => (bench.quote({ orderSeq: 16 }), bench.beginUnquoted()),
    /its payer was quoted Coca 33 cl at 500 F CFA on 4567.16/,
  ],
  [
    'a newer quote that the payer has not read yet',
    (bench) => (
      bench.quote({ orderSeq: 16 }), bench.books.quoted(payerMac, { purchaseId, ...order }), bench.beginUnquoted()
    ),
    /its payer was quoted Coca 33 cl at 500 F CFA on 4567.16/,
  ],
  [
    'a name that is offered again after its purchase began',
    (bench) => (bench.begin(), bench.quote({ orderSeq: 18 })),
    /is offered for .*4567.18, a yes was given under it for .*4567.17/,
  ],
  [
    'a name that is offered again after a yes',
    (bench) => (
      bench.quote(), bench.books.offerHeld(payerMac, heldOffer), bench.quote({ machineNumber: '1203', orderSeq: 3 })
    ),
    /is offered for .*1203.3, a yes was given under it for .*4567.17/,
  ],
];

describe('the books of a simulation, of offers', () => {
  for (const [what, act, complaint] of lies) {
    it(`see ${what}`, () => {
      const bench = createBooksBench();
      act(bench);
      expect(bench.books.broken().join('\n')).to.match(complaint);
    });
  }
});
