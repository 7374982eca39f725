import { expect } from 'chai';
import type { DialogBoard } from '../../src/purchase/order-board-port.ts';
import { Fault } from '../../src/result.ts';
import { createBench, createUssdNode } from './support/phone-bench.ts';
import { breathe, createSleep } from './support/turned-clock.ts';

/** The board of a node that stops right after its first word to it, and asks again when it wakes. */
function boardOfStalled(dialogs: DialogBoard) {
  const { asleep, wake } = createSleep();
  let saves = 0;
  const stalled: DialogBoard = {
    ...dialogs,
    save: async (dialog) => {
      const saved = await dialogs.save(dialog);
      saves += 1;
      if (saves > 1) return saved;
      await asleep;
      return dialogs.save(dialog);
    },
  };
  return { stalled, wake };
}

/** The board of a node that stops before its second word to it: the turn is taken, and not yet answered. */
function boardOfHalted(dialogs: DialogBoard) {
  const { asleep, wake } = createSleep();
  let saves = 0;
  const halted: DialogBoard = {
    ...dialogs,
    save: async (dialog) => {
      saves += 1;
      if (saves === 2) await asleep;
      return dialogs.save(dialog);
    },
  };
  return { halted, wake };
}

describe('a node that wakes up in the middle of a dial', () => {
  it('offers nothing under a name that a later dial has paid under', async () => {
    const bench = createBench();
    await bench.placeOrder('4567');
    await bench.placeOrder('1203');
    const { stalled, wake } = boardOfStalled(bench.board.dialogs);
    const woken = createUssdNode({ ...bench, board: { ...bench.board, dialogs: stalled } });
    const other = createUssdNode(bench);
    const early = woken.request({ kind: 'begin', text: '*123*1203#', sessionId: 'early' });
    await other.dial('*123*4567#');
    expect(await other.key('1')).to.match(/^END Payé/);
    wake();
    await bench.clock.until(early);
    await bench.clock.until(woken.request({ text: '1', sessionId: 'early' }));
    const paid = bench.purchases.confirmed.map(({ purchaseId, machine }) => [purchaseId, machine.number]);
    expect(new Set(paid.map(([name]) => name)).size).to.equal(2);
    expect(paid.map(([, number]) => number)).to.deep.equal(['4567', '1203']);
  });
  it('brings no offer back that was wiped while it stood still', async () => {
    const bench = createBench();
    await bench.placeOrder('4567');
    const { halted, wake } = boardOfHalted(bench.board.dialogs);
    const woken = createUssdNode({ ...bench, board: { ...bench.board, dialogs: halted } });
    const other = createUssdNode(bench);
    const early = woken.request({ kind: 'begin', text: '*123*4567#', sessionId: 'early' });
    await breathe();
    bench.redis.wipe();
    await bench.placeOrder('4567');
    await other.dial('*123*4567#');
    expect(await other.key('1')).to.match(/^END Payé/);
    bench.redis.wipe();
    wake();
    await bench.clock.until(early);
    expect(await bench.board.dialogs.load('operator', bench.subscribers.pseudonymOf('221770000001'))).to.equal(null);
  });
  it('writes no first turn twice: a later dial may have paid under its name, and the board been wiped', async () => {
    const bench = createBench();
    await bench.placeOrder('4567');
    const { dialogs } = bench.board;
    const bodies: string[] = [];
    const unanswered: DialogBoard = {
      ...dialogs,
      save: async (dialog) => {
        bodies.push(dialog.body);
        await dialogs.save(dialog);
        if (bodies.length > 1) return true;
        bench.redis.wipe();
        throw new Fault('board_unreachable', 'unknown');
      },
    };
    const node = createUssdNode({ ...bench, board: { ...bench.board, dialogs: unanswered } });
    await node.dial('*123*4567#');
    const names = bodies.slice(0, 2).map((body) => (JSON.parse(body) as { purchaseId: string }).purchaseId);
    expect(names).to.deep.equal(['purchase-1', 'purchase-2']);
  });
  it('tells what has happened, though the board was wiped in the middle of the turn', async () => {
    const bench = createBench();
    await bench.placeOrder('4567');
    const node = createUssdNode(bench);
    await node.dial('*123*4567#');
    const purchases = { ...bench.purchases };
    bench.purchases.confirm = async (confirmation) => {
      const answer = await purchases.confirm(confirmation);
      bench.redis.wipe();
      return answer;
    };
    expect(await node.key('1')).to.match(/^END Payé/);
  });
  it('does not say that nothing was debited after a yes, though the dial is for another machine', async () => {
    const bench = createBench();
    await bench.placeOrder('4567');
    const node = createUssdNode(bench);
    await node.dial('*123*4567#');
    bench.purchases.script.isConfirmUnanswered = true;
    await node.key('1');
    const later = node.request({ kind: 'begin', text: '*123*1203#', sessionId: 'later' });
    await breathe();
    bench.redis.wipe();
    await bench.clock.until(later);
    expect(node.replies.at(-1)?.text).to.match(/^Résultat pas encore connu/);
  });
});
