/**
 * How often somebody may do something: counted in Redis for all nodes, and by each node for itself while Redis is away.
 */
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { assert } from '../result.ts';
import type { DurationMs } from '../time.ts';
import { rateKeyPrefix } from './keys.ts';
import type { RedisCommands } from './redis-client.ts';

/** Counts uses. */
export interface RateLimit {
  /** Counts one use; true while at most `limit` were made in the window, which begins with the first. Never rejects. */
  isWithin(use: {
    readonly what: string;
    readonly id: string;
    readonly limit: number;
    readonly windowMs: DurationMs;
  }): Promise<boolean>;
}

/** Kinds of use times their limits: written in the code, so a handful; more is a mistake of ours. */
const MOST_LIMITERS = 64;

function createLimiter(commands: RedisCommands, what: string, limit: number, windowS: number): RateLimiterRedis {
  const keyPrefix = rateKeyPrefix(what);
  return new RateLimiterRedis({
    storeClient: commands.library,
    keyPrefix,
    points: limit,
    duration: windowS,
    blockDuration: 0,
    rejectIfRedisNotReady: true,
    // Whoever has used up his limit is refused without asking Redis, until his window ends.
    inMemoryBlockOnConsumed: limit,
    insuranceLimiter: new RateLimiterMemory({ keyPrefix, points: limit, duration: windowS }),
  });
}

/** Rate limits over the connection given. @throws Bug for a limit below 1, or for more than 64 kinds */
export function createRateLimit(commands: RedisCommands): RateLimit {
  const limiters = new Map<string, RateLimiterRedis>();
  return {
    isWithin: async ({ what, id, limit, windowMs }) => {
      assert(Number.isSafeInteger(limit) && limit >= 1 && windowMs > 0, 'a rate is at least one use in some time');
      const windowS = Math.ceil(windowMs / 1000); // the library counts whole seconds
      const name = `${what} ${limit} ${windowS}`;
      const limiter = limiters.get(name) ?? createLimiter(commands, what, limit, windowS);
      limiters.set(name, limiter);
      assert(limiters.size <= MOST_LIMITERS, 'too many kinds of rate limits');
      try {
        await limiter.consume(id);
        return true;
      } catch (error) {
        if (error instanceof RateLimiterRes) return false;
        throw error;
      }
    },
  };
}
