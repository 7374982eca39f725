/**
 * How fast one bind may send: a token bucket that slows down when the centre says so.
 */
import type { Clock, DurationMs } from '../time.ts';

/** The rate of one bind; it outlives the bind's connections. */
export interface SendingRate {
  /** Takes the right to send one message: 0 if it may go now, otherwise how long to wait before asking again. */
  take(): DurationMs;
  /** The centre answered ESME_RTHROTTLED or ESME_RMSGQFUL: half the rate from now on. */
  slowDown(): void;
  /** True from a throttled answer until the rate is back. */
  isThrottled(): boolean;
  /** Messages per second, or null without a limit. */
  current(): number | null;
}

const SLOWEST_PER_SECOND = 1;
/** What a bind without a limit is taken to have sent at least when it is throttled: one screen in a quiet hour says nothing. */
const MEASURED_MIN_PER_SECOND = 20;
const RECOVERY_PER_SECOND = 0.1;
/** A bind without a configured limit is without one again when it has recovered to this. */
const UNLIMITED_AGAIN_PER_SECOND = 1000;

/**
 * A rate of `tps` messages per second, with bursts of at most one second's worth.
 *
 * Each quiet second after a throttled answer gives back 10 % of the full rate.
 *
 * @param tps messages per second; 0 is no limit until the centre throttles
 */
export function createSendingRate(tps: number, clock: Clock): SendingRate {
  const full = tps > 0 ? tps : UNLIMITED_AGAIN_PER_SECOND;
  let limit: number | null = tps > 0 ? tps : null;
  let tokens = full;
  let filledAt = clock.now();
  let throttledAt: DurationMs | null = null;
  let recoveredSeconds = 0;
  let sentThisSecond = 0;
  let secondBegan = clock.now();

  const recover = (now: DurationMs): void => {
    if (throttledAt === null || limit === null) return;
    const quietSeconds = Math.floor((now - throttledAt) / 1000);
    if (quietSeconds <= recoveredSeconds) return;
    limit = Math.min(full, limit + (quietSeconds - recoveredSeconds) * RECOVERY_PER_SECOND * full);
    recoveredSeconds = quietSeconds;
    if (limit < full) return;
    throttledAt = null;
    if (tps <= 0) limit = null;
  };
  const countSent = (now: DurationMs): void => {
    if (now - secondBegan >= 1000) {
      secondBegan = now;
      sentThisSecond = 0;
    }
    sentThisSecond += 1;
  };

  return {
    take() {
      const now = clock.now();
      recover(now);
      if (limit !== null) {
        tokens = Math.min(Math.max(1, limit), tokens + ((now - filledAt) / 1000) * limit);
        filledAt = now;
        if (tokens < 1) return Math.ceil(((1 - tokens) / limit) * 1000);
        tokens -= 1;
      }
      countSent(now);
      return 0;
    },
    slowDown() {
      const now = clock.now();
      recover(now);
      const measured = Math.max(sentThisSecond, MEASURED_MIN_PER_SECOND);
      limit = Math.max(SLOWEST_PER_SECOND, (limit ?? measured) / 2);
      tokens = Math.min(tokens, limit);
      filledAt = now;
      throttledAt = now;
      recoveredSeconds = 0;
    },
    isThrottled() {
      recover(clock.now());
      return throttledAt !== null;
    },
    current: () => limit,
  };
}
