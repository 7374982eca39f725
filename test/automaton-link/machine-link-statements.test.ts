import { expect } from 'chai';
import { aPurchase } from './support/fake-purchases.ts';
import { anOrder, type LinkWorld, openWorld, settle, until } from './support/link-world.ts';
import { aRequest, RawMachine } from './support/raw-machine.ts';

const success = { orderSeq: 1, approvalId: 'A9', item: 7, amount: 500, presumed: false, basis: null };

describe('the server of the machine link, once an order is paid', () => {
  let world: LinkWorld;
  beforeEach(async () => {
    world = await openWorld();
  });
  afterEach(() => world.close());
  const greeted = (hello?: Readonly<Record<string, unknown>>): Promise<RawMachine> =>
    new RawMachine(world.url).greeted(hello);

  describe('takes a statement', () => {
    const statements: readonly (readonly [
      string,
      Readonly<Record<string, unknown>>,
      Readonly<Record<string, unknown>>,
    ])[] = [
      ['vend.success', success, { type: 'vend_succeeded', basis: null }],
      ['vend.success', { ...success, presumed: true, basis: 'reboot' }, { type: 'vend_succeeded', basis: 'reboot' }],
      [
        'vend.success',
        { ...success, presumed: true, basis: 'no_result' },
        { type: 'vend_succeeded', basis: 'no_result' },
      ],
      ['vend.failure', { orderSeq: 1, approvalId: 'A9', code: 'jam' }, { type: 'vend_failed', code: 'jam' }],
      [
        'vend.closed',
        { orderSeq: 1, result: 'expired', approvalSeen: null },
        { type: 'vend_closed', result: 'expired' },
      ],
      ['vend.cancel', { orderSeq: 1, reason: 'user' }, { type: 'vend_closed', result: 'canceled' }],
    ];
    for (const [action, content, event] of statements) {
      it(`${action} ${JSON.stringify(event)}: answered when recorded, busy before`, async () => {
        const machine = await greeted();
        await machine.call('vend.request', aRequest());
        world.purchases.isBusy = true;
        expect((await machine.call(action, content))[2]).to.equal('busy');
        world.purchases.isBusy = false;
        expect((await machine.call(action, content))[0]).to.equal(3);
        expect(world.purchases.recorded.map((one) => one.event)).to.deep.equal([event]);
        expect(world.link.port.heldMachines()).to.deep.equal([]);
        await settle();
        expect(await world.board.look('machine-1')).to.include({ state: 'closed' });
      });
    }

    it('without the board', async () => {
      const machine = await greeted();
      await machine.call('vend.request', aRequest());
      world.redis.setReachable(false);
      expect((await machine.call('vend.success', success))[2]).to.deep.equal({});
      expect(
        (await machine.call('vend.closed', { orderSeq: 2, result: 'expired', approvalSeen: null }))[2],
      ).to.deep.equal({});
    });

    it('with its amount in whole minor units, as text', async () => {
      await (await greeted()).call('vend.success', success);
      expect(world.purchases.recorded[0]?.statement.content).to.deep.equal({ ...success, amount: '500' });
    });

    it('and tells a cancel what it met', async () => {
      const machine = await greeted();
      const cancel = { orderSeq: 1, reason: 'cash' };
      expect((await machine.call('vend.cancel', cancel))[2]).to.deep.equal({ status: 'already_closed' });
      await machine.call('vend.request', aRequest());
      expect((await machine.call('vend.cancel', cancel))[2]).to.deep.equal({ status: 'canceled' });
      world.purchases.views.push(aPurchase());
      expect((await machine.call('vend.cancel', cancel))[2]).to.deep.equal({ status: 'approval_in_flight' });
    });

    it('from an older socket too', async () => {
      const older = await greeted();
      const said = older.say('vend.success', success);
      await new RawMachine(world.url).greeted();
      expect(world.purchases.kinds()).to.deep.equal(['success']);
      expect(said).to.be.a('string');
    });
  });

  describe('puts an approval to the machine', () => {
    const approve = (): ReturnType<LinkWorld['link']['port']['approve']> =>
      world.link.port.approve({ order: anOrder(), approvalId: 'A9', validMs: 81_860.7 });

    it('in the shape of the contract', async () => {
      const machine = await greeted();
      void approve();
      expect((await machine.called('vend.approve'))[3]).to.deep.equal({
        orderSeq: 1,
        orderId: 'O1',
        approvalId: 'A9',
        amount: 500,
        currency: 'XOF',
        item: 7,
        validMs: 81_860,
      });
    });

    const answers: readonly (readonly [Readonly<Record<string, unknown>>, Readonly<Record<string, unknown>>])[] = [
      [{ status: 'accepted' }, { kind: 'accepted' }],
      [
        { status: 'duplicate', state: 'delivering' },
        { kind: 'duplicate', state: 'delivering' },
      ],
      [
        { status: 'rejected', reason: 'late' },
        { kind: 'rejected', reason: 'late' },
      ],
      [{ status: 'rejected', reason: 'no such reason' }, { kind: 'unknown' }],
      [{ status: 'whatever' }, { kind: 'unknown' }],
    ];
    for (const [result, answer] of answers) {
      it(`and reads ${JSON.stringify(result)} as ${String(answer['kind'])}`, async () => {
        const machine = await greeted();
        const asked = approve();
        machine.reply(await machine.called('vend.approve'), result);
        expect(await asked).to.deep.equal(answer);
      });
    }

    it('and reads an error as unknown', async () => {
      const machine = await greeted();
      const asked = approve();
      const call = await machine.called('vend.approve');
      machine.send(JSON.stringify([4, call[1], 'internal', '', { code: 'internal' }]));
      expect(await asked).to.deep.equal({ kind: 'unknown' });
    });

    it('and closes the order on the board when it is rejected, but not for unknown_order', async () => {
      const machine = await greeted();
      await machine.call('vend.request', aRequest());
      void approve();
      machine.reply(await machine.called('vend.approve'), { status: 'rejected', reason: 'unknown_order' });
      await settle();
      expect(await world.board.look('machine-1')).to.include({ state: 'open' });
      void approve();
      machine.reply(await machine.called('vend.approve', 2), { status: 'rejected', reason: 'late' });
      await settle();
      expect(await world.board.look('machine-1')).to.include({ state: 'closed' });
    });

    it('and knows nothing after three seconds of silence, but still hears the late answer', async () => {
      const machine = await greeted();
      const asked = approve();
      const call = await machine.called('vend.approve');
      await world.clock.advance(3_000);
      expect(await asked).to.deep.equal({ kind: 'unknown' });
      machine.reply(call, { status: 'accepted' });
      await until('late', () => world.late.length === 1);
      expect(world.late).to.deep.equal([
        { machineId: 'machine-1', orderSeq: 1, approvalId: 'A9', answer: { kind: 'accepted' } },
      ]);
    });

    it('and again under a new msgId, the first one no longer in the way', async () => {
      const machine = await greeted();
      const first = approve();
      await machine.called('vend.approve');
      const second = approve();
      const again = await machine.called('vend.approve', 2);
      machine.reply(again, { status: 'duplicate', state: 'delivering' });
      expect([await first, await second]).to.deep.equal([
        { kind: 'unknown' },
        { kind: 'duplicate', state: 'delivering' },
      ]);
      expect(again[1]).not.to.equal((await machine.called('vend.approve'))[1]);
    });

    it('and knows nothing when the socket ends before the answer', async () => {
      const machine = await greeted();
      const asked = approve();
      await machine.called('vend.approve');
      machine.socket.terminate();
      expect(await asked).to.deep.equal({ kind: 'unknown' });
    });

    it('and says so when there is no socket', async () => {
      expect(await approve()).to.deep.equal({ kind: 'not_here' });
      await new RawMachine(world.url).opened();
      expect(await approve()).to.deep.equal({ kind: 'not_here' });
    });

    it('with what is left when it is written, after it waited behind another call', async () => {
      const machine = await greeted();
      void world.link.port.queryOrder('machine-1', 1);
      const first = await machine.called('order.query');
      void approve();
      await world.clock.advance(2_000);
      machine.reply(first, { orders: [], waiting: null });
      expect((await machine.called('vend.approve'))[3]).to.include({ validMs: 79_860 });
    });

    it('not at all when it waited until nothing was left', async () => {
      const machine = await greeted();
      void world.link.port.queryOrder('machine-1', 1);
      const first = await machine.called('order.query');
      const asked = world.link.port.approve({ order: anOrder(), approvalId: 'A9', validMs: 2_000 });
      await world.clock.advance(2_000);
      machine.reply(first, { orders: [], waiting: null });
      expect(await asked).to.deep.equal({ kind: 'not_here' });
      void world.link.port.queryOrder('machine-1', 2);
      await machine.called('order.query', 2);
      expect(world.calls().includes('<vend.approve')).to.equal(false);
    });

    it('before anything else that is queued', async () => {
      const machine = await greeted();
      void world.link.port.queryOrder('machine-1', 1);
      const first = await machine.called('order.query');
      void world.link.port.queryOrder('machine-1', 2);
      void approve();
      await settle();
      machine.reply(first, { orders: [], waiting: null });
      machine.reply(await machine.called('vend.approve'), { status: 'accepted' });
      await machine.called('order.query', 2);
      const calls = machine.frames.filter(([type]) => type === 2).map(([, , action]) => action);
      expect(calls).to.deep.equal(['order.query', 'vend.approve', 'order.query']);
    });
  });

  it('tells whether an order could be asked for', async () => {
    expect(await world.link.port.queryOrder('machine-1', 1)).to.equal(false);
    const machine = await greeted();
    const asked = world.link.port.queryOrder('machine-1', 1);
    machine.reply(await machine.called('order.query'), { orders: [], waiting: null });
    expect(await asked).to.equal(true);
  });

  it('tells a machine that nobody will pay', async () => {
    await world.link.port.deny({ machineId: 'machine-1', orderSeq: 1, reason: 'not_paid' });
    const machine = await greeted();
    const asked = world.link.port.deny({ machineId: 'machine-1', orderSeq: 1, reason: 'not_paid' });
    const call = await machine.called('vend.deny');
    expect(call[3]).to.deep.equal({ orderSeq: 1, reason: 'not_paid' });
    machine.reply(call, { status: 'closed' });
    await asked;
  });

  it('lets a running statement be answered before it sends its machines away', async () => {
    const machine = await greeted();
    const said = machine.say('vend.success', success);
    await until('arrived', () => world.calls().includes('>vend.success'));
    const closing = world.link.close();
    expect((await machine.answerTo(said))[2]).to.deep.equal({});
    expect(await machine.closed()).to.equal(4009);
    await closing;
  });
});
