/**
 * A clock that stands still until a test moves it. Between two timers everything that can run without time runs, so
 * that the order of events is the same in every run.
 */
import type { Clock, DurationMs } from '../../src/time.ts';

/** A clock moved by hand. */
export interface FakeClock extends Clock {
  /** Moves on by `ms`, firing each timer that falls due at its own time, and lets what follows from it run. */
  advance(ms: DurationMs): Promise<void>;
  /** How long until the next timer, or null when none is set. */
  untilNextMs(): DurationMs | null;
  /** Lets everything run that needs no time. */
  settle(): Promise<void>;
}

type Timer = { readonly atMs: DurationMs; readonly run: () => void };

/** Lets every promise that can be resolved be resolved; code over memory needs no more than that. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Creates a clock at `now` 0; `wallMs`: its wall clock then, noon of 2026-06-01 UTC by default. */
export function createFakeClock(wallMs = Date.UTC(2026, 5, 1, 12)): FakeClock {
  let nowMs: DurationMs = 0;
  const timers = new Set<Timer>();

  function next(): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of timers) if (first === undefined || timer.atMs < first.atMs) first = timer;
    return first;
  }

  async function advance(ms: DurationMs): Promise<void> {
    const untilMs = nowMs + ms;
    await settle();
    for (let timer = next(); timer !== undefined && timer.atMs <= untilMs; timer = next()) {
      timers.delete(timer);
      nowMs = Math.max(nowMs, timer.atMs);
      timer.run();
      await settle();
    }
    nowMs = Math.max(nowMs, untilMs);
  }

  return {
    now: () => nowMs,
    wall: () => wallMs + nowMs,
    after: (afterMs, run) => {
      const timer: Timer = { atMs: nowMs + Math.max(0, afterMs), run };
      timers.add(timer);
      return () => {
        timers.delete(timer);
      };
    },
    advance,
    untilNextMs: () => {
      const timer = next();
      return timer === undefined ? null : timer.atMs - nowMs;
    },
    settle,
  };
}
