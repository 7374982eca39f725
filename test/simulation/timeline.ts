/**
 * Simulated time and the one queue of everything that is going to happen. One step takes the earliest event and lets
 * every promise run that it resolves; ties are broken by chance. Nothing in a simulation may wait for anything else.
 */
import type { CancelTimer, DurationMs } from '../../src/time.ts';
import type { Dice } from './chance.ts';

/** The queue. */
export interface Timeline {
  /** True time in milliseconds since the simulation began. */
  now(): DurationMs;
  /** Steps taken so far. */
  readonly steps: number;
  /** Puts `run` off by `afterMs`, at least 0. */
  after(afterMs: DurationMs, run: () => void): CancelTimer;
  /** Steps until `isOver` is true before a step, or nothing is left. `onStep` is called after each. @throws what a step or `onStep` throws. */
  run(isOver: () => boolean, onStep: () => void): Promise<void>;
}

type Event = { readonly atMs: DurationMs; readonly tie: number; run: (() => void) | null };

const isBefore = (one: Event, other: Event): boolean =>
  one.atMs < other.atMs || (one.atMs === other.atMs && one.tie < other.tie);

/** A binary heap of events, the earliest first. */
function createQueue(): { push(event: Event): void; pop(): Event | undefined } {
  const heap: Event[] = [];

  function sinkFrom(start: number, event: Event): void {
    let place = start;
    for (;;) {
      const left = 2 * place + 1;
      const one = heap[left];
      const other = heap[left + 1];
      if (one === undefined) break;
      const isRight = other !== undefined && isBefore(other, one);
      const least = isRight ? other : one;
      if (!isBefore(least, event)) break;
      heap[place] = least;
      place = isRight ? left + 1 : left;
    }
    heap[place] = event;
  }

  return {
    push: (event) => {
      let place = heap.length;
      heap.push(event);
      while (place > 0) {
        const parentPlace = (place - 1) >> 1;
        const parent = heap[parentPlace];
        if (parent === undefined || !isBefore(event, parent)) break;
        heap[place] = parent;
        place = parentPlace;
      }
      heap[place] = event;
    },
    pop: () => {
      const first = heap[0];
      const last = heap.pop();
      if (last !== undefined && heap.length > 0) sinkFrom(0, last);
      return first;
    },
  };
}

/** Its `then` is a plain microtask; `queueMicrotask` of Node makes an asynchronous resource for each. */
const settled = Promise.resolve();

/** An empty timeline at 0. */
export function createTimeline(dice: Dice): Timeline {
  const queue = createQueue();
  let nowMs: DurationMs = 0;
  let steps = 0;

  /** The next event that was not canceled. */
  function next(): Event | undefined {
    for (let event = queue.pop(); event !== undefined; event = queue.pop()) if (event.run !== null) return event;
    return undefined;
  }

  function run(isOver: () => boolean, onStep: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      function step(): void {
        try {
          if (steps > 0) onStep();
          const event = isOver() ? undefined : next();
          if (event === undefined) return resolve();
          nowMs = event.atMs;
          steps += 1;
          const act = event.run;
          event.run = null;
          act?.();
        } catch (error) {
          return reject(error instanceof Error ? error : new Error(String(error)));
        }
        // Node empties the queue of promises before it takes the next tick: all that follows from this step has run by then.
        void settled.then(planStep);
      }
      const planStep = (): void => process.nextTick(step);
      // Promises of what was begun before the first step run before it, too.
      void settled.then(planStep);
    });
  }

  return {
    now: () => nowMs,
    get steps() {
      return steps;
    },
    after: (afterMs, act) => {
      const event: Event = { atMs: nowMs + Math.max(0, afterMs), tie: dice.float(), run: act };
      queue.push(event);
      return () => {
        event.run = null;
      };
    },
    run,
  };
}
