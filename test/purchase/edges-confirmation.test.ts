import { expect } from 'chai';
import { buildHouse, payer } from '../support/house.ts';
import { books, callsOf, sold } from './books.ts';

const secondId = '00000000-0000-7000-8000-000000000002';
const otherPayer = '221779999999';

describe('edges of the confirmation', () => {
  it('edge 22: a second yes on the same node is answered with the purchase of the first', async () => {
    const house = await buildHouse();
    await house.select();
    const [first, second] = await Promise.all([house.confirm(), house.confirm()]);
    await house.rest();
    expect([first.kind, second.kind, books(house), callsOf(house)]).to.deep.equal([
      'begun',
      'exists',
      sold,
      'authorize/1, settle/1',
    ]);
  });

  it('edge 22: a second yes on another node is answered with the purchase of the first', async () => {
    const house = await buildHouse();
    await house.select();
    const yes = await Promise.all([house.confirm(), house.confirm({ node: 'b' })]);
    await house.rest();
    expect([yes.map(({ kind }) => kind).sort(), books(house), callsOf(house)]).to.deep.equal([
      ['begun', 'exists'],
      sold,
      'authorize/1, settle/1',
    ]);
  });

  it('edge 22: two nodes, and the first one’s answer is lost: the wallet is asked once', async () => {
    const house = await buildHouse();
    await house.select();
    house.wallet.fail('authorize', { kind: 'late', afterMs: 5000 });
    house.node('a').failJournal({ on: 'begin', happened: 'unknown', isDone: false });
    const first = house.confirm();
    const second = house.confirm({ node: 'b' });
    await house.advance(1000);
    await Promise.all([first, second]);
    await house.rest();
    expect([books(house), callsOf(house)]).to.deep.equal([sold, 'authorize/1, settle/1']);
  });

  it('edge 22: a yes again when the order is closed by the purchase’s own end finds that purchase', async () => {
    const house = await buildHouse();
    await house.select();
    await house.confirm();
    await house.rest();
    const again = await house.confirm({ node: 'b' });
    expect(again.kind === 'exists' && again.view.state).to.equal('completed');
    expect(books(house)).to.equal(sold);
  });

  it('edge 22: a yes again with less than the cut-off left finds the live purchase, and does not free its order', async () => {
    const house = await buildHouse();
    house.wallet.setAway(true);
    await house.select();
    await house.confirm();
    await house.advance(50_000);
    const again = await house.confirm();
    const seen = await house.node('a').board.orders.look('M-4567');
    expect([again.kind, seen?.state]).to.deep.equal(['exists', 'paying']);
    house.wallet.setAway(false);
    await house.rest();
    expect(house.broken()).to.deep.equal([]);
  });

  it('edge 22: a yes again after a decline is answered with the decline, and the order stays free', async () => {
    const house = await buildHouse();
    house.wallet.refuse(payer, 'insufficient_funds');
    await house.select();
    await house.confirm();
    await house.advance(2000);
    const again = await house.confirm();
    const seen = await house.node('a').board.orders.look('M-4567');
    expect([again.kind === 'exists' && again.view.state, seen?.state]).to.deep.equal(['declined', 'open']);
    await house.rest();
    expect(books(house)).to.equal('declined; sent declined');
  });

  it('edge 22: a yes again while Redis is away finds the purchase, and never says that nothing was debited', async () => {
    const house = await buildHouse();
    await house.select();
    await house.confirm();
    house.redis.setReachable(false);
    expect((await house.confirm()).kind).to.equal('exists');
  });

  it('edge 5: less than the cut-off is left: refused, nothing asked of the wallet', async () => {
    const house = await buildHouse();
    await house.select();
    await house.advance(40_001);
    expect([await house.confirm(), house.wallet.calls]).to.deep.equal([{ kind: 'refused', reason: 'too_late' }, []]);
  });

  it('edge 3: another payer’s claim or purchase: refused, nothing asked of the wallet', async () => {
    const house = await buildHouse();
    await house.select();
    await house.confirm();
    const second = await house.confirm({ purchaseId: secondId, payer: otherPayer });
    expect(second).to.deep.equal({ kind: 'refused', reason: 'taken' });
    await house.rest();
    expect([books(house), house.wallet.balanceOf(otherPayer)]).to.deep.equal([sold, 5000n]);
  });

  it('edge 6: after a decline the order is open again, so that another wallet can pay', async () => {
    const house = await buildHouse();
    house.wallet.fund(payer, 499n);
    await house.select();
    await house.confirm();
    await house.advance(2000);
    await house.confirm({ purchaseId: secondId, payer: otherPayer });
    await house.rest();
    expect([house.stateOf(), house.stateOf(secondId), house.machine.dropped(17)]).to.deep.equal([
      'declined',
      'completed',
      1,
    ]);
    expect(house.broken()).to.deep.equal([]);
  });
});
