import { expect } from 'chai';
import type { Effect } from '../../src/purchase/effect.ts';
import { Fault } from '../../src/result.ts';
import { pause } from '../../src/time.ts';
import { commitOf, effectRow, moved } from '../support/store-builders.ts';

import { abandoned, bench, LEASE_MS, ownOf, query } from './effect-bench.ts';

describe('the effect worker', () => {
  it('carries out its own effects at once, without polling or reading', async () => {
    const one = await bench();
    const loaded = await abandoned(one);
    one.worker.run([{ loaded, effect: ownOf(loaded, query), dueInMs: 0 }]);
    await one.clock.settle();
    expect([one.seen, one.reads]).to.deep.equal([['query_payment 1'], []]);
  });

  it('carries out an own effect that is due later when it is due, in the state of then', async () => {
    const one = await bench();
    const loaded = await abandoned(one);
    one.worker.run([{ loaded, effect: ownOf(loaded, query), dueInMs: 1000 }]);
    await one.clock.advance(999);
    const before = [...one.seen];
    await one.clock.advance(1);
    expect([before, one.seen, one.reads]).to.deep.equal([[], ['query_payment 1'], ['load']]);
  });

  it('leaves an effect to its node while the lease lasts, and takes it over afterwards', async () => {
    const one = await bench();
    await abandoned(one);
    one.worker.start();
    await one.clock.advance(14_999);
    const before = [...one.seen];
    await one.clock.advance(3000);
    expect([before, one.seen]).to.deep.equal([[], ['query_payment 2']]);
  });

  it('reads the purchase anew for what it takes, since another node has moved it', async () => {
    const one = await bench();
    await abandoned(one, query, false);
    one.worker.start();
    await one.clock.advance(2000);
    expect(one.reads).to.deep.equal(['reload']);
  });

  it('gives each effect to one worker of many', async () => {
    const one = await bench();
    await abandoned(one, query, false);
    const taken = await Promise.all(
      ['b', 'c', 'd'].map((node) => one.world.store(node).purchases.takeDue(100, LEASE_MS)),
    );
    expect(taken.flat().length).to.equal(1);
  });

  it('takes the effects of a machine when the machine is ready, not before', async () => {
    const one = await bench();
    const { purchase } = await abandoned(one);
    const approving = commitOf(
      purchase,
      'approving',
      { type: 'deadline_passed' },
      {
        after: moved(purchase, 'approving'),
        planned: [effectRow(purchase.id, { kind: 'approve' })],
        dropped: [effectRow(purchase.id, query).key],
      },
    );
    await one.world.store('a').purchases.commit(approving);
    one.worker.start();
    await one.clock.advance(5000);
    const before = [...one.seen];
    one.worker.machineReady('M-4567');
    await one.clock.settle();
    expect([before, one.seen]).to.deep.equal([[], ['approve 1']]);
  });

  it('looks for the effects of the machines it holds', async () => {
    const one = await bench(async () => undefined, ['M-4567']);
    const { purchase } = await abandoned(one);
    const approving = commitOf(
      purchase,
      'approving',
      { type: 'deadline_passed' },
      {
        after: moved(purchase, 'approving'),
        planned: [effectRow(purchase.id, { kind: 'approve' })],
        dropped: [effectRow(purchase.id, query).key],
      },
    );
    await one.world.store('a').purchases.commit(approving);
    one.worker.start();
    await one.clock.advance(2000);
    expect(one.seen).to.deep.equal(['approve 1']);
  });

  it('lets a fault of the world come again when the lease has lapsed', async () => {
    const one = await bench(async () => {
      throw new Fault('journal_unreachable', 'unknown');
    });
    await abandoned(one, query, false);
    one.worker.start();
    await one.clock.advance(18_000);
    expect([one.seen, new Set(one.troubles)]).to.deep.equal([
      ['query_payment 1', 'query_payment 2'],
      new Set(['effect_failed']),
    ]);
  });

  it('puts a bug off by a minute, and parks the purchase at the fifth', async () => {
    const one = await bench(async () => {
      throw new Error('ours');
    });
    await abandoned(one, query, false);
    one.worker.start();
    await one.clock.advance(200_000);
    const cases = (): string[] => [...one.world.tables.cases.values()].map(({ kind }) => kind);
    const before = cases();
    await one.clock.advance(60_000);
    expect([before, cases(), one.seen]).to.deep.equal([
      [],
      ['parked'],
      [1, 2, 3, 4, 5].map((n) => `query_payment ${n}`),
    ]);
  });

  it("keeps a bug's name with the effect, and not its words, which may hold a number", async () => {
    const one = await bench(async () => {
      throw new TypeError('no subscriber 221771234501');
    });
    const whys: string[] = [];
    one.purchases.reschedule = async (_effect, _ms, why) => whys.push(why) > 0;
    await abandoned(one, query, false);
    one.worker.start();
    await one.clock.advance(18_000);
    expect(new Set(whys)).to.deep.equal(new Set(['TypeError']));
  });

  it('says so when what was thrown is no error, and when it cannot be put off', async () => {
    const one = await bench(async (loaded) => {
      one.world.setReachable(false);
      const thrown: unknown = `bad ${loaded.purchase.state}`;
      throw thrown;
    });
    await abandoned(one, query, false);
    one.worker.start();
    await one.clock.advance(2000);
    expect(one.troubles).to.deep.equal(['effect_failed', 'effect_not_put_off']);
  });

  it('goes on when the journal is away for a while', async () => {
    const one = await bench();
    await abandoned(one, query, false);
    one.world.setReachable(false);
    one.worker.start();
    await one.clock.advance(4000);
    one.world.setReachable(true);
    await one.clock.advance(2000);
    expect([one.troubles, one.seen]).to.deep.equal([['effects_not_taken', 'effects_not_taken'], ['query_payment 1']]);
  });

  it('does nothing for a purchase that is no longer there', async () => {
    const one = await bench();
    const loaded = await abandoned(one);
    const effect = { ...ownOf(loaded, query), purchaseId: '00000000-0000-7000-8000-00000000dead' };
    one.worker.run([{ loaded, effect, dueInMs: 5 }]);
    await one.clock.advance(5);
    expect([one.seen, one.troubles]).to.deep.equal([[], []]);
  });

  it('stops: what runs is finished, nothing new is taken, and what was due later is left to others', async () => {
    let finish = (): void => undefined;
    const one = await bench(
      () =>
        new Promise((resolve) => {
          finish = resolve;
        }),
    );
    const loaded = await abandoned(one);
    one.worker.start();
    one.worker.run([
      { loaded, effect: ownOf(loaded, query), dueInMs: 0 },
      { loaded, effect: ownOf(loaded, query), dueInMs: 1000 },
    ]);
    let hasStopped = false;
    void one.worker.stop(10_000).then(() => {
      hasStopped = true;
    });
    await one.clock.advance(5000);
    const before = hasStopped;
    one.worker.machineReady('M-4567');
    finish();
    await one.clock.settle();
    await one.clock.advance(60_000);
    expect([before, hasStopped, one.seen]).to.deep.equal([false, true, ['query_payment 1']]);
  });

  it('stops: what running effects commit is carried out too', async () => {
    let finish = (): void => undefined;
    const one = await bench(async (_loaded, { effect }) => {
      if (effect.kind !== 'authorize') return;
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      one.worker.run([{ loaded, effect: ownOf(loaded, query), dueInMs: 0 }]);
    });
    const loaded = await abandoned(one);
    const authorize: Effect = { kind: 'authorize', expiresInMs: 1, holdMs: null, isResend: false };
    one.worker.run([{ loaded, effect: ownOf(loaded, authorize), dueInMs: 0 }]);
    const stopping = one.worker.stop(10_000);
    await one.clock.settle();
    finish();
    await stopping;
    expect(one.seen).to.deep.equal(['authorize 1', 'query_payment 1']);
  });

  it('stops: after the drain time, whatever still runs', async () => {
    const one = await bench(() => new Promise(() => undefined));
    const loaded = await abandoned(one);
    one.worker.run([{ loaded, effect: ownOf(loaded, query), dueInMs: 0 }]);
    let hasStopped = false;
    void one.worker.stop(10_000).then(() => {
      hasStopped = true;
    });
    await one.clock.advance(9999);
    const before = hasStopped;
    await one.clock.advance(1);
    expect([before, hasStopped]).to.deep.equal([false, true]);
  });

  it('takes nothing for a machine that is not held here', async () => {
    const one = await bench();
    await abandoned(one, { kind: 'query_order' }, false);
    one.ready.clear();
    one.worker.machineReady('M-4567');
    await one.clock.settle();
    const before = [...one.seen];
    one.ready.add('M-4567');
    one.worker.machineReady('M-4567');
    await one.clock.settle();
    expect([before, one.seen]).to.deep.equal([[], ['query_order 1']]);
  });

  it('counts its lease from before the statement that takes it', async () => {
    const ends: number[] = [];
    const one = await bench(async (_loaded, { leaseEndsAtMs }) => void ends.push(leaseEndsAtMs));
    await abandoned(one, query, false);
    const takeDue = one.purchases.takeDue.bind(one.purchases);
    one.purchases.takeDue = async (...how) => {
      const taken = await takeDue(...how);
      await pause(one.clock, 700);
      return taken;
    };
    one.worker.start();
    await one.clock.advance(2700);
    expect(ends).to.deep.equal([2000 + LEASE_MS]);
  });

  it('takes nothing while five hundred are running', async () => {
    const one = await bench(() => new Promise(() => undefined));
    const loaded = await abandoned(one, query, false);
    const effect = ownOf(loaded, query);
    one.worker.run(Array.from({ length: 500 }, () => ({ loaded, effect, dueInMs: 0 })));
    one.worker.start();
    await one.clock.advance(6000);
    expect(one.seen.length).to.equal(500);
  });
});
