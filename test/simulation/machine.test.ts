import { expect } from 'chai';
import { type MachineBench, openMachineBench } from './machine-bench.ts';

/** Turned on, one order paid, as far as it comes; then everything is repaired and says what it has to say. */
async function buy(bench: MachineBench): Promise<void> {
  bench.machine.powerOn();
  await bench.pass(2_000);
  bench.machine.select(7);
  await bench.pass(150_000);
  bench.repair();
  await bench.pass(4_000_000);
}

/** Many orders, with whatever goes wrong, and rest in the end. */
async function sell(bench: MachineBench, orders: number): Promise<void> {
  bench.machine.powerOn();
  for (let order = 0; order < orders; order += 1) {
    bench.machine.select(7);
    await bench.pass(60_000);
  }
  bench.repair();
  await bench.pass(4_000_000);
}

describe('a simulated machine', () => {
  it('sells over the simulated wire to the real machine link', async () => {
    const bench = openMachineBench(1);
    await buy(bench);
    expect(bench.answers).to.deep.equal([{ kind: 'accepted' }]);
    const [{ orderSeq } = { orderSeq: 0 }] = bench.seen.drops;
    expect(bench.seen.drops.map((drop) => [drop.orderSeq, drop.approvalId])).to.deep.equal([
      [orderSeq, `approval-${orderSeq}`],
    ]);
    const said = [`${orderSeq} success`];
    expect([bench.seen.statements, bench.seen.acknowledged]).to.deep.equal([said, said]);
    expect(bench.purchases.kinds()).to.deep.equal(['success']);
  });

  it('writes the same frames and drops the same goods from the same seed, whatever goes wrong', async () => {
    const told = async (): Promise<unknown> => {
      const bench = openMachineBench(7, {}, () => 10);
      await sell(bench, 20);
      return { ...bench.seen, counts: [...bench.counts], steps: bench.timeline.steps };
    };
    expect(await told()).to.deep.equal(await told());
  });

  it('takes another way from another seed', async () => {
    const trace = async (seed: number): Promise<readonly string[]> => {
      const bench = openMachineBench(seed, {}, () => 20);
      await buy(bench);
      return bench.seen.trace;
    };
    expect(await trace(3)).not.to.deep.equal(await trace(4));
  });

  it('drops one good at most when the power goes at any one write of its journal', async () => {
    const whole = openMachineBench(1);
    await buy(whole);
    for (const end of ['power', 'failure'] as const) {
      for (let write = 1; write <= whole.machine.writeCount; write += 1) {
        for (let seed = 1; seed <= 4; seed += 1) {
          const bench = openMachineBench(seed, { planWrite: (now) => (now === write ? end : null) });
          await buy(bench);
          const { drops, statements, acknowledged } = bench.seen;
          const told = `${end} at write ${write}, seed ${seed}: ${statements.join()}`;
          expect(drops.length, told).to.be.lessThan(2);
          // A good that dropped is never said to be undelivered.
          if (drops.length === 1) expect(bench.purchases.kinds(), told).to.include('success');
          expect(acknowledged, told).to.include.members(statements);
        }
      }
    }
  });

  it('obeys no approval after its own longest wait, however long the link holds it back', async () => {
    const bench = openMachineBench(5, { timers: { maxWaitMs: 30_000 } });
    bench.machine.powerOn();
    await bench.pass(2_000);
    bench.machine.select(7);
    await bench.pass(900);
    // Shorter than the silence after which the machine leaves the socket, and than its controller waits.
    bench.network.stall('machine-1', 32_000);
    await bench.pass(300_000);
    expect(bench.seen.trace.some((line) => line.includes('"vend.approve"'))).to.equal(true);
    expect([bench.seen.goAheads, bench.seen.statements.map((said) => said.split(' ')[1])]).to.deep.equal([
      [],
      ['closed'],
    ]);
  });

  it('meets every fault that hits machines, and still drops each order once at most and in time', async () => {
    const drops: number[] = [];
    const counts = new Map<string, number>();
    for (let seed = 1; seed <= 20; seed += 1) {
      const bench = openMachineBench(seed, {}, () => 6);
      await sell(bench, 20);
      expect(
        bench.seen.trace.filter((line) => line.includes('_bug')),
        `seed ${seed}`,
      ).to.deep.equal([]);
      for (const { selectedAtMs, goAheadAtMs, maxWaitMs } of bench.seen.goAheads) {
        expect(goAheadAtMs - selectedAtMs, `seed ${seed}`).to.be.below(maxWaitMs);
      }
      const isReplaced = bench.seen.trace.includes('journal lost');
      const seqs = bench.seen.drops.map(({ orderSeq }) => orderSeq);
      if (!isReplaced) expect(new Set(seqs).size, `seed ${seed}`).to.equal(seqs.length);
      expect(bench.machine.status(), `seed ${seed}`).to.include({ unacked: 0, order: null, outOfOrder: null });
      drops.push(seqs.length);
      for (const [kind, count] of bench.counts) counts.set(kind, (counts.get(kind) ?? 0) + count);
    }
    const missing = machineFaults.filter((kind) => counts.get(kind) === 0);
    expect(missing).to.deep.equal([]);
    expect(drops.reduce((sum, count) => sum + count, 0)).to.be.above(200);
  });
});

const machineFaults = [
  'jam',
  'sensor_silent',
  'controller_reset',
  'slow_delivery',
  'power_cut',
  'power_cut_at_write',
  'disk_failed',
  'journal_replaced',
  'link_cut',
  'link_stalled',
  'link_slow',
  'wall_jump',
] as const;
