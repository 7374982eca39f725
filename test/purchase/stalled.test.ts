import { expect } from 'chai';
import { Secret } from '../../src/purchase/payment-port.ts';
import { buildHouse, firstId, type House } from '../support/house.ts';
import { books, callsOf, sold } from './books.ts';

/** The payer is asked for his PIN. */
async function asked(): Promise<House> {
  const house = await buildHouse();
  house.wallet.setAsking({ by: 'pin', pin: '8642' });
  await house.select();
  await house.confirm();
  await house.advance(500);
  expect(house.purchase().state).to.equal('validating');
  return house;
}

describe('a confirmation on a node that stood still', () => {
  /** It stands still between the board's answer and commit 1. */
  async function taking(stallMs: number): Promise<House> {
    const house = await buildHouse();
    await house.select();
    const a = house.node('a');
    await a.board.orders.takeForPayment({ machineId: 'M-4567', purchaseId: firstId, orderSeq: 17, minLeftMs: 0 });
    a.failJournal({ on: 'load', happened: 'no', isDone: false, meanwhile: () => a.stall() });
    const confirming = house.confirm();
    await house.advance(stallMs);
    a.wake();
    await confirming;
    return house;
  }

  it('never makes the deadline later than the order’s own', async () => {
    const house = await taking(30_000);
    expect(house.world.tables.find(firstId)?.deadlineAt).to.equal(60_000);
    await house.rest();
    expect(books(house)).to.equal(sold);
  });

  it('begins nothing once the cut-off has passed meanwhile', async () => {
    const house = await taking(40_001);
    expect([house.world.tables.purchases.size, house.wallet.calls]).to.deep.equal([0, []]);
  });
});

describe('the payer’s answer on a node that stood still', () => {
  async function answered(atMs: number, stallMs: number): Promise<string> {
    const house = await asked();
    await house.advance(atMs - house.clock.now());
    house.node('a').stallAtCommit(1);
    const giving = house.node('a').purchases.giveValidation(firstId, new Secret('8642'));
    await house.advance(stallMs);
    house.node('a').wake();
    const { kind } = await giving;
    const calls = callsOf(house);
    await house.rest();
    expect(house.broken()).to.deep.equal([]);
    return `${kind}: ${calls}`;
  }

  it('is passed on by a node that stood still for a moment', async () => {
    const house = await asked();
    house.node('a').stallAtCommit(1);
    const giving = house.node('a').purchases.giveValidation(firstId, new Secret('8642'));
    await house.advance(3000);
    house.node('a').wake();
    await house.advance(500);
    expect((await giving).kind).to.equal('passed_on');
    await house.rest();
    expect(books(house)).to.equal(sold);
  });

  it('is not passed on by a node that stood still so long that the wallet may be asked about it first', async () => {
    expect(await answered(1000, 3001)).to.equal('not_passed_on: authorize/1');
  });

  it('is not passed on by a node that stood still until less than the cut-off was left', async () => {
    expect(await answered(39_500, 501)).to.equal('not_passed_on: authorize/1');
  });
});
