import { expect } from 'chai';
import { aPurchase } from './support/fake-purchases.ts';
import { aMachine, type LinkWorld, openWorld, settle, until } from './support/link-world.ts';
import { aHello, aRequest, fieldOf, helloCaps, RawMachine } from './support/raw-machine.ts';

describe('the server of the machine link', () => {
  let world: LinkWorld;
  beforeEach(async () => {
    world = await openWorld();
  });
  afterEach(() => world.close());
  const greeted = (hello?: Readonly<Record<string, unknown>>): Promise<RawMachine> =>
    new RawMachine(world.url).greeted(hello);
  const register = (over: Parameters<typeof aMachine>[0]): void => {
    world.directory.machines.set('machine-1', aMachine(over));
  };

  describe('greets a machine', () => {
    it('with its number, the timers and the highest order number seen', async () => {
      world.purchases.seqFloor = 41;
      const machine = await new RawMachine(world.url).opened();
      expect((await machine.call('hello', aHello()))[2]).to.deep.equal({
        serverTime: '2026-06-01T12:00:00.000Z',
        machineNumber: '4567',
        seqFloor: 41,
        suspended: false,
        pingMs: 20_000,
        idlePingMs: 120_000,
        heartbeatMs: 300_000,
        cutoffMs: 20_000,
        configRev: 0,
      });
    });

    it('with the number on the board, when that is the highest', async () => {
      await (await greeted()).call('vend.request', aRequest({ orderSeq: 43 }));
      world.purchases.seqFloor = 41;
      const again = await new RawMachine(world.url).opened();
      expect((await again.call('hello', aHello()))[2]).to.include({ seqFloor: 43 });
    });

    it('only in its registered currency', async () => {
      const machine = await new RawMachine(world.url).opened();
      const caps = { ...helloCaps, currency: 'KES', exp: 2 };
      expect((await machine.call('hello', aHello({ caps })))[2]).to.equal('config_mismatch');
      expect(world.link.port.holds('machine-1')).to.equal(false);
    });

    it('later, when the journal is away, on the same connection', async () => {
      world.purchases.isAway = true;
      const machine = await new RawMachine(world.url).opened();
      expect((await machine.call('hello', aHello()))[2]).to.equal('busy');
      expect((await machine.call('heartbeat', {}))[2]).to.equal('bad_message');
      world.purchases.isAway = false;
      expect((await machine.call('hello', aHello()))[0]).to.equal(3);
    });

    it('also without the board, and writes the route when the board is back', async () => {
      world.redis.setReachable(false);
      await greeted();
      world.redis.setReachable(true);
      await world.clock.advance(5_000);
      await settle();
      expect(await world.presence.whereIs('machine-1')).to.equal(world.presence.node);
    });

    it('and wakes the worker, after the repeated request when an order waits', async () => {
      await greeted();
      expect(world.woken).to.deep.equal(['machine-1']);
      const machine = await greeted({ lastSeq: 1, open: [{ orderSeq: 1, state: 'waiting' }] });
      await settle();
      expect(world.woken).to.have.length(1);
      await machine.call('vend.request', aRequest());
      await until('woken', () => world.woken.length === 2);
    });

    it('and wakes the worker after two seconds when the request does not come', async () => {
      await greeted({ lastSeq: 1, open: [{ orderSeq: 1, state: 'waiting' }] });
      await settle();
      await world.clock.advance(1_999);
      expect(world.woken).to.have.length(0);
      await world.clock.advance(1);
      expect(world.woken).to.have.length(1);
    });

    it('and notes the acceptance of our own approval, of no other', async () => {
      world.purchases.views.push(aPurchase({ orderSeq: 1, id: 'p1' }), aPurchase({ orderSeq: 2, id: 'p2' }));
      await greeted({
        lastSeq: 3,
        open: [
          { orderSeq: 1, state: 'delivering', approvalId: 'approval-p1' },
          { orderSeq: 2, state: 'approved', approvalId: 'approval-p1' },
          { orderSeq: 3, state: 'approved', approvalId: 'approval-p3' },
        ],
      });
      await settle();
      expect(world.purchases.accepted).to.deep.equal([
        { machineId: 'machine-1', orderSeq: 1, approvalId: 'approval-p1' },
      ]);
    });

    it('and asks for orders whose end is not known', async () => {
      world.purchases.views.push(
        aPurchase({ orderSeq: 1, id: 'p1', state: 'vending' }),
        aPurchase({ orderSeq: 2, id: 'p2', state: 'in_doubt' }),
        aPurchase({ orderSeq: 3, id: 'p3', state: 'approving' }),
        aPurchase({ orderSeq: 4, id: 'p4', state: 'in_doubt' }),
      );
      const machine = await greeted({ lastSeq: 4, open: [{ orderSeq: 4, state: 'succeeded', approvalId: 'x' }] });
      const query = await machine.called('order.query');
      expect(query[3]).to.deep.equal({ orderSeqs: [1, 2] });
      machine.reply(query, {
        orders: [{ orderSeq: 1, state: 'delivering', approvalId: 'approval-p1' }],
        waiting: null,
      });
      await until('noted', () => world.purchases.accepted.length === 1);
    });
  });

  describe('takes an order', () => {
    it('and says what to show and how long it can be paid', async () => {
      const machine = await greeted();
      const answer = await machine.call('vend.request', aRequest({ ageMs: 2_140 }));
      const orderId = String(fieldOf(answer[2], 'orderId'));
      expect(orderId).to.match(/^[0-9A-Z]{26}$/);
      expect(answer[2]).to.deep.equal({
        status: 'waiting',
        orderId,
        amount: 500,
        currency: 'XOF',
        payBeforeMs: 92_860,
        text: '*123*4567#',
      });
      expect(await world.board.look('machine-1')).to.deep.include({ orderSeq: 1, state: 'open', leftMs: 112_860 });
      expect(world.link.port.heldMachines()).to.deep.equal(['machine-1']);
    });

    it('again with the same answer, and keeps the earliest deadline', async () => {
      const machine = await greeted();
      const first = await machine.call('vend.request', aRequest());
      const second = await machine.call('vend.request', aRequest());
      expect(second[2]).to.deep.equal(first[2]);
    });

    it('of a higher number in place of the one before', async () => {
      const machine = await greeted();
      await machine.call('vend.request', aRequest());
      await machine.call('vend.request', aRequest({ orderSeq: 2 }));
      expect(await world.board.look('machine-1')).to.include({ orderSeq: 2 });
    });

    const denials: readonly (readonly [
      string,
      Parameters<typeof aMachine>[0],
      Readonly<Record<string, unknown>>,
      string,
    ])[] = [
      ['a suspended machine', { isSuspended: true }, {}, 'suspended'],
      ['an amount above the bounds', {}, { amount: 5_001 }, 'amount_out_of_bounds'],
      ['an amount below the bounds', {}, { amount: 49 }, 'amount_out_of_bounds'],
      ['no amount where the machine sets the price', {}, { amount: null }, 'price_mismatch'],
      ['an item without a price in the catalog', { priceMode: 'server' }, { item: 99 }, 'price_mismatch'],
      ['an amount unlike the catalog', { priceMode: 'server' }, { amount: 501 }, 'price_mismatch'],
      ['no amount where both must agree', { priceMode: 'both' }, { amount: null }, 'price_mismatch'],
      ['too short a wait', {}, { maxWaitMs: 30_000, ageMs: 5_000 }, 'wait_too_short'],
    ];
    for (const [what, over, fields, reason] of denials) {
      it(`not with ${what}`, async () => {
        register(over);
        world.directory.items.set('machine-1/7', { productName: 'Water', priceMinor: 500n });
        const machine = await greeted();
        expect((await machine.call('vend.request', aRequest(fields)))[2]).to.deep.equal({ status: 'denied', reason });
        expect(await world.board.look('machine-1')).to.equal(null);
      });
    }

    it('at the price of the catalog where the machine has none', async () => {
      register({ priceMode: 'server' });
      world.directory.items.set('machine-1/7', { productName: 'Water', priceMinor: 450n });
      const machine = await greeted();
      expect((await machine.call('vend.request', aRequest({ amount: null })))[2]).to.include({ amount: 450 });
    });

    it('not with other content under the same number', async () => {
      const machine = await greeted();
      await machine.call('vend.request', aRequest());
      expect((await machine.call('vend.request', aRequest({ amount: 600 })))[2]).to.equal('order_conflict');
    });

    it('not under a number that was used before', async () => {
      world.purchases.seqFloor = 41;
      const machine = await greeted();
      const answer = await machine.call('vend.request', aRequest({ orderSeq: 40 }));
      expect(answer.slice(2)).to.deep.equal([
        'stale_seq',
        'this number has been used',
        { code: 'stale_seq', seqFloor: 41 },
      ]);
    });

    it('not in another currency than the registered one', async () => {
      const machine = await greeted();
      expect((await machine.call('vend.request', aRequest({ currency: 'KES' })))[2]).to.equal('config_mismatch');
    });

    it('not from a machine whose key was revoked meanwhile', async () => {
      const machine = await greeted();
      register({ credentialMacs: [] });
      expect((await machine.call('vend.request', aRequest()))[2]).to.equal('unauthorized');
      expect(await machine.closed()).to.equal(4003);
    });

    it('later, when the board is away', async () => {
      const machine = await greeted();
      world.redis.setReachable(false);
      expect((await machine.call('vend.request', aRequest()))[2]).to.equal('busy');
      world.redis.setReachable(true);
      expect((await machine.call('vend.request', aRequest()))[2]).to.include({ status: 'waiting' });
    });

    it('for what is left of its wait when it is placed, however long that took', async () => {
      const machine = await greeted();
      const machineById = world.directory.machineById.bind(world.directory);
      world.directory.machineById = async (machineId) => {
        await world.clock.advance(3_000);
        return machineById(machineId);
      };
      await machine.call('vend.request', aRequest({ maxWaitMs: 60_000, ageMs: 0 }));
      expect((await world.board.look('machine-1'))?.leftMs).to.equal(60_000 - 3_000 - 5_000);
    });

    it('that a live purchase holds back on a wiped board as paying', async () => {
      const machine = await greeted();
      await machine.call('vend.request', aRequest());
      world.purchases.views.push(aPurchase({ state: 'authorizing', price: { minor: 500n, currency: 'XOF' } }));
      world.redis.wipe();
      register({ isSuspended: true, maxMinor: 100n });
      expect((await machine.call('vend.request', aRequest()))[2]).to.include({ status: 'waiting', amount: 500 });
      expect(await world.board.look('machine-1')).to.include({ state: 'paying', holder: 'purchase-1' });
    });

    it('that an ended purchase held not again', async () => {
      world.purchases.seqFloor = 1;
      world.purchases.views.push(aPurchase({ state: 'completed' }));
      const machine = await greeted();
      expect((await machine.call('vend.request', aRequest()))[2]).to.equal('stale_seq');
    });

    it('again from every machine when the board was wiped, from those with an order in play first', async () => {
      const machine = await greeted();
      await machine.call('vend.request', aRequest());
      world.redis.wipe();
      await world.pass(6_000);
      expect((await machine.called('order.query'))[3]).to.deep.equal({ orderSeqs: [] });
    });
  });
});
