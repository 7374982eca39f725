import { expect } from 'chai';
import type { Purchase, State } from '../../src/purchase/purchase.ts';
import { isTellable, viewOf } from '../../src/purchase/view.ts';
import { aLive, anEnded, order, purchaseId } from '../support/purchase-builders.ts';

const view = (purchase: Purchase, isAccepted = false) =>
  viewOf({ purchase, leftMs: 40_000, sinceConfirmedMs: 20_000, sinceEndedMs: null }, isAccepted);

const one: Readonly<Record<State, Purchase>> = {
  authorizing: aLive('authorizing'),
  validating: aLive('validating'),
  approving: aLive('approving'),
  vending: aLive('vending'),
  in_doubt: aLive('in_doubt'),
  settling: aLive('settling'),
  reversing: aLive('reversing'),
  completed: anEnded('completed'),
  declined: anEnded('declined'),
  reversed: anEnded('reversed'),
};
const states = Object.values(one).map((purchase) => purchase.state);

describe('the view of a purchase', () => {
  it('shows what a phone may show, and nothing of the payer', () => {
    expect(view(aLive('validating'))).to.deep.equal({
      id: purchaseId,
      reference: 'K7M2QX',
      state: 'validating',
      isAccepted: false,
      machineId: 'M-4567',
      machineNumber: '4567',
      orderSeq: 17,
      item: 3,
      productName: 'Coca 33 cl',
      price: order.price,
      channel: 'ussd',
      validation: { by: 'pin', triesLeft: 3 },
      declineCode: null,
      reversalReason: null,
      sinceConfirmedMs: 20_000,
      sinceEndedMs: null,
    });
  });

  it('is accepted from the machine’s acceptance on, journaled or not', () => {
    const accepted = states.filter((state) => view(one[state]).isAccepted);
    expect([accepted, view(aLive('approving'), true).isAccepted]).to.deep.equal([
      ['vending', 'settling', 'completed'],
      true,
    ]);
  });

  it('can be told when an outcome is known or an answer is wanted', () => {
    const silent = states.filter((state) => !isTellable(view(one[state])));
    expect([silent, isTellable(view(aLive('approving'), true))]).to.deep.equal([
      ['authorizing', 'approving', 'reversing'],
      true,
    ]);
  });
});
