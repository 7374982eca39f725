/**
 * What is left of the time in which this node alone carries out an effect. Looked at right before each outside call:
 * a node that stalled in between finds that it is over, and leaves the call to whoever takes the effect next.
 */
import type { HeldEffect } from '../purchase/effect.ts';
import type { PurchaseStore } from '../purchase/store-port.ts';
import type { Clock, DurationMs } from '../time.ts';

/** The lease of one effect, being carried out. */
export type Lease = {
  /** True when a call that may take so long may begin now, and cannot outlive the lease. */
  covers(budgetMs: DurationMs): boolean;
  /**
   * Likewise for a further call of the same effect. Where too little is left the lease is taken anew, unless somebody
   * else has taken the effect meanwhile: without that a slow wallet would never get past its first answer.
   */
  lastsFor(budgetMs: DurationMs): Promise<boolean>;
};

/** What leases are kept with. */
export type LeaseDeps = {
  readonly store: Pick<PurchaseStore, 'keepLease'>;
  readonly clock: Clock;
  readonly leaseMs: DurationMs;
};

/** The lease of an effect that this node holds. */
export function createLease({ store, clock, leaseMs }: LeaseDeps, held: HeldEffect): Lease {
  let endsAtMs = held.leaseEndsAtMs;
  const covers = (budgetMs: DurationMs): boolean => endsAtMs - clock.now() >= budgetMs;
  return {
    covers,
    lastsFor: async (budgetMs) => {
      if (covers(budgetMs)) return true;
      const sentAtMs = clock.now();
      if (!(await store.keepLease(held, leaseMs))) return false;
      endsAtMs = sentAtMs + leaseMs;
      return covers(budgetMs);
    },
  };
}
