/**
 * Turns passed deadlines into events. No lease: of two nodes that see the same deadline one wins the compare-and-set,
 * and the other finds a new one.
 */

import type { Coordinator } from '../purchase/coordinator.ts';
import type { PurchaseId } from '../purchase/purchase.ts';
import type { Loaded, PurchaseStore } from '../purchase/store-port.ts';
import { Fault } from '../result.ts';
import type { Clock, DurationMs } from '../time.ts';

/** What the worker works with. */
export type DeadlineWorkerDeps = {
  readonly store: PurchaseStore;
  readonly coordinator: Pick<Coordinator, 'apply' | 'isAccepted'>;
  readonly clock: Clock;
  /** Mean time between two looks, 1 s; each wait is drawn between half and one and a half of it. */
  readonly pollMs: DurationMs;
  readonly random: () => number;
  readonly onTrouble: (what: string, id: PurchaseId | null, error: unknown) => void;
};

/** The deadline worker of one node. */
export interface DeadlineWorker {
  start(): void;
  /** Resolves when the look in progress is over. */
  stop(): Promise<void>;
  /** One look, now. */
  look(): Promise<void>;
}

/** Deadlines decided at once; after a full look in which every one was decided the next follows immediately. */
const MOST_AT_ONCE = 50;
/** A decision that failed must not hold up the others. */
const PUT_OFF_MS: DurationMs = 60_000;

/** Creates the worker; `start` begins the polling. */
export function createDeadlineWorker(deps: DeadlineWorkerDeps): DeadlineWorker {
  let isStopped = false;
  let cancel = (): void => {};
  let looking: Promise<void> = Promise.resolve();

  async function look(): Promise<void> {
    try {
      // One that could not be decided stays the oldest: it waits for the next poll, and keeps no loop hot.
      for (let isMore = true; isMore && !isStopped; ) {
        const past = await deps.store.pastDeadline(MOST_AT_ONCE);
        const decided = await Promise.all(past.map(decide));
        isMore = past.length === MOST_AT_ONCE && !decided.includes(false);
      }
    } catch (error) {
      deps.onTrouble('deadlines_not_read', null, error);
    }
  }

  /** True when this deadline is no longer in the way. */
  async function decide(loaded: Loaded): Promise<boolean> {
    const { id, state, version } = loaded.purchase;
    try {
      const isUnsent = state === 'approving' && (await isProvablyUnsent(id));
      // Another event may have come first and set a new deadline: what counts is what is read at the commit.
      const applied = await deps.coordinator.apply(id, (now) => {
        if (now.leftMs === null || now.leftMs > 0) return null;
        if (now.purchase.state !== 'approving') return { type: 'deadline_passed' };
        // Its acceptance is known and not recorded yet: a delivery under way is no doubt.
        if (deps.coordinator.isAccepted(id)) return { type: 'approval_accepted' };
        return isUnsent ? { type: 'approval_unreachable' } : { type: 'deadline_passed' };
      });
      // By this node, or by another one that came first: what is busy still is in the way.
      return applied.kind === 'committed' || applied.kind === 'already';
    } catch (error) {
      deps.onTrouble('deadline_not_decided', id, error);
      if (error instanceof Fault) return false;
      await deps.store.putOffDeadline(id, version, PUT_OFF_MS);
      await deps.store.openCase(id, 'parked');
      return true;
    }
  }

  async function isProvablyUnsent(id: PurchaseId): Promise<boolean> {
    const approvals = (await deps.store.effectsOf(id)).filter((each) => each.effect.kind === 'approve');
    return approvals.length > 0 && approvals.every((each) => !each.maySent);
  }

  function lookLater(): void {
    cancel = deps.clock.after(deps.pollMs * (0.5 + deps.random()), () => {
      looking = look().then(() => {
        if (!isStopped) lookLater();
      });
    });
  }

  return {
    start: lookLater,
    stop: async () => {
      isStopped = true;
      cancel();
      await looking;
    },
    look,
  };
}
