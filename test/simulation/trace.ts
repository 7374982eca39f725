/**
 * The one trace of a story: each observation is a line, and the digest over all lines is the story's.
 */
import { createHash } from 'node:crypto';
import type { Timeline } from './timeline.ts';

/** The trace. */
export interface Trace {
  /** Takes down what was observed now, by whom. */
  line(who: string, what: string): void;
  /** The last lines in which one of these words stands. */
  about(words: readonly string[]): readonly string[];
  digest(): string;
}

const MOST_KEPT = 60_000;
const MOST_TOLD = 400;
const LINES_AT_ONCE = 256;

/** An empty trace. `onLine` hears each line. */
export function createTrace(timeline: Timeline, onLine?: (line: string) => void): Trace {
  const hash = createHash('sha256');
  let kept: string[] = [];
  let hashed = 0;

  function absorb(): void {
    if (hashed === kept.length) return;
    hash.update(kept.slice(hashed).join('\n'));
    hashed = kept.length;
    if (kept.length < MOST_KEPT) return;
    kept = kept.slice(-MOST_KEPT / 2);
    hashed = kept.length;
  }

  return {
    line: (who, what) => {
      const line = `${timeline.steps} ${Math.round(timeline.now())} ${who} ${what}`;
      kept.push(line);
      if (kept.length - hashed >= LINES_AT_ONCE) absorb();
      onLine?.(line);
    },
    about: (words) => {
      const found = kept.filter((line) => words.some((word) => line.includes(word)));
      return found.slice(-MOST_TOLD);
    },
    digest: () => {
      absorb();
      return hash.copy().digest('hex').slice(0, 16);
    },
  };
}
