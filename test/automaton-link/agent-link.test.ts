import { expect } from 'chai';
import { agentBench } from './support/agent-bench.ts';
import { settle, until } from './support/link-world.ts';
import { fieldOf } from './support/raw-machine.ts';

describe('a machine agent on its link', () => {
  const bench = agentBench();
  const rejected = (reason: string): unknown => ({ status: 'rejected', reason });

  describe('repeats a statement', () => {
    it('with the same content and a new msgId, after ten seconds without an answer', async () => {
      bench.server.replies.set('vend.success', 'silence');
      await bench.waiting();
      await bench.approve();
      await bench.pass(300);
      await bench.server.called('vend.success');
      await bench.pass(10_000);
      await bench.server.called('vend.success', 2);
      const said = bench.server.calls.filter(([, , action]) => action === 'vend.success');
      expect(said[1]?.[3]).to.deep.equal(said[0]?.[3]);
      expect(said[1]?.[1]).not.to.equal(said[0]?.[1]);
    });

    it('and switches its modem off after three times, for longer each time', async () => {
      bench.server.replies.set('vend.success', 'silence');
      await bench.waiting();
      await bench.approve();
      await bench.pass(32_000, 1_000);
      expect([bench.server.contents('vend.success').length, bench.server.connections]).to.deep.equal([3, 1]);
      await bench.pass(76_000, 1_000);
      await bench.server.called('hello', 2);
      await bench.pass(32_000, 1_000);
      expect(bench.server.contents('vend.success').length).to.equal(6);
      await bench.pass(200_000, 5_000);
      expect(bench.server.connections).to.equal(2);
      bench.server.replies.clear();
      await bench.pass(180_000, 5_000);
      await until('acknowledged', () => bench.machine.status().agent?.unacked === 0);
    });

    it('after the time that a busy server names', async () => {
      bench.server.replies.set('vend.success', { error: 'busy', details: { retryMs: 7_000 } });
      await bench.waiting();
      await bench.approve();
      await bench.pass(300);
      await bench.server.called('vend.success');
      await bench.pass(6_900, 100);
      expect(bench.server.contents('vend.success')).to.have.length(1);
      bench.server.replies.clear();
      await bench.pass(200, 100);
      await bench.server.called('vend.success', 2);
      await until('acknowledged', () => bench.machine.status().agent?.unacked === 0);
    });

    it('over every new connection, the live request first, then oldest first, one by one', async () => {
      bench.server.replies.set('vend.closed', { error: 'busy', details: { retryMs: 60_000 } });
      await bench.waiting();
      for (const [place, item] of [8, 7, 8].entries()) {
        bench.machine.select(item);
        await bench.server.called('vend.request', place + 2);
      }
      await bench.server.called('vend.closed');
      await settle();
      bench.server.replies.clear();
      bench.machine.goOffline();
      const before = bench.server.calls.length;
      bench.machine.goOnline();
      await until('all said', () => bench.machine.status().agent?.unacked === 0);
      const said = bench.server.calls
        .slice(before)
        .map(([, , action, content]) => `${String(action)} ${JSON.stringify(fieldOf(content, 'orderSeq') ?? null)}`);
      expect(said).to.deep.equal(['hello null', 'vend.request 4', 'vend.closed 1', 'vend.closed 2', 'vend.closed 3']);
    });

    it('not to a server that cannot read it, until the next connection', async () => {
      bench.server.replies.set('vend.success', { error: 'bad_message' });
      await bench.waiting();
      await bench.approve();
      await bench.pass(300);
      await bench.server.called('vend.success');
      await bench.pass(60_000, 1_000);
      expect(bench.server.contents('vend.success')).to.have.length(1);
      bench.server.replies.clear();
      bench.machine.goOffline();
      bench.machine.goOnline();
      await until('acknowledged', () => bench.machine.status().agent?.unacked === 0);
    });

    it('that was acknowledged long ago, when it is asked for', async () => {
      await bench.waiting();
      await bench.approve();
      await bench.pass(300);
      await until('acknowledged', () => bench.machine.status().agent?.unacked === 0);
      const answer = await bench.server.call('order.query', { orderSeqs: [1, 2] });
      expect(answer[2]).to.deep.equal({
        orders: [
          { orderSeq: 1, state: 'succeeded', approvalId: 'A9' },
          { orderSeq: 2, state: 'unknown', approvalId: null },
        ],
        waiting: null,
      });
      await bench.server.called('vend.success', 2);
    });

    it('and its order, when it is asked for what waits', async () => {
      await bench.waiting();
      expect((await bench.server.call('order.query', { orderSeqs: [] }))[2]).to.deep.equal({ orders: [], waiting: 1 });
      await bench.clock.advance(100);
      const again = await bench.server.called('vend.request', 2);
      expect([again['orderSeq'], again['amount']]).to.deep.equal([1, 500]);
    });
  });

  describe('waits for a payer', () => {
    it('no longer than it says: free again on its own clock, and the order closed', async () => {
      await bench.waiting();
      await bench.pass(119_500, 1_000);
      expect(bench.machine.hardware.isFree).to.equal(false);
      await bench.pass(500);
      expect(bench.machine.hardware.isFree).to.equal(true);
      expect(await bench.server.called('vend.closed')).to.deep.equal({
        orderSeq: 1,
        result: 'expired',
        approvalSeen: null,
      });
    });

    it('through a lost link, with the same number and a greater age', async () => {
      await bench.waiting();
      bench.machine.goOffline();
      await bench.pass(3_000);
      bench.machine.goOnline();
      const again = await bench.server.called('vend.request', 2);
      expect(again).to.deep.equal({ ...bench.server.contents('vend.request')[0], ageMs: 3_000 });
      expect((await bench.approve())[2]).to.deep.equal({ status: 'accepted' });
    });

    it('and tries again after 1, 2, 4, 8 s and a little', async () => {
      await bench.waiting();
      const tries: number[] = [];
      bench.machine.powerCut();
      bench.machine = bench.make({
        dial: (_target, events) => {
          tries.push(bench.clock.now());
          setImmediate(() => events.onClosed(1006));
          const nothing = (): void => undefined;
          return { send: nothing, ping: nothing, close: nothing, terminate: nothing };
        },
        timers: { connectMs: 119_000 },
      });
      await bench.machine.powerOn();
      await bench.pass(32_000, 100);
      const gaps = tries.slice(1, 6).map((atMs, place) => (atMs - (tries[place] ?? 0)) / 1_000);
      const wanted = [1, 2, 4, 8, 8];
      for (const [place, gap] of gaps.entries()) {
        expect(gap, `wait ${place}`).to.be.within((wanted[place] ?? 0) * 0.7, (wanted[place] ?? 0) * 1.35);
      }
    });

    it('no longer than connectMs when there is no server, and tells nobody of it', async () => {
      bench.machine.goOffline();
      await bench.machine.powerOn();
      bench.machine.select(7);
      await bench.pass(29_500, 1_000);
      expect(bench.machine.hardware.isFree).to.equal(false);
      await bench.pass(500);
      expect([bench.machine.hardware.isFree, bench.machine.status().agent?.unacked]).to.deep.equal([true, 0]);
    });

    it('until the server says that nobody will pay', async () => {
      await bench.waiting();
      expect((await bench.server.call('vend.deny', { orderSeq: 1, reason: 'not_paid' }))[2]).to.deep.equal({
        status: 'closed',
      });
      expect((await bench.server.call('vend.deny', { orderSeq: 1, reason: 'not_paid' }))[2]).to.deep.equal({
        status: 'already_closed',
      });
      expect([bench.machine.hardware.isFree, bench.machine.status().agent?.unacked]).to.deep.equal([true, 0]);
      expect((await bench.approve())[2]).to.deep.equal(rejected('already_closed'));
    });

    it('but delivers what it has accepted, whatever the server says then', async () => {
      await bench.waiting();
      await bench.approve();
      expect((await bench.server.call('vend.deny', { orderSeq: 1, reason: 'not_paid' }))[2]).to.deep.equal({
        status: 'ignored',
      });
      await bench.pass(300);
      expect(bench.machine.dropped()).to.equal(1);
    });

    it('not when the server denies the order', async () => {
      bench.server.replies.set('vend.request', { result: { status: 'denied', reason: 'suspended' } });
      await bench.connected();
      bench.machine.select(7);
      await until('free', () => bench.machine.hardware.isFree);
      expect([bench.machine.display, bench.machine.status().agent?.unacked]).to.deep.equal(['Not available', 0]);
    });

    it('not for a price of nothing', async () => {
      await bench.connected();
      bench.machine.select(9);
      expect([bench.machine.hardware.isFree, bench.server.contents('vend.request')]).to.deep.equal([true, []]);
    });

    it('again after the time that a busy server names', async () => {
      bench.server.replies.set('vend.request', { error: 'busy', details: { retryMs: 2_000 } });
      await bench.connected();
      bench.machine.select(7);
      await bench.server.called('vend.request');
      bench.server.replies.clear();
      await bench.pass(2_000);
      expect(await bench.server.called('vend.request', 2)).to.include({ orderSeq: 1, ageMs: 2_000 });
    });

    it('not when the number is on another order', async () => {
      bench.server.replies.set('vend.request', { error: 'order_conflict' });
      await bench.connected();
      bench.machine.select(7);
      expect((await bench.server.called('vend.closed'))['result']).to.equal('rejected');
      expect(bench.machine.hardware.isFree).to.equal(true);
    });
  });
});
