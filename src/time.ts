/**
 * Time as the rooms see it: handed in, never read from the environment, so that a test can hold it still.
 */

/** Milliseconds since 1970-01-01T00:00:00Z, for people and records only; never compared between two machines. */
export type UnixMs = number;

/** A duration in milliseconds. Only durations cross a wire. */
export type DurationMs = number;

/** Ends a timer that has not fired yet; harmless afterwards. */
export type CancelTimer = () => void;

/** The clock and the timers of one process. */
export interface Clock {
  /** Monotonic milliseconds with an arbitrary origin; never goes back, unmoved by changes of the wall clock. */
  now(): DurationMs;
  /** Wall clock, for display and logs. */
  wall(): UnixMs;
  /** Calls `run` once, `afterMs` from now; does not keep the process alive by itself. */
  after(afterMs: DurationMs, run: () => void): CancelTimer;
}

/** The clock of this process. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after: (afterMs, run) => {
    const timer = setTimeout(run, afterMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Resolves after `ms` on that clock, or as soon as the signal is aborted. */
export function pause(clock: Clock, ms: DurationMs, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve();
      return;
    }
    const cancel = clock.after(ms, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    const onAbort = (): void => {
      cancel();
      resolve();
    };
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
