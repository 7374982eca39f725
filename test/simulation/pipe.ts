/**
 * One direction of a simulated wire: what goes in comes out later, in order, each in a step of its own.
 */
import type { DurationMs } from '../../src/time.ts';
import type { Timeline } from './timeline.ts';

/** What a pipe is made of. */
export type PipeDeps<Item> = {
  readonly timeline: Timeline;
  /** How long the next item takes; it never overtakes. */
  readonly latencyMs: () => DurationMs;
  /** Nothing comes out before this moment of the timeline. */
  readonly heldUntilMs: () => DurationMs;
  readonly out: (item: Item) => void;
};

/** One direction. */
export interface Pipe<Item> {
  put(item: Item): void;
  /** What is inside is lost. */
  empty(): void;
}

/** An empty pipe. */
export function createPipe<Item>({ timeline, latencyMs, heldUntilMs, out }: PipeDeps<Item>): Pipe<Item> {
  const inside: Item[] = [];
  let lastDueAtMs: DurationMs = 0;

  // As many of these are planned as items are inside, or more: each lets out whatever is first.
  function letOut(): void {
    const heldMs = heldUntilMs() - timeline.now();
    if (heldMs > 0) {
      timeline.after(heldMs, letOut);
      return;
    }
    const item = inside.shift();
    if (item !== undefined) out(item);
  }

  return {
    put: (item) => {
      inside.push(item);
      lastDueAtMs = Math.max(lastDueAtMs, timeline.now() + latencyMs());
      timeline.after(lastDueAtMs - timeline.now(), letOut);
    },
    empty: () => {
      inside.length = 0;
    },
  };
}
