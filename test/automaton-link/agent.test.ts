import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createSimulatedMachine, type MachineOptions, type SimulatedMachine } from '../../simulators/machine.ts';
import { Journal } from '../../src/automaton-link/agent/journal.ts';
import { createJournalFile } from '../../src/automaton-link/agent/journal-file.ts';
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts';
import { settle, until } from './support/link-world.ts';
import { fieldOf, type RawFrame } from './support/raw-machine.ts';
import { floorReply, RawServer } from './support/raw-server.ts';

const approval = {
  orderSeq: 1,
  orderId: 'O1',
  approvalId: 'A9',
  amount: 500,
  currency: 'XOF',
  item: 7,
  validMs: 100_000,
};

describe('a machine agent', () => {
  let server: RawServer;
  let clock: FakeClock;
  let folder: string;
  let machine: SimulatedMachine;
  beforeEach(async () => {
    server = await new RawServer().open();
    clock = createFakeClock();
    folder = mkdtempSync(join(tmpdir(), 'relais-agent-'));
    machine = make();
  });
  afterEach(async () => {
    machine.stall(false);
    machine.powerCut();
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function make(over: Partial<MachineOptions> = {}): SimulatedMachine {
    return createSimulatedMachine({
      machineId: 'machine-1',
      key: 'k',
      url: server.url,
      folder,
      currency: 'XOF',
      goods: [
        { item: 7, name: 'Water', price: 500n, stock: 500 },
        { item: 8, name: 'Juice', price: 700n, stock: 500 },
        { item: 9, name: 'Free', price: 0n, stock: 9 },
        { item: 10, name: 'Unpriced', price: null, stock: 9 },
      ],
      clock,
      ...over,
    });
  }
  async function connected(over: Partial<MachineOptions> = {}): Promise<void> {
    machine = make(over);
    await machine.powerOn();
    const isAwake = over.staysConnected ?? true;
    if (isAwake) await until('ready', () => machine.status().agent?.link === 'ready');
  }
  /** An order of item 7 that the server has answered. */
  async function waiting(over: Partial<MachineOptions> = {}): Promise<void> {
    await connected(over);
    machine.select(7);
    await until('waiting', () => machine.display === '*123*4567#');
  }
  async function pass(ms: number, stepMs = 500): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      await settle();
      await clock.advance(Math.min(stepMs, left));
    }
    await settle();
  }
  const approve = (over: object = {}): Promise<RawFrame> => server.call('vend.approve', { ...approval, ...over });
  const rejected = (reason: string): unknown => ({ status: 'rejected', reason });

  describe('delivers', () => {
    it('once, when the approval is right, and says so until it is answered', async () => {
      await waiting();
      expect((await approve())[2]).to.deep.equal({ status: 'accepted' });
      await pass(300);
      expect(await server.called('vend.success')).to.deep.equal({
        orderSeq: 1,
        approvalId: 'A9',
        item: 7,
        amount: 500,
        presumed: false,
        basis: null,
      });
      await until('acknowledged', () => machine.status().agent?.unacked === 0);
      expect(machine.dropped(7)).to.equal(1);
    });

    it('only after accepted has left and the delivery is on disk', async () => {
      await waiting();
      machine.powerCutAt('before_delivery');
      server.say('vend.approve', approval);
      await until('accepted', () => server.answers.length === 1);
      expect(server.answers[0]?.[2]).to.deep.equal({ status: 'accepted' });
      expect([machine.hardware.goAheads, machine.status().isOn]).to.deep.equal([0, false]);
    });

    it('one good for the same approval twice, under whatever msgId', async () => {
      await waiting();
      const answers = [await approve(), await approve()];
      await pass(300);
      await server.called('vend.success');
      answers.push(await approve());
      expect(answers.map(([, , result]) => result)).to.deep.equal([
        { status: 'accepted' },
        { status: 'duplicate', state: 'delivering' },
        { status: 'duplicate', state: 'succeeded' },
      ]);
      expect([machine.dropped(), machine.hardware.goAheads]).to.deep.equal([1, 1]);
    });

    it('nothing more for that approval after a reboot', async () => {
      await waiting();
      await approve();
      await pass(300);
      await until('acknowledged', () => machine.status().agent?.unacked === 0);
      machine.powerCut();
      await machine.powerOn();
      await until('again', () => machine.status().agent?.link === 'ready');
      expect((await approve())[2]).to.deep.equal({ status: 'duplicate', state: 'succeeded' });
      expect(machine.dropped()).to.equal(1);
    });

    it('at the price that the server told, when it has none of its own', async () => {
      await connected();
      machine.select(10);
      await until('waiting', () => machine.display === '*123*4567#');
      expect((await server.called('vend.request'))['amount']).to.equal(null);
      expect((await approve({ item: 10, amount: 501 }))[2]).to.deep.equal(rejected('amount_mismatch'));
    });

    it('and lets a lost link wait for the result', async () => {
      await waiting();
      machine.hardware.setDeliveryTime(5_000);
      await approve();
      machine.goOffline();
      await pass(6_000);
      expect([machine.dropped(), server.contents('vend.success').length]).to.deep.equal([1, 0]);
      machine.goOnline();
      await server.called('vend.success');
      expect(server.contents('hello')[1]?.['open']).to.deep.equal([
        { orderSeq: 1, state: 'succeeded', approvalId: 'A9' },
      ]);
    });
  });

  describe('rejects an approval', () => {
    it('of another name than the one it has', async () => {
      await waiting();
      await approve();
      expect((await approve({ approvalId: 'A8' }))[2]).to.deep.equal(rejected('other_approval'));
      await pass(300);
      expect(machine.dropped()).to.equal(1);
    });

    it('past its own deadline, without having heard a word of it', async () => {
      await waiting();
      machine.skip(118_000);
      expect((await approve())[2]).to.deep.equal(rejected('late'));
      expect((await server.called('vend.closed'))['result']).to.equal('expired');
      expect([machine.dropped(), machine.hardware.isFree]).to.deep.equal([0, true]);
    });

    it('that a stalled link held back past the deadline', async () => {
      await waiting();
      machine.stall(true);
      server.say('vend.approve', { ...approval, validMs: 250_000 });
      await settle();
      machine.skip(121_000);
      expect(machine.hardware.isFree).to.equal(true);
      machine.stall(false);
      await until('answered', () => server.answers.length === 1);
      expect(server.answers[0]?.[2]).to.deep.equal(rejected('late'));
      expect(await server.called('vend.closed')).to.deep.equal({ orderSeq: 1, result: 'expired', approvalSeen: null });
      expect(machine.dropped()).to.equal(0);
    });

    it('of another amount, and then the right one too', async () => {
      await waiting();
      expect((await approve({ amount: 501 }))[2]).to.deep.equal(rejected('amount_mismatch'));
      expect((await approve())[2]).to.deep.equal(rejected('already_closed'));
      expect(await server.called('vend.closed')).to.deep.equal({ orderSeq: 1, result: 'rejected', approvalSeen: 'A9' });
      expect([machine.dropped(), machine.hardware.isFree]).to.deep.equal([0, true]);
    });

    it('of another item', async () => {
      await waiting();
      expect((await approve({ item: 8 }))[2]).to.deep.equal(rejected('amount_mismatch'));
    });

    it('of the selection before, and serves the new one', async () => {
      await waiting();
      machine.select(8);
      await server.called('vend.request', 2);
      expect((await approve())[2]).to.deep.equal(rejected('replaced'));
      expect((await approve({ orderSeq: 2, item: 8, amount: 700 }))[2]).to.deep.equal({ status: 'accepted' });
      await pass(300);
      expect([machine.dropped(7), machine.dropped(8)]).to.deep.equal([0, 1]);
      expect(server.contents('vend.closed')).to.deep.equal([{ orderSeq: 1, result: 'replaced', approvalSeen: null }]);
    });

    it('after the customer canceled, which it tells at once', async () => {
      await waiting();
      machine.cancel();
      expect(await server.called('vend.cancel')).to.deep.equal({ orderSeq: 1, reason: 'user' });
      expect((await approve())[2]).to.deep.equal(rejected('canceled'));
      expect([machine.status().agent?.unacked, server.contents('vend.closed')]).to.deep.equal([0, []]);
    });

    it('after coins went in', async () => {
      await waiting();
      machine.hardware.payCash();
      expect(await server.called('vend.cancel')).to.deep.equal({ orderSeq: 1, reason: 'cash' });
      expect((await approve())[2]).to.deep.equal(rejected('canceled'));
    });

    it('of a number it never gave out, and never gives that number out', async () => {
      await connected();
      expect((await approve({ orderSeq: 5 }))[2]).to.deep.equal(rejected('unknown_order'));
      machine.select(7);
      expect((await server.called('vend.request'))['orderSeq']).to.equal(6);
    });

    it('while its controller is away', async () => {
      await waiting();
      machine.hardware.setDown(true);
      expect((await server.called('vend.closed'))['result']).to.equal('down');
      expect((await approve())[2]).to.deep.equal(rejected('already_closed'));
      machine.select(7);
      expect([machine.status().agent?.outOfOrder, machine.status().agent?.order]).to.deep.equal(['hardware', null]);
      expect(await server.called('status')).to.include({ status: 'out_of_order' });
      machine.hardware.setDown(false);
      expect(await server.called('status', 2)).to.include({ status: 'available' });
    });
  });

  describe('says what came of it', () => {
    it('a failure of the controller', async () => {
      await waiting();
      machine.setFault('jam');
      await approve();
      await pass(300);
      expect(await server.called('vend.failure')).to.deep.equal({ orderSeq: 1, approvalId: 'A9', code: 'jam' });
      expect([machine.dropped(), machine.hardware.isFree]).to.deep.equal([0, true]);
    });

    it('a controller that never says anything', async () => {
      await waiting();
      machine.setFault('hang');
      await approve();
      await pass(59_000, 1_000);
      expect(server.contents('vend.success')).to.deep.equal([]);
      await pass(1_000);
      expect(await server.called('vend.success')).to.include({ presumed: true, basis: 'no_result' });
      expect(machine.hardware.isFree).to.equal(true);
    });

    it('a controller that was reset', async () => {
      await waiting();
      machine.setFault('vmc_reset');
      await approve();
      await pass(300);
      expect(await server.called('vend.success')).to.include({ presumed: true, basis: 'vmc_reset' });
    });

    const boots = [
      ['before_acceptance', 'vend.closed', { result: 'rebooted' }, 0],
      ['after_acceptance', 'vend.failure', { code: 'not_started' }, 0],
      ['before_delivery', 'vend.success', { presumed: true, basis: 'reboot' }, 0],
      ['after_delivery', 'vend.success', { presumed: true, basis: 'reboot' }, 1],
      ['before_acknowledgement', 'vend.success', { presumed: false, basis: null }, 1],
    ] as const;
    for (const [point, action, content, dropped] of boots) {
      it(`after the power went ${point}: ${action} ${JSON.stringify(content)}`, async () => {
        await waiting();
        machine.powerCutAt(point);
        server.say('vend.approve', approval);
        await pass(400);
        await until('off', () => !machine.status().isOn);
        const said = server.contents(action).length;
        await machine.powerOn();
        expect(await server.called(action, said + 1)).to.deep.include(content);
        await until('acknowledged', () => machine.status().agent?.unacked === 0);
        expect([machine.dropped(), machine.hardware.isFree]).to.deep.equal([dropped, true]);
      });
    }

    it('and an order that waited when the power went', async () => {
      await waiting();
      machine.powerCut();
      await machine.powerOn();
      expect(await server.called('vend.closed')).to.deep.equal({ orderSeq: 1, result: 'rebooted', approvalSeen: null });
      expect((await approve())[2]).to.deep.equal(rejected('late'));
    });
  });

  describe('repeats a statement', () => {
    it('with the same content and a new msgId, after ten seconds without an answer', async () => {
      server.replies.set('vend.success', 'silence');
      await waiting();
      await approve();
      await pass(300);
      await server.called('vend.success');
      await pass(10_000);
      await server.called('vend.success', 2);
      const said = server.calls.filter(([, , action]) => action === 'vend.success');
      expect(said[1]?.[3]).to.deep.equal(said[0]?.[3]);
      expect(said[1]?.[1]).not.to.equal(said[0]?.[1]);
    });

    it('and switches its modem off after three times, for longer each time', async () => {
      server.replies.set('vend.success', 'silence');
      await waiting();
      await approve();
      await pass(32_000, 1_000);
      expect([server.contents('vend.success').length, server.connections]).to.deep.equal([3, 1]);
      await pass(76_000, 1_000);
      await server.called('hello', 2);
      await pass(32_000, 1_000);
      expect(server.contents('vend.success').length).to.equal(6);
      await pass(200_000, 5_000);
      expect(server.connections).to.equal(2);
      server.replies.clear();
      await pass(180_000, 5_000);
      await until('acknowledged', () => machine.status().agent?.unacked === 0);
    });

    it('after the time that a busy server names', async () => {
      server.replies.set('vend.success', { error: 'busy', details: { retryMs: 7_000 } });
      await waiting();
      await approve();
      await pass(300);
      await server.called('vend.success');
      await pass(6_900, 100);
      expect(server.contents('vend.success')).to.have.length(1);
      server.replies.clear();
      await pass(200, 100);
      await server.called('vend.success', 2);
      await until('acknowledged', () => machine.status().agent?.unacked === 0);
    });

    it('over every new connection, the live request first, then oldest first, one by one', async () => {
      server.replies.set('vend.closed', { error: 'busy', details: { retryMs: 60_000 } });
      await waiting();
      for (const [place, item] of [8, 7, 8].entries()) {
        machine.select(item);
        await server.called('vend.request', place + 2);
      }
      await server.called('vend.closed');
      await settle();
      server.replies.clear();
      machine.goOffline();
      const before = server.calls.length;
      machine.goOnline();
      await until('all said', () => machine.status().agent?.unacked === 0);
      const said = server.calls
        .slice(before)
        .map(([, , action, content]) => `${String(action)} ${JSON.stringify(fieldOf(content, 'orderSeq') ?? null)}`);
      expect(said).to.deep.equal(['hello null', 'vend.request 4', 'vend.closed 1', 'vend.closed 2', 'vend.closed 3']);
    });

    it('not to a server that cannot read it, until the next connection', async () => {
      server.replies.set('vend.success', { error: 'bad_message' });
      await waiting();
      await approve();
      await pass(300);
      await server.called('vend.success');
      await pass(60_000, 1_000);
      expect(server.contents('vend.success')).to.have.length(1);
      server.replies.clear();
      machine.goOffline();
      machine.goOnline();
      await until('acknowledged', () => machine.status().agent?.unacked === 0);
    });

    it('that was acknowledged long ago, when it is asked for', async () => {
      await waiting();
      await approve();
      await pass(300);
      await until('acknowledged', () => machine.status().agent?.unacked === 0);
      const answer = await server.call('order.query', { orderSeqs: [1, 2] });
      expect(answer[2]).to.deep.equal({
        orders: [
          { orderSeq: 1, state: 'succeeded', approvalId: 'A9' },
          { orderSeq: 2, state: 'unknown', approvalId: null },
        ],
        waiting: null,
      });
      await server.called('vend.success', 2);
    });

    it('and its order, when it is asked for what waits', async () => {
      await waiting();
      expect((await server.call('order.query', { orderSeqs: [] }))[2]).to.deep.equal({ orders: [], waiting: 1 });
      await clock.advance(100);
      const again = await server.called('vend.request', 2);
      expect([again['orderSeq'], again['amount']]).to.deep.equal([1, 500]);
    });
  });

  describe('waits for a payer', () => {
    it('no longer than it says: free again on its own clock, and the order closed', async () => {
      await waiting();
      await pass(119_500, 1_000);
      expect(machine.hardware.isFree).to.equal(false);
      await pass(500);
      expect(machine.hardware.isFree).to.equal(true);
      expect(await server.called('vend.closed')).to.deep.equal({ orderSeq: 1, result: 'expired', approvalSeen: null });
    });

    it('through a lost link, with the same number and a greater age', async () => {
      await waiting();
      machine.goOffline();
      await pass(3_000);
      machine.goOnline();
      const again = await server.called('vend.request', 2);
      expect(again).to.deep.equal({ ...server.contents('vend.request')[0], ageMs: 3_000 });
      expect((await approve())[2]).to.deep.equal({ status: 'accepted' });
    });

    it('and tries again after 1, 2, 4, 8 s and a little', async () => {
      await waiting();
      const tries: number[] = [];
      machine.powerCut();
      machine = make({
        dial: (_target, events) => {
          tries.push(clock.now());
          setImmediate(() => events.onClosed(1006));
          const nothing = (): void => undefined;
          return { send: nothing, ping: nothing, close: nothing, terminate: nothing };
        },
        timers: { connectMs: 119_000 },
      });
      await machine.powerOn();
      await pass(32_000, 100);
      const gaps = tries.slice(1, 6).map((atMs, place) => (atMs - (tries[place] ?? 0)) / 1_000);
      const wanted = [1, 2, 4, 8, 8];
      for (const [place, gap] of gaps.entries()) {
        expect(gap, `wait ${place}`).to.be.within((wanted[place] ?? 0) * 0.7, (wanted[place] ?? 0) * 1.35);
      }
    });

    it('no longer than connectMs when there is no server, and tells nobody of it', async () => {
      machine.goOffline();
      await machine.powerOn();
      machine.select(7);
      await pass(29_500, 1_000);
      expect(machine.hardware.isFree).to.equal(false);
      await pass(500);
      expect([machine.hardware.isFree, machine.status().agent?.unacked]).to.deep.equal([true, 0]);
    });

    it('until the server says that nobody will pay', async () => {
      await waiting();
      expect((await server.call('vend.deny', { orderSeq: 1, reason: 'not_paid' }))[2]).to.deep.equal({
        status: 'closed',
      });
      expect((await server.call('vend.deny', { orderSeq: 1, reason: 'not_paid' }))[2]).to.deep.equal({
        status: 'already_closed',
      });
      expect([machine.hardware.isFree, machine.status().agent?.unacked]).to.deep.equal([true, 0]);
      expect((await approve())[2]).to.deep.equal(rejected('already_closed'));
    });

    it('but delivers what it has accepted, whatever the server says then', async () => {
      await waiting();
      await approve();
      expect((await server.call('vend.deny', { orderSeq: 1, reason: 'not_paid' }))[2]).to.deep.equal({
        status: 'ignored',
      });
      await pass(300);
      expect(machine.dropped()).to.equal(1);
    });

    it('not when the server denies the order', async () => {
      server.replies.set('vend.request', { result: { status: 'denied', reason: 'suspended' } });
      await connected();
      machine.select(7);
      await until('free', () => machine.hardware.isFree);
      expect([machine.display, machine.status().agent?.unacked]).to.deep.equal(['Not available', 0]);
    });

    it('not for a price of nothing', async () => {
      await connected();
      machine.select(9);
      expect([machine.hardware.isFree, server.contents('vend.request')]).to.deep.equal([true, []]);
    });

    it('again after the time that a busy server names', async () => {
      server.replies.set('vend.request', { error: 'busy', details: { retryMs: 2_000 } });
      await connected();
      machine.select(7);
      await server.called('vend.request');
      server.replies.clear();
      await pass(2_000);
      expect(await server.called('vend.request', 2)).to.include({ orderSeq: 1, ageMs: 2_000 });
    });

    it('not when the number is on another order', async () => {
      server.replies.set('vend.request', { error: 'order_conflict' });
      await connected();
      machine.select(7);
      expect((await server.called('vend.closed'))['result']).to.equal('rejected');
      expect(machine.hardware.isFree).to.equal(true);
    });
  });

  describe('numbers its orders', () => {
    it('upward through every power cut', async () => {
      await waiting();
      machine.powerCut();
      await machine.powerOn();
      machine.select(7);
      await server.called('vend.request', 2);
      machine.powerCut();
      await machine.powerOn();
      machine.select(7);
      await server.called('vend.request', 3);
      expect(server.contents('vend.request').map((one) => one['orderSeq'])).to.deep.equal([1, 2, 3]);
    });

    it('above a floor that the server names, and closes nothing below it', async () => {
      machine.goOffline();
      await machine.powerOn();
      machine.select(7);
      server.replies.set('hello', floorReply(41));
      await settle();
      machine.goOnline();
      await server.called('vend.request', 2);
      expect(server.contents('vend.request').map((one) => one['orderSeq'])).to.deep.equal([1, 42]);
      expect([server.contents('vend.closed'), machine.hardware.isFree]).to.deep.equal([[], false]);
      expect((await approve())[2]).to.deep.equal(rejected('unknown_order'));
      expect((await approve({ orderSeq: 42 }))[2]).to.deep.equal({ status: 'accepted' });
      machine.goOffline();
      machine.goOnline();
      expect((await server.called('hello', 2))['firstSeq']).to.equal(42);
    });

    it('anew when one is stale', async () => {
      server.replies.set('vend.request', { error: 'stale_seq', details: { seqFloor: 7 } });
      await connected();
      machine.select(7);
      await server.called('vend.request');
      server.replies.clear();
      await until('again', () => server.contents('vend.request').length === 2);
      expect(server.contents('vend.request')[1]).to.include({ orderSeq: 8, item: 7 });
      expect(server.contents('vend.closed')).to.deep.equal([]);
    });

    it('no further when 256 statements are unanswered, and loses none of them', async () => {
      const journal = new Journal(createJournalFile(join(folder, 'machine-1.journal')));
      const order = { item: 7, amount: 500n, currency: 'XOF', maxWaitMs: 120_000, bootId: 'b0' };
      for (let seq = 1; seq <= 256; seq += 1) {
        journal.wait({ ...order, seq });
        journal.close(seq, { result: 'expired', approvalSeen: null, isSilent: false });
      }
      journal.end();
      server.replies.set('vend.closed', { error: 'busy', details: { retryMs: 60_000 } });
      await connected();
      machine.select(7);
      expect([machine.status().agent?.outOfOrder, machine.hardware.isFree]).to.deep.equal(['journal_full', true]);
      server.replies.clear();
      await pass(60_000, 1_000);
      await until('all said', () => machine.status().agent?.unacked === 0);
      machine.select(7);
      expect((await server.called('vend.request'))['orderSeq']).to.equal(257);
    });
  });

  describe('keeps its connection', () => {
    it('only for as long as something is to be said, and comes back for the next order', async () => {
      await waiting({ staysConnected: false });
      await approve();
      await pass(300);
      await server.called('vend.success');
      await pass(3_100);
      await until('asleep', () => server.closeCodes.length === 1);
      expect([server.closeCodes, machine.status().agent?.link]).to.deep.equal([[1000], 'asleep']);
      machine.select(8);
      await server.called('vend.request', 2);
      expect(server.connections).to.equal(2);
    });

    it('comes back in a day when nothing happens', async () => {
      await waiting({ staysConnected: false, timers: { nextContactMs: 3_600_000 } });
      machine.cancel();
      await server.called('vend.cancel');
      await pass(3_100);
      await until('asleep', () => server.closeCodes.length === 1);
      await pass(4_600_000, 60_000);
      await server.called('hello', 2);
    });

    it('until the server lets it sleep, never with an open order', async () => {
      await waiting();
      await server.call('sleep', { nextContactMs: 60_000 });
      await settle();
      expect(machine.status().agent?.link).to.equal('ready');
      machine.cancel();
      await server.called('vend.cancel');
      await until('said', () => machine.status().agent?.unacked === 0);
      await server.call('sleep', { nextContactMs: 60_000 });
      await until('asleep', () => server.closeCodes.at(-1) === 1000);
    });

    const closings = [
      [1011, 500, 1_500],
      [4009, 0, 3_000],
      [4008, 0, 100],
      [4004, 500, 1_500],
      [1002, 59_000, 61_000],
      [4029, 59_000, 61_000],
      [4003, 3_590_000, 3_610_000],
    ] as const;
    for (const [code, notBeforeMs, byMs] of closings) {
      it(`again after ${notBeforeMs} to ${byMs} ms when it was closed with ${code}`, async () => {
        await connected();
        server.socket?.close(code);
        await until('lost', () => machine.status().agent?.link === 'waiting');
        const stepMs = Math.max(100, notBeforeMs / 20);
        await pass(notBeforeMs, stepMs);
        expect(server.connections).to.equal(notBeforeMs === 0 ? server.connections : 1);
        await pass(byMs - notBeforeMs, stepMs);
        await server.called('hello', 2);
      });
    }

    it('not again when a newer one of this machine took its place', async () => {
      await connected();
      server.socket?.close(4001);
      await until('lost', () => machine.status().agent?.link === 'asleep');
      await pass(60_000, 1_000);
      expect(server.connections).to.equal(1);
      machine.select(7);
      await server.called('vend.request');
    });

    it('not with a server that has fallen silent', async () => {
      await connected();
      await pass(300_000, 5_000);
      expect(server.connections).to.equal(1);
      // It was heard last when it answered our ping, four minutes after it had fallen silent.
      server.socket?.pause();
      await pass(185_000, 5_000);
      expect(server.connections).to.equal(1);
      await pass(8_000, 500);
      await server.called('hello', 2);
    });

    it('through garbage, unknown actions and unknown fields', async () => {
      await waiting();
      for (const text of ['garbage', '{}', '[]', '[2,"x","vend.approve",{}]', '[3,"x",{}]', '[9,"x"]']) {
        server.socket?.send(text);
      }
      expect((await server.call('unknown.action', {}))[2]).to.equal('not_supported');
      expect((await approve({ amount: '500' }))[2]).to.equal('bad_message');
      expect((await approve({ more: 1 }))[2]).to.deep.equal({ status: 'accepted' });
    });

    it('and survives a message that is too long, and a binary one', async () => {
      await waiting();
      server.socket?.send('x'.repeat(5_000));
      await until('lost', () => machine.status().agent?.link === 'waiting');
      await pass(61_000, 1_000);
      await server.called('vend.request', 2);
      server.socket?.send(Buffer.from([1]));
      await until('lost', () => machine.status().agent?.link === 'waiting');
      expect(machine.dropped()).to.equal(0);
    });

    it('and denies e-payment while the currency is not the registered one', async () => {
      server.replies.set('hello', { error: 'config_mismatch' });
      machine = make();
      await machine.powerOn();
      await until('out of order', () => machine.status().agent?.outOfOrder === 'config');
      machine.select(7);
      expect(machine.hardware.isFree).to.equal(true);
    });

    it('and greets again when the server was busy', async () => {
      server.replies.set('hello', { error: 'busy', details: { retryMs: 3_000 } });
      machine = make();
      await machine.powerOn();
      await server.called('hello');
      server.replies.clear();
      await pass(3_000);
      await until('ready', () => machine.status().agent?.link === 'ready');
      expect(server.connections).to.equal(1);
    });
  });
});
