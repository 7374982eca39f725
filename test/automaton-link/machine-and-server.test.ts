import { expect } from 'chai';
import type { SimulatedMachine } from '../../simulators/machine.ts';
import { aPurchase } from './support/fake-purchases.ts';
import { anOrder, expectNoNumbers, type LinkWorld, openWorld, settle, until } from './support/link-world.ts';

describe('a machine and the server', () => {
  let world: LinkWorld;
  let machine: SimulatedMachine;
  beforeEach(async () => {
    world = await openWorld();
    machine = world.machine();
    await machine.powerOn();
    await until('connected', () => world.link.port.holds('machine-1'));
  });
  afterEach(() => world.close());

  async function select(item = 7): Promise<void> {
    machine.select(item);
    await until('shown', () => machine.display === '*123*4567#');
  }
  const approve = (over: Parameters<typeof anOrder>[0] = {}): ReturnType<LinkWorld['link']['port']['approve']> =>
    world.link.port.approve({ order: anOrder(over), approvalId: 'approval-purchase-1', validMs: 90_000 });
  const recorded = (count: number): Promise<void> =>
    until(`${count} recorded`, () => world.purchases.recorded.length === count);

  it('carry an order to its delivery in four calls', async () => {
    await select();
    expect(await world.board.look('machine-1')).to.include({ orderSeq: 1, state: 'open' });
    expect(await approve()).to.deep.equal({ kind: 'accepted' });
    await world.clock.advance(300);
    await recorded(1);
    expect(world.purchases.recorded[0]).to.deep.include({
      event: { type: 'vend_succeeded', basis: null },
      approvalId: 'approval-purchase-1',
    });
    await until('acknowledged', () => machine.status().agent?.unacked === 0);
    expect(machine.dropped(7)).to.equal(1);
    expect(world.calls()).to.deep.equal(['>hello', '>vend.request', '<vend.approve', '>vend.success']);
  });

  it('keep what the payer is from the machine, whatever the order was copied from', async () => {
    await select();
    const number = '221770001234';
    await approve({ productName: number, operatorAccount: number, machineNumber: number });
    await world.link.port.deny({ machineId: 'machine-1', orderSeq: 9, reason: 'not_paid' });
    await world.link.port.queryOrder('machine-1', 1);
    expect(world.frames.filter(({ to }) => to === 'machine')).to.have.length(5);
    expectNoNumbers(world.frames);
    expect(() =>
      expectNoNumbers([{ machineId: 'machine-1', to: 'machine', text: `[3,"m",{"x":"${number}"}]` }]),
    ).to.throw('a number went');
  });

  it('let a result wait until it is recorded', async () => {
    world.purchases.isBusy = true;
    await select();
    await approve();
    await world.pass(1_000);
    expect([machine.dropped(), machine.status().agent?.unacked]).to.deep.equal([1, 1]);
    world.purchases.isBusy = false;
    await world.pass(5_000);
    expect(world.purchases.kinds()).to.deep.equal(['success']);
    expect(machine.status().agent?.unacked).to.equal(0);
  });

  it('find each other again after a lost link: the acceptance noted, the result recorded', async () => {
    await select();
    world.purchases.views.push(aPurchase());
    machine.hardware.setDeliveryTime(10_000);
    await approve();
    machine.goOffline();
    await world.pass(1_000);
    machine.goOnline();
    await until('noted', () => world.purchases.accepted.length === 1);
    expect(world.purchases.accepted[0]).to.deep.equal({
      machineId: 'machine-1',
      orderSeq: 1,
      approvalId: 'approval-purchase-1',
    });
    await world.pass(10_000);
    await recorded(1);
    expect(machine.dropped()).to.equal(1);
  });

  it('replay what happened while the server was gone for good', async () => {
    await select();
    machine.powerCutAt('after_delivery');
    await approve();
    await world.clock.advance(300);
    expect([machine.dropped(), machine.status().isOn]).to.deep.equal([1, false]);
    await world.pass(60_000, 1_000);
    await machine.powerOn();
    await recorded(1);
    expect(world.purchases.recorded[0]?.event).to.deep.equal({ type: 'vend_succeeded', basis: 'reboot' });
  });

  it('answer the question after an order whose end the server does not know', async () => {
    await select();
    await approve();
    await world.clock.advance(300);
    await recorded(1);
    await until('acknowledged', () => machine.status().agent?.unacked === 0);
    expect(await world.link.port.queryOrder('machine-1', 1)).to.equal(true);
    await recorded(2);
    expect(world.purchases.kinds()).to.deep.equal(['success', 'success']);
  });

  it('bring an open order back to a wiped board', async () => {
    await select();
    world.redis.wipe();
    expect(await world.board.look('machine-1')).to.equal(null);
    await world.pass(6_000);
    await until('asked again', () => world.calls().filter((call) => call === '>vend.request').length === 2);
    await settle();
    expect(await world.board.look('machine-1')).to.include({ orderSeq: 1, state: 'open' });
  });

  it('end an order whose waiting time is over, on the board too', async () => {
    await select();
    machine.skip(120_000);
    await recorded(1);
    expect(world.purchases.recorded[0]?.event).to.deep.equal({ type: 'vend_closed', result: 'expired' });
    expect(await world.board.look('machine-1')).to.include({ state: 'closed' });
    expect(machine.hardware.isFree).to.equal(true);
  });

  it('end an order that the customer cancels while he pays', async () => {
    await select();
    world.purchases.views.push(aPurchase({ state: 'authorizing' }));
    machine.cancel();
    await recorded(1);
    expect(world.frames.at(-1)?.text).to.contain('approval_in_flight');
    expect(await approve()).to.deep.equal({ kind: 'rejected', reason: 'canceled' });
    expect(machine.dropped()).to.equal(0);
  });

  it('give the price of the catalog to a machine that has none', async () => {
    const registered = world.directory.machines.get('machine-1');
    if (registered === undefined) throw new Error('not registered');
    world.directory.machines.set('machine-1', { ...registered, priceMode: 'server' });
    world.directory.items.set('machine-1/10', { productName: 'Tea', priceMinor: 250n });
    await select(10);
    const price = { minor: 250n, currency: 'XOF' };
    expect(await approve({ item: 10, price })).to.deep.equal({ kind: 'accepted' });
  });

  it('go on after the server has sent every machine away', async () => {
    await select();
    const other = await openWorld();
    try {
      await world.link.close();
      await settle();
      expect(machine.status().agent?.link).to.equal('waiting');
      expect(machine.display).to.equal('*123*4567#');
    } finally {
      await other.close();
    }
  });

  it('work for a machine that sleeps between orders', async () => {
    machine.powerCut();
    machine = world.machine({ staysConnected: false });
    await machine.powerOn();
    await until('gone', () => !world.link.port.holds('machine-1'));
    await select();
    await approve();
    await world.pass(400, 100);
    await recorded(1);
    await world.pass(4_000);
    await until('asleep', () => !world.link.port.holds('machine-1'));
    expect(machine.status().agent?.link).to.equal('asleep');
  });
});
