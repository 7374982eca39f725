import { expect } from 'chai';
import { books, sold } from '../purchase/books.ts';
import { buildHouse, type House } from '../support/house.ts';

/** The machine's socket closes between the commit that counts its approval as sent, and the call. */
async function slippedAway(before: (house: House) => void = () => undefined): Promise<House> {
  const house = await buildHouse();
  before(house);
  await house.select();
  const a = house.node('a');
  a.stallAtCommit(2);
  await house.confirm();
  await house.advance(250);
  expect(house.purchase().state).to.equal('approving');
  house.machine.disconnect();
  await house.advance(1000);
  a.wake();
  await house.advance(1000);
  return house;
}

describe('an approval that found no socket', () => {
  it('was provably not sent: the money of a machine that stays away goes back at the deadline', async () => {
    const house = await slippedAway();
    await house.advance(60_000);
    expect(house.purchase().state).to.equal('reversed');
    await house.rest();
    expect(books(house)).to.equal('reversed; sent refunded');
  });

  it('is sent when the machine comes back in time', async () => {
    const house = await slippedAway();
    house.machine.connect(house.node('b'));
    await house.rest();
    expect(books(house)).to.equal(sold);
  });

  it('is definitely refused by a machine that does not know the order: nothing was sent before', async () => {
    const house = await slippedAway(({ machine }) =>
      machine.failApproval({ kind: 'rejected', reason: 'unknown_order' }),
    );
    house.machine.connect(house.node('b'));
    await house.advance(5000);
    expect(books(house)).to.equal('reversed');
    await house.rest();
    expect(books(house)).to.equal('reversed; sent refunded');
  });

  it('leaves a doubt when an earlier one may have been sent', async () => {
    const house = await buildHouse();
    house.machine.failApproval({ kind: 'lost' });
    await house.select();
    await house.confirm();
    await house.advance(300);
    // Sent and lost. The next one finds no socket, however often the machine's node looks.
    house.machine.disconnect();
    await house.advance(4000);
    house.node('b').machineReady('M-4567');
    await house.advance(60_000);
    expect(house.stateOf()).to.equal('in_doubt in_doubt');
    expect(house.broken()).to.deep.equal([]);
  });

  it('is not looked for by a node that was told of a machine which has gone elsewhere', async () => {
    const house = await buildHouse({ isConnected: false });
    await house.select();
    await house.confirm();
    await house.advance(500);
    house.node('b').machineReady('M-4567');
    await house.clock.settle();
    const [approval] = await house.node('b').store.purchases.effectsOf(house.purchase().id);
    expect([approval?.maySent, approval?.tries]).to.deep.equal([false, 0]);
    await house.rest();
    expect(books(house)).to.equal('reversed; sent refunded');
  });
});

/** A wallet of which only questions tell what became of a call. */
const asked = (maxPendingMs: number) => ({ reverseByKey: false, replay: 'none', maxPendingMs }) as const;

describe('“never seen” that was heard late', () => {
  it('speaks of the moment of the question: it ends no purchase for which the wallet still had time', async () => {
    const house = await buildHouse({ capabilities: asked(60_000) });
    house.wallet.fail('authorize', { kind: 'request_lost' });
    await house.select();
    await house.confirm();
    await house.advance(255_000);
    const before = house.wallet.calls.length;
    while (house.wallet.calls.length === before) await house.advance(50);
    expect(house.clock.now()).to.be.below(315_000);
    house.node('a').stall();
    await house.advance(120_000);
    house.node('a').wake();
    await house.clock.settle();
    expect(house.purchase().state).to.equal('authorizing');
    await house.rest();
    expect(books(house)).to.equal('declined; sent declined');
  });

  it('declines nothing when only the journal’s clock says that the wallet has had its time', async () => {
    let aheadMs = 0;
    const house = await buildHouse({
      capabilities: asked(60_000),
      journalAheadMs: () => aheadMs,
    });
    house.wallet.fail('authorize', { kind: 'late', afterMs: 40_000 });
    await house.select();
    await house.confirm();
    aheadMs = 25 * 60_000;
    await house.advance(30_000);
    expect(house.purchase().state).to.equal('authorizing');
    await house.rest();
    expect(books(house)).to.equal('reversed; sent refunded');
  });

  it('ends no last look that the journal’s clock has brought forward', async () => {
    let aheadMs = 0;
    const house = await buildHouse({
      capabilities: asked(60_000),
      journalAheadMs: () => aheadMs,
    });
    house.wallet.fail('authorize', { kind: 'late', afterMs: 400_000 });
    await house.select();
    await house.confirm();
    while (house.purchase().state !== 'declined') await house.advance(1_000);
    const before = house.wallet.calls.length;
    aheadMs = 25 * 3_600_000;
    house.node('a').kill();
    house.node('b');
    await house.rest();
    expect(house.wallet.calls.length - before).to.be.above(1);
    expect(books(house)).to.equal('declined paid_after_close; sent declined');
  });

  for (const hours of [1, 3]) {
    it(`ends the last look at a wallet that may take ${hours} h`, async () => {
      const house = await buildHouse({
        capabilities: asked(hours * 3_600_000),
      });
      house.wallet.fail('authorize', { kind: 'late', afterMs: 1e12 });
      await house.select();
      await house.confirm();
      for (let i = 0; i < 24 * 60 && house.purchase().state !== 'declined'; i += 1) await house.advance(60_000);
      expect(house.purchase().state).to.equal('declined');
      const before = house.wallet.calls.length;
      for (let i = 0; i < 24 * 7; i += 1) await house.advance(3_600_000);
      expect(house.wallet.calls.length - before).to.be.below(30);
    });
  }
});
