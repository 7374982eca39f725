import type { Clock, DurationMs } from '../../../src/time.ts';

/** A clock that stands still until it is told to move; timers that are due run in their order. */
export interface FakeClock extends Clock {
  advance(ms: DurationMs): void;
  readonly timers: number;
  /** How long each timer was set for, in the order in which they were set; the last hundred. */
  readonly waits: readonly DurationMs[];
}

export function createFakeClock(): FakeClock {
  let now = 0;
  const waits: DurationMs[] = [];
  const timers = new Set<{ readonly at: number; readonly run: () => void }>();
  return {
    waits,
    now: () => now,
    wall: () => 1_795_000_000_000 + now,
    after: (afterMs, run) => {
      const timer = { at: now + afterMs, run };
      timers.add(timer);
      waits.push(afterMs);
      if (waits.length > 100) waits.shift();
      return () => timers.delete(timer);
    },
    advance: (ms) => {
      const until = now + ms;
      for (;;) {
        const due = [...timers].filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at)[0];
        if (due === undefined) break;
        timers.delete(due);
        now = Math.max(now, due.at);
        due.run();
      }
      now = until;
    },
    get timers() {
      return timers.size;
    },
  };
}
