/**
 * A machine's own clock, which can be let run ahead of everybody else's, so that nobody has to wait for a waiting time.
 */
import type { CancelTimer, Clock, DurationMs } from '../src/time.ts';

/** A clock with a hand that can be moved forward. */
export type MachineClock = Clock & {
  /** Lets time pass at this machine alone: its timers that are due by then fire now, in their order. */
  skip(ms: DurationMs): void;
};

/** A machine clock that otherwise runs with `base`. */
export function createMachineClock(base: Clock): MachineClock {
  let aheadMs = 0;
  const timers = new Map<symbol, { dueAtMs: DurationMs; run: () => void; cancel: CancelTimer }>();
  const now = (): DurationMs => base.now() + aheadMs;
  const arm = (name: symbol, dueAtMs: DurationMs, run: () => void): void => {
    const cancel = base.after(Math.max(0, dueAtMs - now()), () => {
      timers.delete(name);
      run();
    });
    timers.set(name, { dueAtMs, run, cancel });
  };
  const takeDue = (): (() => void) | null => {
    const [first] = [...timers].sort(([, one], [, other]) => one.dueAtMs - other.dueAtMs);
    if (first === undefined || first[1].dueAtMs > now()) return null;
    first[1].cancel();
    timers.delete(first[0]);
    return first[1].run;
  };
  return {
    now,
    wall: () => base.wall() + aheadMs,
    after: (afterMs, run) => {
      const name = Symbol('timer');
      arm(name, now() + afterMs, run);
      return () => {
        timers.get(name)?.cancel();
        timers.delete(name);
      };
    },
    skip: (ms) => {
      aheadMs += ms;
      for (let run = takeDue(); run !== null; run = takeDue()) run();
      for (const [name, timer] of [...timers]) {
        timer.cancel();
        arm(name, timer.dueAtMs, timer.run);
      }
    },
  };
}
