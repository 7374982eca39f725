/**
 * A clock that stands still until it is advanced.
 */
import type { Clock, DurationMs } from '../../src/time.ts';

/** A clock for tests: `advance` fires what is due, in the order of its times. */
export interface StillClock extends Clock {
  advance(ms: DurationMs): void;
  /** Timers that have not fired and were not canceled. */
  readonly pending: number;
}

/** A still clock at a time that is nobody's: 1,000,000 ms. */
export function createStillClock(): StillClock {
  let nowMs = 1_000_000;
  const timers = new Set<{ readonly dueMs: number; readonly run: () => void }>();
  const nextDue = (untilMs: number) =>
    [...timers].filter(({ dueMs }) => dueMs <= untilMs).sort((one, other) => one.dueMs - other.dueMs)[0];
  return {
    now: () => nowMs,
    wall: () => nowMs,
    after: (afterMs, run) => {
      const timer = { dueMs: nowMs + afterMs, run };
      timers.add(timer);
      return () => {
        timers.delete(timer);
      };
    },
    advance: (ms) => {
      const untilMs = nowMs + ms;
      for (let due = nextDue(untilMs); due !== undefined; due = nextDue(untilMs)) {
        timers.delete(due);
        nowMs = due.dueMs;
        due.run();
      }
      nowMs = untilMs;
    },
    get pending() {
      return timers.size;
    },
  };
}
