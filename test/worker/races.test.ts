import { expect } from 'chai';
import { books, callsOf, sold } from '../purchase/books.ts';
import { buildHouse, firstId, type House } from '../support/house.ts';

async function confirmed(before: (house: House) => void = () => undefined): Promise<House> {
  const house = await buildHouse();
  before(house);
  await house.select();
  await house.confirm();
  return house;
}

const eventsOf = (house: House): readonly string[] =>
  (house.world.tables.events.get(firstId) ?? []).map(({ event }) => event);

describe('races of the workers', () => {
  it('the wallet’s answer before the deadline wins, and the deadline finds a new one', async () => {
    const house = await confirmed(({ wallet }) => {
      wallet.fail('authorize', { kind: 'answer_lost' });
      wallet.fail('query', { kind: 'late', afterMs: 1000 });
    });
    await house.rest();
    expect([books(house), eventsOf(house).includes('deadline_passed')]).to.deep.equal([sold, false]);
  });

  it('the result at the very moment of its deadline is one event, whoever comes first', async () => {
    for (const atMs of [59_999, 60_000, 60_001]) {
      const house = await confirmed(({ machine }) => machine.setDelivery({ kind: 'delivers' }, atMs));
      house.node('b');
      await house.rest();
      const { order } = house.purchase();
      expect(house.broken()).to.deep.equal([]);
      expect([house.purchase().state, house.machine.dropped(order.orderSeq)]).to.deep.equal(['completed', 1]);
      expect(eventsOf(house).filter((event) => event === 'vend_succeeded').length).to.equal(1);
    }
  });

  it('two nodes that see one deadline make one event of it', async () => {
    const house = await confirmed(({ machine }) => machine.setDelivery({ kind: 'says_nothing' }));
    house.node('b');
    await house.advance(70_000);
    expect(eventsOf(house).filter((event) => event === 'deadline_passed').length).to.equal(1);
  });

  it('the machine that connects at the deadline gets the approval or the money goes back, never both', async () => {
    for (const atMs of [56_000, 59_000, 59_999, 60_000, 60_001, 61_000]) {
      const house = await buildHouse({ isConnected: false });
      await house.select();
      await house.confirm();
      house.clock.after(atMs, () => house.machine.connect(house.node('b')));
      await house.rest();
      const { state } = house.purchase();
      expect(house.broken()).to.deep.equal([]);
      expect(state).to.equal(house.machine.dropped(17) === 1 ? 'completed' : 'reversed');
    }
  });

  it('a worker that lost its lease may say what it learned, and no longer when to ask again', async () => {
    const house = await confirmed(({ wallet }) => wallet.setAway(true));
    await house.advance(20_000);
    const [old] = await house.node('a').store.purchases.effectsOf(firstId);
    house.node('a').kill();
    house.node('b');
    await house.advance(40_000);
    const { purchases } = house.node('b').store;
    const [now] = await purchases.effectsOf(firstId);
    if (old === undefined || now === undefined) throw new Error('the wallet is asked all the time');
    expect([now.tries > old.tries, await purchases.reschedule(old, 0, 'late')]).to.deep.equal([true, false]);
    house.wallet.setAway(false);
    const authorized = { type: 'authorized', ref: firstId, holdExpiresInMs: null, leftMs: 1000 } as const;
    expect((await house.node('b').coordinator.apply(firstId, authorized)).kind).to.equal('committed');
  });

  it('the answer of a call whose lease lapsed is still taken: nothing that was learned is lost', async () => {
    const house = await confirmed(({ wallet }) => wallet.fail('authorize', { kind: 'late', afterMs: 11_500 }));
    await house.rest();
    expect([books(house), callsOf(house)]).to.deep.equal([sold, 'authorize/1, settle/1']);
  });

  it('a machine on another node gets its approval at once, by a nudge', async () => {
    const house = await buildHouse({ isConnected: false });
    house.machine.connect(house.node('b'));
    await house.select();
    await house.confirm();
    await house.clock.advance(210);
    expect(house.machine.approvals.length).to.equal(1);
    await house.rest();
    expect(books(house)).to.equal(sold);
  });
});
