/**
 * Copies of rows in a node's memory, each with an age.
 */
import type { Clock, DurationMs } from '../time.ts';

/** A map that forgets: by age, and the oldest entries beyond its size. */
export interface BoundedCache<Value> {
  /** The value, read by `read` when none is there or it is too old; callers who miss together share one reading. */
  get(key: string, read: () => Promise<Value>): Promise<Value>;
  forget(key: string): void;
  clear(): void;
}

/** Settings of a cache. `lifetimeOf`: how long a value may be believed, by what it is. */
export type BoundedCacheDeps<Value> = {
  readonly clock: Clock;
  readonly entries: number;
  readonly lifetimeOf: (value: Value) => DurationMs;
};

type Entry<Value> = { readonly value: Promise<Value>; until: DurationMs };

/** Creates an empty cache. A reading that fails is not kept. */
export function createBoundedCache<Value>(deps: BoundedCacheDeps<Value>): BoundedCache<Value> {
  const entries = new Map<string, Entry<Value>>();

  function keep(key: string, value: Promise<Value>): void {
    const entry: Entry<Value> = { value, until: Number.POSITIVE_INFINITY };
    entries.delete(key);
    entries.set(key, entry);
    const oldest = entries.keys().next();
    if (entries.size > deps.entries && oldest.done !== true) entries.delete(oldest.value);
    value.then(
      (found) => {
        entry.until = deps.clock.now() + deps.lifetimeOf(found);
      },
      () => {
        if (entries.get(key) === entry) entries.delete(key);
      },
    );
  }

  return {
    get(key, read) {
      const entry = entries.get(key);
      if (entry !== undefined && deps.clock.now() < entry.until) return entry.value;
      const value = read();
      keep(key, value);
      return value;
    },
    forget: (key) => void entries.delete(key),
    clear: () => entries.clear(),
  };
}
