/**
 * Token buckets by name, on the clock handed in.
 */
import type { Clock, DurationMs } from '../../time.ts';

/** Names remembered at most; beyond it the longest untouched is forgotten. */
const maxNames = 50_000;

/** `burst` uses at once, refilled evenly over `windowMs`. */
export class Rate {
  readonly #clock: Clock;
  readonly #burst: number;
  readonly #refillMs: DurationMs;
  readonly #buckets = new Map<string, { tokens: number; atMs: DurationMs }>();

  constructor(clock: Clock, burst: number, windowMs: DurationMs) {
    this.#clock = clock;
    this.#burst = burst;
    this.#refillMs = windowMs / burst;
  }

  /** Takes one use of that name: 0 when it was there, else the milliseconds until there is one. */
  take(name: string): DurationMs {
    const bucket = this.#touch(name);
    if (bucket.tokens >= 1) {
      bucket.tokens -= 1;
      return 0;
    }
    return Math.max(1, Math.ceil((1 - bucket.tokens) * this.#refillMs));
  }

  /** Milliseconds until a use is there, taking none; 0 when there is one. */
  left(name: string): DurationMs {
    const bucket = this.#touch(name);
    return bucket.tokens >= 1 ? 0 : Math.max(1, Math.ceil((1 - bucket.tokens) * this.#refillMs));
  }

  #touch(name: string): { tokens: number; atMs: DurationMs } {
    const now = this.#clock.now();
    const known = this.#buckets.get(name);
    const bucket = known ?? { tokens: this.#burst, atMs: now };
    bucket.tokens = Math.min(this.#burst, bucket.tokens + (now - bucket.atMs) / this.#refillMs);
    bucket.atMs = now;
    // Deleted and set again, so that the map stays in order of use.
    this.#buckets.delete(name);
    this.#buckets.set(name, bucket);
    const oldest = this.#buckets.keys().next();
    if (this.#buckets.size > maxNames && oldest.done !== true) this.#buckets.delete(oldest.value);
    return bucket;
  }
}
