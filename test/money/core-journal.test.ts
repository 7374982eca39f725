import { expect } from 'chai';
import type { Coordinator } from '../../src/purchase/coordinator.ts';
import { createCoordinator } from '../../src/purchase/coordinator.ts';
import type { PurchaseStore } from '../../src/purchase/store-port.ts';
import { Fault } from '../../src/result.ts';
import type { JournalPool } from '../../src/store/journal-pool.ts';
import { createPurchaseStore } from '../../src/store/purchase-store.ts';
import { pause } from '../../src/time.ts';
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts';
import { keyOf } from '../support/house-node.ts';
import { createMemoryRedis } from '../support/memory-order-board.ts';
import { aLive, rules } from '../support/purchase-builders.ts';
import { aPurchase, beginOf } from '../support/store-builders.ts';

/** A pool whose first statement writes nothing, and whose next one finds the server gone. */
function poolThatGoesAway(): JournalPool {
  let calls = 0;
  return {
    rows: async () => {
      calls += 1;
      if (calls === 1) return [];
      throw new Fault('journal_unreachable', 'no');
    },
    close: async () => undefined,
  };
}

describe('commit 1 that wrote nothing', () => {
  it('has not provably failed while nobody can read why: an earlier one may have begun', async () => {
    const clock = createFakeClock();
    const store = createPurchaseStore({ pool: poolThatGoesAway(), clock, node: 'a:1', leaseMs: 15_000 });
    const thrown = await store.begin(beginOf(aPurchase())).catch((error: unknown) => error);
    expect(thrown instanceof Fault ? thrown.happened : thrown).to.equal('unknown');
  });

  it('is not tried anew under an old deadline when it took long to find nothing against it', async () => {
    const clock = createFakeClock();
    let statements = 0;
    const pool: JournalPool = {
      rows: async () => {
        statements += 1;
        await clock.advance(400);
        return statements === 6 ? [{ suspended: false, is_over: false }] : [];
      },
      close: async () => undefined,
    };
    const store = createPurchaseStore({ pool, clock, node: 'a:1', leaseMs: 15_000 });
    const thrown = await store.begin(beginOf(aPurchase())).catch((error: unknown) => error);
    expect([String(thrown), statements]).to.deep.equal(['Fault: journal_busy', 6]);
  });
});

/** A coordinator over a journal that takes 2 s for each commit. */
function slowlyCommitting(clock: FakeClock, readsAfterMs = 0): Coordinator {
  const purchase = aLive('authorizing', { version: 1 });
  const store: Partial<PurchaseStore> = {
    load: async () => {
      await pause(clock, readsAfterMs);
      return { purchase, leftMs: 40_000, sinceConfirmedMs: 0, sinceEndedMs: null };
    },
    commit: async () => {
      await pause(clock, 2000);
      return { kind: 'committed' };
    },
  };
  return createCoordinator({
    store: store as PurchaseStore,
    board: createMemoryRedis(clock).board('a').orders,
    machines: { holds: () => false, deny: async () => undefined },
    keyOf,
    clock,
    rules,
    leaseMs: 15_000,
    run: () => undefined,
    nudge: () => undefined,
    onChange: () => undefined,
    onTrouble: () => undefined,
  });
}

describe('what is left of a purchase’s deadline', () => {
  it('goes on shrinking while a commit that keeps it waits for the journal', async () => {
    const clock = createFakeClock();
    const coordinator = slowlyCommitting(clock);
    const { id } = aLive('authorizing');
    const asking = { ref: 'r', by: 'pin', triesLeft: 3, expiresInMs: 30_000 } as const;
    const applying = coordinator.apply(id, { type: 'validation_required', ...asking });
    await clock.advance(2000);
    await applying;
    const loaded = await coordinator.load(id);
    expect([loaded?.purchase.state, loaded?.leftMs, loaded?.sinceConfirmedMs]).to.deep.equal([
      'validating',
      38_000,
      2000,
    ]);
  });

  it('is counted from before the journal was asked, and how long ago the yes was from its answer', async () => {
    const clock = createFakeClock();
    const coordinator = slowlyCommitting(clock, 1500);
    const reading = coordinator.reload('p');
    await clock.advance(1500);
    const loaded = await reading;
    expect([loaded?.leftMs, loaded?.sinceConfirmedMs]).to.deep.equal([38_500, 0]);
  });

  it('is counted from before the commit that sets a new one', async () => {
    const clock = createFakeClock();
    const coordinator = slowlyCommitting(clock);
    const applying = coordinator.apply('p', { type: 'deadline_passed' });
    await clock.advance(2000);
    await applying;
    expect((await coordinator.load(aLive('authorizing').id))?.leftMs).to.equal(rules.lateMs - 2000);
  });
});
