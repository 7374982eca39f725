import { expect } from 'chai';
import { buildHouse, firstId, type House, payer } from '../support/house.ts';
import { books, callsOf, sold } from './books.ts';

const secondId = '00000000-0000-7000-8000-000000000002';
const otherPayer = '221779999999';

/** Waits for a promise while the house's clock runs on. */
async function during<Value>(house: House, ms: number, promise: Promise<Value>): Promise<Value> {
  await house.advance(ms);
  return promise;
}

/** A node dies at its n-th commit; the machine comes to another one 5 s later. */
async function withDeath(n: number, when: 'before' | 'after', delivery: 'delivers' | 'fails'): Promise<House> {
  const house = await buildHouse();
  if (delivery === 'fails') house.machine.setDelivery({ kind: 'fails', code: 'jam' });
  await house.select();
  house.node('a').dieAtCommit(n, when);
  void house.confirm();
  await house.advance(1000);
  house.machine.connect(house.node('b'));
  await house.rest();
  return house;
}

describe('edges of the house: a node dies', () => {
  const commits = ['confirmed', 'authorized', 'vend_succeeded', 'settled'];
  for (const [index, commit] of commits.entries()) {
    for (const when of ['before', 'after'] as const) {
      it(`edge 23: killed ${when} the commit of ${commit}: another node goes on, and the payer pays at most once`, async () => {
        const house = await withDeath(index + 1, when, 'delivers');
        const isNothing = index === 0 && when === 'before';
        if (isNothing) expect([house.world.tables.purchases.size, house.wallet.calls]).to.deep.equal([0, []]);
        else expect(books(house)).to.equal(sold);
      });
    }
  }

  for (const n of [2, 3, 4]) {
    it(`edge 23: killed at commit ${n} of a vend that fails: the money comes back once`, async () => {
      for (const when of ['before', 'after'] as const) {
        expect(books(await withDeath(n, when, 'fails'))).to.equal('reversed; sent refunded');
      }
    });
  }

  it('edge 23: killed with the wallet’s answer on its way: the wallet is asked, never called again', async () => {
    const house = await buildHouse();
    house.wallet.fail('authorize', { kind: 'late', afterMs: 5000 });
    await house.select();
    await house.confirm();
    house.node('a').kill();
    house.machine.connect(house.node('b'));
    await house.rest();
    expect([books(house), callsOf(house)]).to.deep.equal([sold, 'authorize/1, query authorize/1, settle/1']);
  });

  it('edge 23: killed while the machine delivers: the result finds another node', async () => {
    const house = await buildHouse();
    house.machine.setDelivery({ kind: 'delivers' }, 10_000);
    await house.select();
    await house.confirm();
    await house.advance(5000);
    house.node('a').kill();
    house.machine.disconnect();
    await house.advance(10_000);
    house.machine.connect(house.node('b'));
    await house.rest();
    expect(books(house)).to.equal(sold);
  });

  it('edge 23: the payer’s redial after the death begins nothing anew', async () => {
    const house = await buildHouse();
    await house.select();
    house.node('a').dieAtCommit(1, 'after');
    void house.confirm();
    await house.advance(500);
    house.machine.connect(house.node('b'));
    const again = await house.confirm({ node: 'b' });
    await house.rest();
    expect([again.kind, books(house)]).to.deep.equal(['exists', sold]);
  });

  it('edge 23: a node that remembers an old state carries out what another one planned', async () => {
    const house = await buildHouse();
    // Node a begins and falls silent; b, which remembers nothing, hears the wallet; a holds the machine.
    house.wallet.fail('authorize', { kind: 'answer_lost' });
    house.wallet.fail('query', { kind: 'request_lost' });
    await house.select();
    await house.confirm();
    await house.advance(13_500);
    house.node('b');
    await house.node('b').coordinator.apply(firstId, {
      type: 'authorized',
      ref: firstId,
      holdExpiresInMs: 90_000_000,
      leftMs: 45_000,
    });
    await house.rest();
    expect(books(house)).to.equal(sold);
  });
});

describe('edges of the house: the board', () => {
  it('edge 24: Redis is wiped after the confirmation: the purchase goes on from its own snapshot', async () => {
    const house = await buildHouse();
    await house.select();
    await house.confirm();
    house.redis.wipe();
    await house.rest();
    expect(books(house)).to.equal(sold);
  });

  it('edge 24: the order comes back while a live purchase holds it: a second payer is refused, and it is marked paying again', async () => {
    const house = await buildHouse();
    house.machine.setDelivery({ kind: 'delivers' }, 10_000);
    await house.select();
    await house.confirm();
    await house.advance(1000);
    house.redis.wipe();
    const order = { orderId: 'o', item: 3, amountMinor: 500n, currency: 'XOF', deliveryMs: 30_000 };
    await house.node('a').board.orders.place({ machineId: 'M-4567', orderSeq: 17, print: '17', order, waitMs: 58_000 });
    const second = await house.confirm({ purchaseId: secondId, payer: otherPayer });
    const seen = await house.node('a').board.orders.look('M-4567');
    expect([second, seen?.state, seen?.holder]).to.deep.equal([
      { kind: 'refused', reason: 'taken' },
      'paying',
      firstId,
    ]);
    await house.rest();
    expect([books(house), house.wallet.balanceOf(otherPayer)]).to.deep.equal([sold, 5000n]);
  });

  it('edge 24: Redis is wiped between claim and confirmation: dial again, nothing asked of the wallet', async () => {
    const house = await buildHouse();
    await house.select();
    house.redis.wipe();
    expect([await house.confirm(), house.wallet.calls]).to.deep.equal([{ kind: 'refused', reason: 'order_gone' }, []]);
  });

  it('edge 24: Redis is away at the confirmation: refused, nothing asked of the wallet', async () => {
    const house = await buildHouse();
    await house.select();
    house.redis.setReachable(false);
    expect([await house.confirm(), house.wallet.calls]).to.deep.equal([
      { kind: 'refused', reason: 'service_down' },
      [],
    ]);
  });

  it('edge 24: Redis is away while a purchase runs: it ends as ever', async () => {
    const house = await buildHouse();
    await house.select();
    await house.confirm();
    house.redis.setReachable(false);
    await house.rest();
    expect([books(house), house.node('a').troubles]).to.deep.equal([sold, ['board_not_told']]);
  });
});

describe('edges of the house: the journal', () => {
  it('edge 25: PostgreSQL is away: confirmations are refused, nothing debited, and the order is free again', async () => {
    const house = await buildHouse();
    await house.select();
    house.world.setReachable(false);
    const { payerId } = { payerId: 1n };
    const machine = { ...(await registered(house)) };
    const order = { orderId: 'o', item: 3, amountMinor: 500n, currency: 'XOF', deliveryMs: 30_000 };
    const yes = {
      purchaseId: firstId,
      machine,
      orderSeq: 17,
      order,
      productName: 'Coca',
      payerId,
      channel: 'ussd',
    } as const;
    const outcome = await house.node('a').purchases.confirm(yes);
    const seen = await house.node('a').board.orders.look('M-4567');
    expect([outcome, seen?.state, house.wallet.calls]).to.deep.equal([
      { kind: 'refused', reason: 'service_down' },
      'open',
      [],
    ]);
  });

  it('edge 25: PostgreSQL is away while the machine delivers: its result waits at the machine until it is committed', async () => {
    const house = await buildHouse();
    await house.select();
    await house.confirm();
    await house.advance(1000);
    house.world.setReachable(false);
    await house.advance(20_000);
    expect([house.machine.dropped(17), house.purchase().state]).to.deep.equal([1, 'approving']);
    house.world.setReachable(true);
    await house.rest();
    expect(books(house)).to.equal(sold);
  });

  it('edge 25: PostgreSQL is away when the wallet answers: the wallet is asked again later, nothing is lost', async () => {
    const house = await buildHouse();
    await house.select();
    await house.confirm();
    house.world.setReachable(false);
    await house.advance(5000);
    house.world.setReachable(true);
    await house.rest();
    expect([books(house), callsOf(house)]).to.deep.equal([sold, 'authorize/1, query authorize/1, settle/1']);
  });

  for (const isDone of [true, false]) {
    it(`edge 29: the commit of the confirmation has no answer, and it was ${isDone ? '' : 'not '}executed: one purchase, asked of the wallet once`, async () => {
      const house = await buildHouse();
      await house.select();
      house.node('a').failJournal({ on: 'begin', happened: 'unknown', isDone });
      const outcome = await during(house, 1000, house.confirm());
      expect(outcome.kind).to.equal(isDone ? 'exists' : 'begun');
      await house.rest();
      expect([books(house), callsOf(house)]).to.deep.equal([sold, 'authorize/1, settle/1']);
    });
  }

  it('edge 29: no answer for longer than a dialog lasts: in progress, never “nothing debited”; it goes on without him', async () => {
    const house = await buildHouse();
    await house.select();
    const silent = { on: 'begin', happened: 'unknown', isDone: false } as const;
    house.node('a').failJournal(...Array.from({ length: 16 }, () => silent));
    const outcome = await during(house, 8000, house.confirm());
    expect(outcome.kind).to.equal('unknown');
    await house.rest();
    expect(books(house)).to.equal(sold);
  });

  it('edge 29: no answer until less than the cut-off is left: nothing begins any more, and the payer is told', async () => {
    const house = await buildHouse();
    await house.select();
    const silent = { on: 'begin', happened: 'unknown', isDone: false } as const;
    house.node('a').failJournal(...Array.from({ length: 100 }, () => silent));
    const outcome = await during(house, 8000, house.confirm());
    await house.rest();
    expect([outcome.kind, house.world.tables.purchases.size, house.wallet.calls]).to.deep.equal(['unknown', 0, []]);
    expect(house.notices.map(({ template }) => template)).to.deep.equal(['declined']);
  });

  for (const isDone of [true, false]) {
    it(`edge 29: no answer, and half a second later it is too late to ask again: the payer hears once that nothing was debited, though the purchase ${isDone ? 'began' : 'did not begin'}`, async () => {
      const house = await buildHouse();
      await house.select();
      await house.advance(39_800);
      house.node('a').failJournal({ on: 'begin', happened: 'unknown', isDone });
      const outcome = await during(house, 1000, house.confirm());
      await house.rest();
      const told = house.notices.map(({ template }) => template);
      expect([outcome.kind, house.world.tables.purchases.size, told]).to.deep.equal([
        'unknown',
        isDone ? 1 : 0,
        ['declined'],
      ]);
      expect([house.wallet.balanceOf(payer), house.broken()]).to.deep.equal([5000n, []]);
    });
  }

  it('edge 29: the purchase turns out to have begun when it is too late to ask again: its own outcome tells', async () => {
    const house = await buildHouse();
    await house.select();
    const done = { on: 'begin', happened: 'unknown', isDone: true } as const;
    const silent = { on: 'begin', happened: 'unknown', isDone: false } as const;
    house.node('a').failJournal(done, ...Array.from({ length: 100 }, () => silent));
    const outcome = await during(house, 8000, house.confirm());
    await house.rest();
    expect([outcome.kind, house.world.tables.purchases.size, house.broken()]).to.deep.equal(['unknown', 1, []]);
    expect(house.notices.map(({ template }) => template)).to.not.include('declined');
  });

  it('edge 29: the order turns out to be another’s: the payer is told that nothing began', async () => {
    const house = await buildHouse();
    await house.select();
    const silent = { on: 'begin', happened: 'unknown', isDone: false } as const;
    house.node('a').failJournal(...Array.from({ length: 16 }, () => silent));
    const first = during(house, 8000, house.confirm());
    const unanswered = await first;
    house.world.tables.machines.set('M-4567', { isSuspended: true, seqFloor: 0 });
    await house.rest();
    expect([unanswered.kind, house.wallet.calls]).to.deep.equal(['unknown', []]);
    expect(house.notices.map(({ template }) => template)).to.deep.equal(['declined']);
  });

  it('edge 29: the first answer was lost and another payer’s purchase holds the order by then: his money is not asked for', async () => {
    const house = await buildHouse();
    await house.select();
    house.node('a').failJournal({ on: 'begin', happened: 'unknown', isDone: false });
    const first = house.confirm();
    await house.clock.settle();
    house.redis.wipe();
    const order = { orderId: 'o', item: 3, amountMinor: 500n, currency: 'XOF', deliveryMs: 30_000 };
    await house.node('b').board.orders.place({ machineId: 'M-4567', orderSeq: 17, print: '17', order, waitMs: 58_000 });
    await house.confirm({ purchaseId: secondId, payer: otherPayer, node: 'b' });
    expect(await during(house, 1000, first)).to.deep.equal({ kind: 'refused', reason: 'taken' });
    await house.rest();
    expect([house.wallet.balanceOf(payer), house.wallet.balanceOf(otherPayer), house.broken()]).to.deep.equal([
      5000n,
      4500n,
      [],
    ]);
  });
});

async function registered(house: House) {
  house.world.setReachable(true);
  const machine = await house.node('a').store.directory.machineById('M-4567');
  house.world.setReachable(false);
  if (machine === null) throw new Error('the machine is registered');
  return machine;
}
