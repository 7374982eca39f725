import { expect } from 'chai';
import type { EventSource } from '../../src/purchase/coordinator.ts';
import type { PurchaseEvent } from '../../src/purchase/event.ts';
import type { LivePurchase } from '../../src/purchase/purchase.ts';
import { Fault } from '../../src/result.ts';
import { createDeadlineWorker } from '../../src/worker/deadline-worker.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { createMemoryWorld } from '../support/memory-store.ts';
import { aPurchase, aRegistry, aRegistryMachine, authorizedOf, beginOf, effectRow } from '../support/store-builders.ts';

async function bench(fail: () => void | 'busy' = () => undefined) {
  const clock = createFakeClock();
  const world = createMemoryWorld({ clock });
  await world.store('a').applyRegistry(aRegistry([aRegistryMachine('M-4567', '4567'), aRegistryMachine('M-1', '1')]));
  const { purchases } = world.store('a');
  const events: (PurchaseEvent | null)[] = [];
  const troubles: string[] = [];
  const accepted = new Set<string>();
  const worker = createDeadlineWorker({
    store: purchases,
    coordinator: {
      apply: async (id: string, source: EventSource) => {
        const loaded = await purchases.load(id);
        if (loaded === null) return { kind: 'no_purchase' };
        events.push(typeof source === 'function' ? source(loaded) : source);
        if (fail() === 'busy') return { kind: 'busy' };
        // Decided, as it would be: with a new deadline.
        await purchases.putOffDeadline(id, loaded.purchase.version, 60_000);
        return { kind: 'already', loaded };
      },
      isAccepted: (id: string) => accepted.has(id),
    },
    clock,
    pollMs: 1000,
    random: () => 0.5,
    onTrouble: (what) => troubles.push(what),
  });
  const approving = async (isOwn: boolean): Promise<LivePurchase> => {
    const purchase = aPurchase();
    await purchases.begin(beginOf(purchase));
    const approve = effectRow(purchase.id, { kind: 'approve' }, { isOwn });
    await purchases.commit(authorizedOf(purchase, { planned: [approve], deadline: 'keep' }));
    return purchase;
  };
  const manyPassed = async (count: number): Promise<void> => {
    for (let n = 0; n < count; n += 1) await purchases.begin(beginOf(aPurchase({ orderSeq: 1000 + n })));
  };
  return { clock, world, purchases, worker, events, troubles, approving, accepted, manyPassed };
}

describe('the deadline worker', () => {
  it('says that a deadline has passed, not before', async () => {
    const { clock, purchases, worker, events } = await bench();
    await purchases.begin(beginOf(aPurchase()));
    await clock.advance(59_999);
    await worker.look();
    const before = [...events];
    await clock.advance(1);
    await worker.look();
    expect([before, events]).to.deep.equal([[], [{ type: 'deadline_passed' }]]);
  });

  it('says that the machine was unreachable when the approval was provably never sent', async () => {
    const { clock, worker, events, approving } = await bench();
    await approving(false);
    await clock.advance(60_000);
    await worker.look();
    expect(events).to.deep.equal([{ type: 'approval_unreachable' }]);
  });

  it('says no such thing when the approval may have been sent', async () => {
    const { clock, worker, events, approving } = await bench();
    await approving(true);
    await clock.advance(60_000);
    await worker.look();
    expect(events).to.deep.equal([{ type: 'deadline_passed' }]);
  });

  it('records an acceptance that was heard in the last second, and calls a delivery under way no doubt', async () => {
    const { clock, worker, events, approving, accepted } = await bench();
    const purchase = await approving(true);
    accepted.add(purchase.id);
    await clock.advance(60_000);
    await worker.look();
    expect(events).to.deep.equal([{ type: 'approval_accepted' }]);
  });

  it('says no such thing when there is no approval to withdraw', async () => {
    const { clock, purchases, worker, events, approving } = await bench();
    const { id } = await approving(false);
    await purchases.finish(id, effectRow(id, { kind: 'approve' }).key);
    await clock.advance(60_000);
    await worker.look();
    expect(events).to.deep.equal([{ type: 'deadline_passed' }]);
  });

  it('says nothing when another event came first and set a new deadline', async () => {
    const { clock, purchases, worker, events } = await bench();
    const purchase = aPurchase();
    await purchases.begin(beginOf(purchase));
    await clock.advance(60_000);
    const looking = worker.look();
    await purchases.commit(authorizedOf(purchase, { deadline: 90_000 }));
    await looking;
    expect(events).to.deep.equal([null]);
  });

  it('leaves a deadline that it could not decide for want of the journal', async () => {
    const { clock, purchases, worker, troubles } = await bench(() => {
      throw new Fault('journal_unreachable', 'no');
    });
    await purchases.begin(beginOf(aPurchase()));
    await clock.advance(60_000);
    await worker.look();
    expect([troubles, (await purchases.pastDeadline(9)).length]).to.deep.equal([['deadline_not_decided'], 1]);
  });

  it('puts a deadline whose decision is a bug off by a minute, parks it, and goes on with the others', async () => {
    const { clock, world, purchases, worker, events, troubles } = await bench(() => {
      throw new Error('ours');
    });
    await purchases.begin(beginOf(aPurchase()));
    await purchases.begin(beginOf(aPurchase({ machineId: 'M-1' })));
    await clock.advance(60_000);
    await worker.look();
    const cases = [...world.tables.cases.values()].map(({ kind }) => kind);
    expect([events.length, troubles.length, cases, (await purchases.pastDeadline(9)).length]).to.deep.equal([
      2,
      2,
      ['parked', 'parked'],
      0,
    ]);
    await clock.advance(60_000);
    expect((await purchases.pastDeadline(9)).length).to.equal(2);
  });

  it('decides all that have passed in one look, at most fifty at once', async () => {
    const { clock, purchases, worker, events, manyPassed } = await bench();
    await manyPassed(160);
    await clock.advance(60_000);
    await worker.look();
    expect([events.length, (await purchases.pastDeadline(999)).length]).to.deep.equal([160, 0]);
  });

  it('looks no more in this round for what it could not decide', async () => {
    const { clock, worker, events, manyPassed } = await bench(() => {
      throw new Fault('journal_busy', 'no');
    });
    await manyPassed(160);
    await clock.advance(60_000);
    await worker.look();
    expect(events.length).to.equal(50);
  });

  it('leaves what was busy to the next look', async () => {
    const { clock, worker, events, manyPassed } = await bench(() => 'busy');
    await manyPassed(60);
    await clock.advance(60_000);
    await worker.look();
    expect(events.length).to.equal(50);
  });

  it('goes on when the journal is away for a while', async () => {
    const { clock, world, purchases, worker, events, troubles } = await bench();
    await purchases.begin(beginOf(aPurchase()));
    await clock.advance(60_000);
    world.setReachable(false);
    worker.start();
    await clock.advance(2000);
    world.setReachable(true);
    await clock.advance(1000);
    expect([troubles, events.length]).to.deep.equal([['deadlines_not_read', 'deadlines_not_read'], 1]);
  });

  it('stops once its look is over, and looks no more', async () => {
    const { clock, purchases, worker, events } = await bench();
    await purchases.begin(beginOf(aPurchase()));
    worker.start();
    await worker.stop();
    await clock.advance(120_000);
    expect([events, clock.untilNextMs()]).to.deep.equal([[], null]);
  });

  it('stops in the middle of a look, which is finished', async () => {
    const { clock, purchases, worker, events } = await bench();
    await purchases.begin(beginOf(aPurchase()));
    await clock.advance(60_000);
    worker.start();
    let stopped: Promise<void> = Promise.resolve();
    clock.after(1000, () => {
      stopped = worker.stop();
    });
    await clock.advance(1000);
    await stopped;
    expect([events.length, clock.untilNextMs()]).to.deep.equal([1, null]);
  });
});
