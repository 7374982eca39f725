/**
 * An effect worker over a journal in memory, which notes what it is given.
 */
import type { Effect, HeldEffect } from '../../src/purchase/effect.ts';
import type { Loaded, PurchaseStore } from '../../src/purchase/store-port.ts';
import { type CarryOut, createEffectWorker, type EffectWorker } from '../../src/worker/effect-worker.ts';
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts';
import { createMemoryWorld, type MemoryWorld } from '../support/memory-store.ts';
import { aPurchase, aRegistry, beginOf, effectRow } from '../support/store-builders.ts';

/** Lease of an effect. */
export const LEASE_MS = 15_000;

/** A worker and what it did. */
export type Bench = {
  readonly clock: FakeClock;
  readonly world: MemoryWorld;
  readonly purchases: PurchaseStore;
  readonly worker: EffectWorker;
  readonly seen: string[];
  readonly troubles: string[];
  readonly reads: string[];
  held: readonly string[];
  /** Machines whose socket is here. */
  readonly ready: Set<string>;
};

/** A worker of node `b` that notes what it is given, and then does as it is told. */
export async function bench(act: CarryOut = async () => undefined, held: readonly string[] = []): Promise<Bench> {
  const clock = createFakeClock();
  const world = createMemoryWorld({ clock, leaseMs: LEASE_MS });
  await world.store('a').applyRegistry(aRegistry());
  const { purchases } = world.store('b');
  const seen: string[] = [];
  const troubles: string[] = [];
  const reads: string[] = [];
  const own = { held, ready: new Set(['M-4567']) };
  const read =
    (how: string) =>
    async (id: string): Promise<Loaded | null> => {
      reads.push(how);
      return purchases.load(id);
    };
  const worker = createEffectWorker({
    store: purchases,
    coordinator: { load: read('load'), reload: read('reload') },
    machines: { holds: (id) => own.ready.has(id), heldMachines: () => own.held },
    carryOut: async (loaded, effect) => {
      seen.push(`${effect.effect.kind} ${effect.tries}`);
      await act(loaded, effect);
    },
    clock,
    leaseMs: LEASE_MS,
    pollMs: 2000,
    random: () => 0.5,
    onTrouble: (what) => troubles.push(what),
  });
  return { clock, world, purchases, worker, seen, troubles, reads, ...own };
}

/** A purchase that node `a` began, and died with. */
export async function abandoned(
  { world }: Bench,
  effect: Effect = { kind: 'query_payment' },
  isOwn = true,
): Promise<Loaded> {
  const purchase = aPurchase();
  await world.store('a').purchases.begin(beginOf(purchase, { effects: [effectRow(purchase.id, effect, { isOwn })] }));
  return { purchase, leftMs: 60_000, sinceConfirmedMs: 0, sinceEndedMs: null };
}

/** So many effects due at once, of as many purchases. */
export async function many(one: Bench, count: number, effect: Effect): Promise<void> {
  const a = one.world.store('a').purchases;
  for (let orderSeq = 1000; orderSeq < 1000 + count; orderSeq += 1) {
    const purchase = aPurchase({ orderSeq });
    await a.begin(beginOf(purchase, { effects: [effectRow(purchase.id, effect)] }));
  }
}

/** An effect as its own node holds it. */
export function ownOf({ purchase }: Loaded, effect: Effect): HeldEffect {
  const { key } = effectRow(purchase.id, effect);
  const lease = { tries: 1, leaseLeftMs: LEASE_MS, leaseEndsAtMs: LEASE_MS };
  return { purchaseId: purchase.id, key, effect, maySent: false, maySentBefore: false, ...lease };
}

/** The effect of these tests. */
export const query: Effect = { kind: 'query_payment' };
