import { expect } from 'chai';
import { brokenInvariants, type Evidence, moneyOf } from '../../src/purchase/invariant.ts';
import type { Purchase } from '../../src/purchase/purchase.ts';
import { aLive, anEnded } from '../support/purchase-builders.ts';

const nothing: Evidence = {
  securedMinor: 0n,
  returnedMinor: 0n,
  authorizes: 0,
  reversals: 0,
  refundedMinor: 0n,
  delivered: 0,
};
const paid: Evidence = { ...nothing, securedMinor: 500n, authorizes: 1 };
const back: Evidence = { ...paid, returnedMinor: 500n, reversals: 1 };

type Row = readonly [says: string, purchase: Purchase, evidence: Evidence, broken: readonly string[]];
const atRest = 'at rest the price is kept exactly when completed';
const rows: readonly Row[] = [
  ['nothing moved, declined', anEnded('declined'), nothing, []],
  ['paid, delivered, completed', anEnded('completed'), { ...paid, delivered: 1 }, []],
  ['paid and back, reversed', anEnded('reversed'), back, []],
  ['never secured, reversed by key', anEnded('reversed'), nothing, []],
  ['secured, in doubt', aLive('in_doubt'), paid, []],
  ['delivered, loss accepted', anEnded('completed', { facts: { isUncollected: true } }), { ...back, delivered: 1 }, []],
  ['paid after the decline, refunded', anEnded('declined'), { ...paid, refundedMinor: 500n }, []],
  ['kept by a decline', anEnded('declined'), paid, [atRest]],
  ['kept by a reversal', anEnded('reversed'), paid, [atRest]],
  ['given back after a completion', anEnded('completed'), { ...back, delivered: 1 }, [atRest]],
  [
    'a part of the price',
    aLive('vending'),
    { ...paid, securedMinor: 300n },
    ['secured less returned is 0 or the price'],
  ],
  ['delivered twice', aLive('vending'), { ...paid, delivered: 2 }, ['an order is delivered at most once']],
  [
    'delivered unpaid',
    aLive('authorizing'),
    { ...nothing, delivered: 1 },
    ['a delivery implies money secured earlier'],
  ],
  ['authorized twice', aLive('vending'), { ...paid, authorizes: 2 }, ['at most one successful authorize']],
  ['reversed twice', anEnded('reversed'), { ...back, reversals: 2 }, ['at most one successful reversal']],
  [
    'refunded more than paid',
    anEnded('completed'),
    { ...paid, refundedMinor: 501n },
    ['refunds are at most what was secured'],
  ],
];

describe('the invariants', () => {
  for (const [says, purchase, evidence, broken] of rows) {
    it(`find ${broken.length === 0 ? 'nothing' : broken.join(', ')}: ${says}`, () => {
      expect(brokenInvariants(purchase, evidence)).to.deep.equal(broken);
    });
  }

  it('say of each state where the money is', () => {
    expect(moneyOf).to.deep.equal({
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
    });
  });
});
