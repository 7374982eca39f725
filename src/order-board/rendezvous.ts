/**
 * The payer who comes before the order: waiting on a machine's wake channel, bounded in time and number.
 */
import type { Claimed } from '../purchase/order-board-port.ts';
import type { Clock, DurationMs } from '../time.ts';
import type { CancelListening, ChannelListener } from './subscriptions.ts';

/** How waiters are woken, and how many there may be. */
export type RendezvousDeps = {
  readonly clock: Clock;
  /** Listens to a wake channel; null is heard when the subscription is confirmed, first or again. */
  readonly listen: (channel: string, listener: ChannelListener) => CancelListening;
  /** Beyond this number nobody waits: the first reply is the answer. */
  readonly maxWaiters: number;
};

/** One caller's wish to claim as soon as there is something to claim. */
export type Wish = {
  readonly channel: string;
  readonly waitMs: DurationMs;
  /** The claim itself; repeated until it says anything else than `none`. */
  readonly claim: () => Promise<Claimed>;
};

/** Waits for orders. */
export interface Rendezvous {
  /**
   * Claims; while there is no order, claims again when the subscription is confirmed, at each message, and once more
   * at the end of `waitMs`. A lost message costs waiting time, never the order. Stops listening in every case.
   * @throws Fault of the claim.
   */
  claimWhenPlaced(wish: Wish): Promise<Claimed>;
  /** Wakes all, so that each claims a last time and is answered. For the end of the process. */
  end(): void;
  /** How many wait now. */
  readonly waiting: number;
}

type Waiter = {
  /** Resolves at the next signal, or at once if there was one since the last time. */
  readonly signaled: () => Promise<void>;
  readonly signal: () => void;
};

function createWaiter(): Waiter {
  let isSignaled = false;
  let wake: (() => void) | undefined;
  return {
    signaled: () =>
      new Promise((resolve) => {
        if (isSignaled) {
          isSignaled = false;
          resolve();
        } else {
          wake = resolve;
        }
      }),
    signal: () => {
      const waiting = wake;
      wake = undefined;
      if (waiting === undefined) isSignaled = true;
      else waiting();
    },
  };
}

/** Makes the place where payers wait for orders. */
export function createRendezvous({ clock, listen, maxWaiters }: RendezvousDeps): Rendezvous {
  const waiters = new Set<Waiter>();
  let isEnded = false;

  const waitFor = async (wish: Wish): Promise<Claimed> => {
    const waiter = createWaiter();
    waiters.add(waiter);
    const endsAtMs = clock.now() + wish.waitMs;
    const cancelTimer = clock.after(wish.waitMs, waiter.signal);
    const cancelListening = listen(wish.channel, waiter.signal);
    try {
      for (;;) {
        await waiter.signaled();
        // Read before the claim: an end that comes during the claim wakes the next round, which is the last.
        const isLast = isEnded || clock.now() >= endsAtMs;
        const claimed = await wish.claim();
        if (claimed.kind !== 'none' || isLast) return claimed;
      }
    } finally {
      cancelListening();
      cancelTimer();
      waiters.delete(waiter);
    }
  };

  return {
    claimWhenPlaced: async (wish) => {
      const claimed = await wish.claim();
      if (claimed.kind !== 'none' || wish.waitMs <= 0 || isEnded || waiters.size >= maxWaiters) return claimed;
      return waitFor(wish);
    },
    end: () => {
      isEnded = true;
      for (const waiter of waiters) waiter.signal();
    },
    get waiting() {
      return waiters.size;
    },
  };
}
