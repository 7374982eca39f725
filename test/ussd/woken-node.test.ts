import { expect } from 'chai';
import type { DialogBoard } from '../../src/purchase/order-board-port.ts';
import { createBench, createUssdNode } from './support/phone-bench.ts';

/** The board of a node that stops right after its first word to it, and asks again when it wakes. */
function boardOfStalled(dialogs: DialogBoard) {
  let wake = (): void => undefined;
  const asleep = new Promise<void>((resolve) => {
    wake = resolve;
  });
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
  return { stalled, wake: () => wake() };
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
});
