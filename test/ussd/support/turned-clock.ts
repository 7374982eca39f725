/**
 * A clock that stands still until it is turned, and goes to the next timer when only time can help.
 */
import type { Clock } from '../../../src/time.ts';

export interface TurnedClock extends Clock {
  /** Moves on, firing what comes due on the way. */
  turn(ms: number): Promise<void>;
  /** Settles the promise: lets everything run, and moves to the next timer whenever nothing else would happen. */
  until<Value>(promise: Promise<Value>): Promise<Value>;
}

/** Lets everything that needs no time happen. */
export async function breathe(): Promise<void> {
  for (let times = 0; times < 6; times += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** A sleep, for a node that stands still until it is woken. */
export function createSleep(): { readonly asleep: Promise<void>; readonly wake: () => void } {
  let wake = (): void => undefined;
  const asleep = new Promise<void>((resolve) => {
    wake = resolve;
  });
  return { asleep, wake: () => wake() };
}

export function createTurnedClock(startMs = 1_000): TurnedClock {
  const wallMs = Date.UTC(2026, 10, 22, 15, 20);
  let nowMs = startMs;
  const timers = new Set<{ readonly dueMs: number; readonly run: () => void }>();
  const next = () => [...timers].sort((one, other) => one.dueMs - other.dueMs)[0];

  const turn = async (ms: number): Promise<void> => {
    const endMs = nowMs + ms;
    await breathe();
    for (let timer = next(); timer !== undefined && timer.dueMs <= endMs; timer = next()) {
      nowMs = Math.max(nowMs, timer.dueMs);
      timers.delete(timer);
      timer.run();
      await breathe();
    }
    nowMs = endMs;
  };
  return {
    now: () => nowMs,
    wall: () => wallMs + nowMs - startMs,
    after: (afterMs, run) => {
      const timer = { dueMs: nowMs + afterMs, run };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    turn,
    until: async (promise) => {
      let isSettled = false;
      const settled = promise.finally(() => {
        isSettled = true;
      });
      settled.catch(() => undefined);
      for (let turns = 0; turns < 1_000; turns += 1) {
        await breathe();
        if (isSettled) return settled;
        const timer = next();
        if (timer === undefined) throw new Error('nothing more will happen');
        await turn(timer.dueMs - nowMs);
      }
      throw new Error('does not settle');
    },
  };
}
