import { join } from 'node:path';
import { expect } from 'chai';
import { Journal } from '../../src/automaton-link/agent/journal.ts';
import { createJournalFile } from '../../src/automaton-link/agent/journal-file.ts';
import { agentBench } from './support/agent-bench.ts';
import { settle, until } from './support/link-world.ts';
import { floorReply } from './support/raw-server.ts';

describe('a machine agent at each contact', () => {
  const bench = agentBench();
  const rejected = (reason: string): unknown => ({ status: 'rejected', reason });

  describe('numbers its orders', () => {
    it('upward through every power cut', async () => {
      await bench.waiting();
      bench.machine.powerCut();
      await bench.machine.powerOn();
      bench.machine.select(7);
      await bench.server.called('vend.request', 2);
      bench.machine.powerCut();
      await bench.machine.powerOn();
      bench.machine.select(7);
      await bench.server.called('vend.request', 3);
      expect(bench.server.contents('vend.request').map((one) => one['orderSeq'])).to.deep.equal([1, 2, 3]);
    });

    it('above a floor that the server names, and closes nothing below it', async () => {
      bench.machine.goOffline();
      await bench.machine.powerOn();
      bench.machine.select(7);
      bench.server.replies.set('hello', floorReply(41));
      await settle();
      bench.machine.goOnline();
      await bench.server.called('vend.request', 2);
      expect(bench.server.contents('vend.request').map((one) => one['orderSeq'])).to.deep.equal([1, 42]);
      expect([bench.server.contents('vend.closed'), bench.machine.hardware.isFree]).to.deep.equal([[], false]);
      expect((await bench.approve())[2]).to.deep.equal(rejected('unknown_order'));
      expect((await bench.approve({ orderSeq: 42 }))[2]).to.deep.equal({ status: 'accepted' });
      bench.machine.goOffline();
      bench.machine.goOnline();
      expect((await bench.server.called('hello', 2))['firstSeq']).to.equal(42);
    });

    it('anew when one is stale', async () => {
      bench.server.replies.set('vend.request', { error: 'stale_seq', details: { seqFloor: 7 } });
      await bench.connected();
      bench.machine.select(7);
      await bench.server.called('vend.request');
      bench.server.replies.clear();
      await until('again', () => bench.server.contents('vend.request').length === 2);
      expect(bench.server.contents('vend.request')[1]).to.include({ orderSeq: 8, item: 7 });
      expect(bench.server.contents('vend.closed')).to.deep.equal([]);
    });

    it('no further when 256 statements are unanswered, and loses none of them', async () => {
      const journal = new Journal(createJournalFile(join(bench.folder, 'machine-1.journal')));
      const order = { item: 7, amount: 500n, currency: 'XOF', maxWaitMs: 120_000, bootId: 'b0' };
      for (let seq = 1; seq <= 256; seq += 1) {
        journal.wait({ ...order, seq });
        journal.close(seq, { result: 'expired', approvalSeen: null, isSilent: false });
      }
      journal.end();
      bench.server.replies.set('vend.closed', { error: 'busy', details: { retryMs: 60_000 } });
      await bench.connected();
      bench.machine.select(7);
      expect([bench.machine.status().agent?.outOfOrder, bench.machine.hardware.isFree]).to.deep.equal([
        'journal_full',
        true,
      ]);
      bench.server.replies.clear();
      await bench.pass(60_000, 1_000);
      await until('all said', () => bench.machine.status().agent?.unacked === 0);
      bench.machine.select(7);
      expect((await bench.server.called('vend.request'))['orderSeq']).to.equal(257);
    });
  });

  describe('keeps its connection', () => {
    it('only for as long as something is to be said, and comes back for the next order', async () => {
      await bench.waiting({ staysConnected: false });
      await bench.approve();
      await bench.pass(300);
      await bench.server.called('vend.success');
      await bench.pass(3_100);
      await until('asleep', () => bench.server.closeCodes.length === 1);
      expect([bench.server.closeCodes, bench.machine.status().agent?.link]).to.deep.equal([[1000], 'asleep']);
      bench.machine.select(8);
      await bench.server.called('vend.request', 2);
      expect(bench.server.connections).to.equal(2);
    });

    it('comes back in a day when nothing happens', async () => {
      await bench.waiting({ staysConnected: false, timers: { nextContactMs: 3_600_000 } });
      bench.machine.cancel();
      await bench.server.called('vend.cancel');
      await bench.pass(3_100);
      await until('asleep', () => bench.server.closeCodes.length === 1);
      await bench.pass(4_600_000, 60_000);
      await bench.server.called('hello', 2);
    });

    it('until the server lets it sleep, never with an open order', async () => {
      await bench.waiting();
      await bench.server.call('sleep', { nextContactMs: 60_000 });
      await settle();
      expect(bench.machine.status().agent?.link).to.equal('ready');
      bench.machine.cancel();
      await bench.server.called('vend.cancel');
      await until('said', () => bench.machine.status().agent?.unacked === 0);
      await bench.server.call('sleep', { nextContactMs: 60_000 });
      await until('asleep', () => bench.server.closeCodes.at(-1) === 1000);
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
        await bench.connected();
        bench.server.socket?.close(code);
        await until('lost', () => bench.machine.status().agent?.link === 'waiting');
        const stepMs = Math.max(100, notBeforeMs / 20);
        await bench.pass(notBeforeMs, stepMs);
        expect(bench.server.connections).to.equal(notBeforeMs === 0 ? bench.server.connections : 1);
        await bench.pass(byMs - notBeforeMs, stepMs);
        await bench.server.called('hello', 2);
      });
    }

    it('not again when a newer one of this machine took its place', async () => {
      await bench.connected();
      bench.server.socket?.close(4001);
      await until('lost', () => bench.machine.status().agent?.link === 'asleep');
      await bench.pass(60_000, 1_000);
      expect(bench.server.connections).to.equal(1);
      bench.machine.select(7);
      await bench.server.called('vend.request');
    });

    it('again when its place was taken while an order waits or a statement is owed', async () => {
      await bench.waiting();
      bench.server.socket?.close(4001);
      await until('lost', () => bench.machine.status().agent?.link === 'waiting');
      await bench.pass(1_500, 100);
      await bench.server.called('hello', 2);
    });

    it('not with a server that has fallen silent', async () => {
      await bench.connected();
      await bench.pass(300_000, 5_000);
      expect(bench.server.connections).to.equal(1);
      // It was heard last when it answered our ping, four minutes after it had fallen silent.
      bench.server.socket?.pause();
      await bench.pass(185_000, 5_000);
      expect(bench.server.connections).to.equal(1);
      await bench.pass(8_000, 500);
      await bench.server.called('hello', 2);
    });

    it('through garbage, unknown actions and unknown fields', async () => {
      await bench.waiting();
      for (const text of ['garbage', '{}', '[]', '[2,"x","vend.approve",{}]', '[3,"x",{}]', '[9,"x"]']) {
        bench.server.socket?.send(text);
      }
      expect((await bench.server.call('unknown.action', {}))[2]).to.equal('not_supported');
      expect((await bench.approve({ amount: '500' }))[2]).to.equal('bad_message');
      expect((await bench.approve({ more: 1 }))[2]).to.deep.equal({ status: 'accepted' });
    });

    it('and survives a message that is too long, and a binary one', async () => {
      await bench.waiting();
      bench.server.socket?.send('x'.repeat(5_000));
      await until('lost', () => bench.machine.status().agent?.link === 'waiting');
      await bench.pass(61_000, 1_000);
      await bench.server.called('vend.request', 2);
      bench.server.socket?.send(Buffer.from([1]));
      await until('lost', () => bench.machine.status().agent?.link === 'waiting');
      expect(bench.machine.dropped()).to.equal(0);
    });

    it('and denies e-payment while the currency is not the registered one', async () => {
      bench.server.replies.set('hello', { error: 'config_mismatch' });
      bench.machine = bench.make();
      await bench.machine.powerOn();
      await until('out of order', () => bench.machine.status().agent?.outOfOrder === 'config');
      bench.machine.select(7);
      expect(bench.machine.hardware.isFree).to.equal(true);
    });

    it('and greets again when the server was busy', async () => {
      bench.server.replies.set('hello', { error: 'busy', details: { retryMs: 3_000 } });
      bench.machine = bench.make();
      await bench.machine.powerOn();
      await bench.server.called('hello');
      bench.server.replies.clear();
      await bench.pass(3_000);
      await until('ready', () => bench.machine.status().agent?.link === 'ready');
      expect(bench.server.connections).to.equal(1);
    });
  });
});
