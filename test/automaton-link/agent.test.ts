import { expect } from 'chai';
import { agentBench, approval } from './support/agent-bench.ts';
import { settle, until } from './support/link-world.ts';

describe('a machine agent', () => {
  const bench = agentBench();
  const rejected = (reason: string): unknown => ({ status: 'rejected', reason });

  describe('delivers', () => {
    it('once, when the approval is right, and says so until it is answered', async () => {
      await bench.waiting();
      expect((await bench.approve())[2]).to.deep.equal({ status: 'accepted' });
      await bench.pass(300);
      expect(await bench.server.called('vend.success')).to.deep.equal({
        orderSeq: 1,
        approvalId: 'A9',
        item: 7,
        amount: 500,
        presumed: false,
        basis: null,
      });
      await until('acknowledged', () => bench.machine.status().agent?.unacked === 0);
      expect(bench.machine.dropped(7)).to.equal(1);
    });

    it('only after accepted has left and the delivery is on disk', async () => {
      await bench.waiting();
      bench.machine.powerCutAt('before_delivery');
      bench.server.say('vend.approve', approval);
      await until('accepted', () => bench.server.answers.length === 1);
      expect(bench.server.answers[0]?.[2]).to.deep.equal({ status: 'accepted' });
      expect([bench.machine.hardware.goAheads, bench.machine.status().isOn]).to.deep.equal([0, false]);
    });

    it('one good for the same approval twice, under whatever msgId', async () => {
      await bench.waiting();
      const answers = [await bench.approve(), await bench.approve()];
      await bench.pass(300);
      await bench.server.called('vend.success');
      answers.push(await bench.approve());
      expect(answers.map(([, , result]) => result)).to.deep.equal([
        { status: 'accepted' },
        { status: 'duplicate', state: 'delivering' },
        { status: 'duplicate', state: 'succeeded' },
      ]);
      expect([bench.machine.dropped(), bench.machine.hardware.goAheads]).to.deep.equal([1, 1]);
    });

    it('nothing more for that approval after a reboot', async () => {
      await bench.waiting();
      await bench.approve();
      await bench.pass(300);
      await until('acknowledged', () => bench.machine.status().agent?.unacked === 0);
      bench.machine.powerCut();
      await bench.machine.powerOn();
      await until('again', () => bench.machine.status().agent?.link === 'ready');
      expect((await bench.approve())[2]).to.deep.equal({ status: 'duplicate', state: 'succeeded' });
      expect(bench.machine.dropped()).to.equal(1);
    });

    it('at the price that the server told, when it has none of its own', async () => {
      await bench.connected();
      bench.machine.select(10);
      await until('waiting', () => bench.machine.display === '*123*4567#');
      expect((await bench.server.called('vend.request'))['amount']).to.equal(null);
      expect((await bench.approve({ item: 10, amount: 501 }))[2]).to.deep.equal(rejected('amount_mismatch'));
    });

    it('and lets a lost link wait for the result', async () => {
      await bench.waiting();
      bench.machine.hardware.setDeliveryTime(5_000);
      await bench.approve();
      bench.machine.goOffline();
      await bench.pass(6_000);
      expect([bench.machine.dropped(), bench.server.contents('vend.success').length]).to.deep.equal([1, 0]);
      bench.machine.goOnline();
      await bench.server.called('vend.success');
      expect(bench.server.contents('hello')[1]?.['open']).to.deep.equal([
        { orderSeq: 1, state: 'succeeded', approvalId: 'A9' },
      ]);
    });
  });

  describe('rejects an approval', () => {
    it('of another name than the one it has', async () => {
      await bench.waiting();
      await bench.approve();
      expect((await bench.approve({ approvalId: 'A8' }))[2]).to.deep.equal(rejected('other_approval'));
      await bench.pass(300);
      expect(bench.machine.dropped()).to.equal(1);
    });

    it('past its own deadline, without having heard a word of it', async () => {
      await bench.waiting();
      bench.machine.skip(118_000);
      expect((await bench.approve())[2]).to.deep.equal(rejected('late'));
      expect((await bench.server.called('vend.closed'))['result']).to.equal('expired');
      expect([bench.machine.dropped(), bench.machine.hardware.isFree]).to.deep.equal([0, true]);
    });

    it('that a stalled link held back past the deadline', async () => {
      await bench.waiting();
      bench.machine.stall(true);
      bench.server.say('vend.approve', { ...approval, validMs: 250_000 });
      await settle();
      bench.machine.skip(121_000);
      expect(bench.machine.hardware.isFree).to.equal(true);
      bench.machine.stall(false);
      await until('answered', () => bench.server.answers.length === 1);
      expect(bench.server.answers[0]?.[2]).to.deep.equal(rejected('late'));
      expect(await bench.server.called('vend.closed')).to.deep.equal({
        orderSeq: 1,
        result: 'expired',
        approvalSeen: null,
      });
      expect(bench.machine.dropped()).to.equal(0);
    });

    it('of another amount, and then the right one too', async () => {
      await bench.waiting();
      expect((await bench.approve({ amount: 501 }))[2]).to.deep.equal(rejected('amount_mismatch'));
      expect((await bench.approve())[2]).to.deep.equal(rejected('already_closed'));
      expect(await bench.server.called('vend.closed')).to.deep.equal({
        orderSeq: 1,
        result: 'rejected',
        approvalSeen: 'A9',
      });
      expect([bench.machine.dropped(), bench.machine.hardware.isFree]).to.deep.equal([0, true]);
    });

    it('of another item', async () => {
      await bench.waiting();
      expect((await bench.approve({ item: 8 }))[2]).to.deep.equal(rejected('amount_mismatch'));
    });

    it('of the selection before, and serves the new one', async () => {
      await bench.waiting();
      bench.machine.select(8);
      await bench.server.called('vend.request', 2);
      expect((await bench.approve())[2]).to.deep.equal(rejected('replaced'));
      expect((await bench.approve({ orderSeq: 2, item: 8, amount: 700 }))[2]).to.deep.equal({ status: 'accepted' });
      await bench.pass(300);
      expect([bench.machine.dropped(7), bench.machine.dropped(8)]).to.deep.equal([0, 1]);
      expect(bench.server.contents('vend.closed')).to.deep.equal([
        { orderSeq: 1, result: 'replaced', approvalSeen: null },
      ]);
    });

    it('after the customer canceled, which it tells at once', async () => {
      await bench.waiting();
      bench.machine.cancel();
      expect(await bench.server.called('vend.cancel')).to.deep.equal({ orderSeq: 1, reason: 'user' });
      expect((await bench.approve())[2]).to.deep.equal(rejected('canceled'));
      expect([bench.machine.status().agent?.unacked, bench.server.contents('vend.closed')]).to.deep.equal([0, []]);
    });

    it('after coins went in', async () => {
      await bench.waiting();
      bench.machine.hardware.payCash();
      expect(await bench.server.called('vend.cancel')).to.deep.equal({ orderSeq: 1, reason: 'cash' });
      expect((await bench.approve())[2]).to.deep.equal(rejected('canceled'));
    });

    it('of a number it never gave out, and never gives that number out', async () => {
      await bench.connected();
      expect((await bench.approve({ orderSeq: 5 }))[2]).to.deep.equal(rejected('unknown_order'));
      bench.machine.select(7);
      expect((await bench.server.called('vend.request'))['orderSeq']).to.equal(6);
    });

    it('while its controller is away', async () => {
      await bench.waiting();
      bench.machine.hardware.setDown(true);
      expect((await bench.server.called('vend.closed'))['result']).to.equal('down');
      expect((await bench.approve())[2]).to.deep.equal(rejected('already_closed'));
      bench.machine.select(7);
      expect([bench.machine.status().agent?.outOfOrder, bench.machine.status().agent?.order]).to.deep.equal([
        'hardware',
        null,
      ]);
      expect(await bench.server.called('status')).to.include({ status: 'out_of_order' });
      bench.machine.hardware.setDown(false);
      expect(await bench.server.called('status', 2)).to.include({ status: 'available' });
    });
  });

  describe('says what came of it', () => {
    it('a failure of the controller', async () => {
      await bench.waiting();
      bench.machine.setFault('jam');
      await bench.approve();
      await bench.pass(300);
      expect(await bench.server.called('vend.failure')).to.deep.equal({ orderSeq: 1, approvalId: 'A9', code: 'jam' });
      expect([bench.machine.dropped(), bench.machine.hardware.isFree]).to.deep.equal([0, true]);
    });

    it('a controller that never says anything', async () => {
      await bench.waiting();
      bench.machine.setFault('hang');
      await bench.approve();
      await bench.pass(59_000, 1_000);
      expect(bench.server.contents('vend.success')).to.deep.equal([]);
      await bench.pass(1_000);
      expect(await bench.server.called('vend.success')).to.include({ presumed: true, basis: 'no_result' });
      expect(bench.machine.hardware.isFree).to.equal(true);
    });

    it('a controller that was reset', async () => {
      await bench.waiting();
      bench.machine.setFault('vmc_reset');
      await bench.approve();
      await bench.pass(300);
      expect(await bench.server.called('vend.success')).to.include({ presumed: true, basis: 'vmc_reset' });
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
        await bench.waiting();
        bench.machine.powerCutAt(point);
        bench.server.say('vend.approve', approval);
        await bench.pass(400);
        await until('off', () => !bench.machine.status().isOn);
        const said = bench.server.contents(action).length;
        await bench.machine.powerOn();
        expect(await bench.server.called(action, said + 1)).to.deep.include(content);
        await until('acknowledged', () => bench.machine.status().agent?.unacked === 0);
        expect([bench.machine.dropped(), bench.machine.hardware.isFree]).to.deep.equal([dropped, true]);
      });
    }

    it('and an order that waited when the power went', async () => {
      await bench.waiting();
      bench.machine.powerCut();
      await bench.machine.powerOn();
      expect(await bench.server.called('vend.closed')).to.deep.equal({
        orderSeq: 1,
        result: 'rebooted',
        approvalSeen: null,
      });
      expect((await bench.approve())[2]).to.deep.equal(rejected('late'));
    });
  });
});
