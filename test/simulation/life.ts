/**
 * The life of one simulated process: its clock, its death, its stalls. Whatever reaches it comes through here.
 */
import type { CancelTimer, Clock, DurationMs } from '../../src/time.ts';
import type { Timeline } from './timeline.ts';

/** One process. A node, the program beside a machine. */
export interface Life {
  readonly name: string;
  /** Its own clock: monotonic time goes on while it stalls, as with SIGSTOP; its wall clock may be set. */
  readonly clock: Clock;
  readonly isDead: boolean;
  readonly isStalled: boolean;
  /** Runs it now; when the process goes on, in order, while it stalls; never once it is dead. */
  deliver(run: () => void): void;
  /** Calls `run` in the step of its death. */
  onDeath(run: () => void): void;
  /** As by kill -9: no timer fires, no answer is heard, nothing is begun. */
  kill(): void;
  /** As by SIGSTOP; what comes meanwhile waits. */
  stall(): void;
  wake(): void;
  /** Sets the wall clock of this process forward, or back. */
  jumpWall(byMs: DurationMs): void;
}

/** What a dead process is answered. Made anew for each: one that all shared would keep whatever ever waited for it. */
export const never = (): Promise<never> => new Promise(() => undefined);

/** Noon of 2026-06-01 UTC: when every simulation begins. */
export const beginningMs = Date.UTC(2026, 5, 1, 12);

/** A living process. Monotonic clocks of two processes have different origins: `originMs`. */
export function createLife(name: string, timeline: Timeline, originMs: DurationMs): Life {
  // When a stopped process goes on, Node runs the timers that have fallen due before it reads what has come.
  const timers: (() => void)[] = [];
  const arrivals: (() => void)[] = [];
  const mourners: (() => void)[] = [];
  let isDead = false;
  let isStalled = false;
  let wallOffsetMs: DurationMs = 0;

  function take(run: () => void, backlog: (() => void)[]): void {
    if (isDead) return;
    // What comes while a backlog is worked off stays behind it.
    if (isStalled || timers.length + arrivals.length > 0) backlog.push(run);
    else run();
  }
  const deliver = (run: () => void): void => take(run, arrivals);

  /** One at a time, each in a step of its own, so that what follows from one runs before the next. */
  function goOn(): void {
    if (isDead || isStalled) return;
    const run = timers.shift() ?? arrivals.shift();
    if (run === undefined) return;
    timeline.after(0, goOn);
    run();
  }

  function after(afterMs: DurationMs, run: () => void): CancelTimer {
    let isCanceled = false;
    const fire = (): void => {
      if (!isCanceled) run();
    };
    const cancel = timeline.after(afterMs, () => take(fire, timers));
    return () => {
      isCanceled = true;
      cancel();
    };
  }

  return {
    name,
    clock: {
      now: () => originMs + timeline.now(),
      wall: () => beginningMs + timeline.now() + wallOffsetMs,
      after,
    },
    get isDead() {
      return isDead;
    },
    get isStalled() {
      return isStalled;
    },
    deliver,
    onDeath: (run) => {
      mourners.push(run);
    },
    kill: () => {
      if (isDead) return;
      isDead = true;
      timers.length = 0;
      arrivals.length = 0;
      for (const run of mourners.splice(0)) run();
    },
    stall: () => {
      isStalled = true;
    },
    wake: () => {
      if (!isStalled) return;
      isStalled = false;
      timeline.after(0, goOn);
    },
    jumpWall: (byMs) => {
      wallOffsetMs += byMs;
    },
  };
}
