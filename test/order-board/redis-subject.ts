/**
 * Two nodes on a real Redis, the near one through a relay that can cut.
 */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { type Board, createBoard } from '../../src/order-board/board.ts';
import type { BoardLog } from '../../src/order-board/redis-client.ts';
import { systemClock } from '../../src/time.ts';
import { redisForTest, type TestRedis } from '../support/servers.ts';
import type { BoardSubject } from './board-subject.ts';
import { type CuttingProxy, startCuttingProxy } from './cutting-proxy.ts';
import { createStillClock, type StillClock } from './still-clock.ts';

/** A line of the log. */
export type LogLine = { readonly level: string; readonly event: string; readonly fields: unknown };

/** A log that keeps its lines. */
export function createKeptLog(): BoardLog & { readonly lines: readonly LogLine[] } {
  const lines: LogLine[] = [];
  const keep = (level: string) => (fields: unknown, event: string) => {
    lines.push({ level, event, fields });
  };
  return { lines, info: keep('info'), warn: keep('warn'), error: keep('error') };
}

/** A payer's number as the keys hold it here. */
function payerMac(payer: string): string {
  return `mac-of-${createHash('sha256').update(payer).digest('base64url')}`;
}

/** A board that is not started. */
export function boardAt(address: string, node: string, given: { clock?: StillClock; log?: BoardLog } = {}): Board {
  return createBoard({ address, node, clock: given.clock ?? systemClock, payerMac, log: given.log ?? createKeptLog() });
}

/** The address as `createBoard` takes it. */
function addressOf(redis: TestRedis): string {
  return 'path' in redis ? redis.path : `redis://${redis.host}:${redis.port}/${redis.db}`;
}

/** Resolves when the condition holds; asks every 5 ms of real time, for at most 5 s. */
export async function eventually(condition: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 5_000;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error('it did not happen within 5 s');
    await delay(5);
  }
}

/** Resolves when the board answers. */
export function answers(board: Board): Promise<void> {
  return eventually(() =>
    board.ping().then(
      () => true,
      () => false,
    ),
  );
}

/** A subject that can also be asked what Redis holds. */
export interface RedisSubject extends BoardSubject {
  /** A further node, not started. */
  further(node: string): Board;
  /** A connection of the test's own. */
  readonly redis: Redis;
  readonly proxy: CuttingProxy;
  readonly clock: StillClock;
}

/** Opens a subject on the Redis of the tests, emptied. */
export async function openRedis(): Promise<RedisSubject> {
  const address = await redisForTest();
  const redis = new Redis({ ...address });
  const proxy = await startCuttingProxy(address);
  const clock = createStillClock();
  const near = boardAt(proxy.path, 'near', { clock });
  const far = boardAt(addressOf(address), 'far', { clock });
  await Promise.all([near.start(), far.start()]);
  const boardMs = async (): Promise<number> => {
    const [seconds = 0, micros = 0] = await redis.time();
    return seconds * 1000 + micros / 1000;
  };
  return {
    near,
    far,
    redis,
    further: (node) => boardAt(addressOf(address), node, { clock }),
    proxy,
    clock,
    pass: async (ms) => {
      // Long times are the nodes' alone; the short ones of expiries are waited for on the board's own clock.
      if (ms <= 2_000) {
        // A key goes when its millisecond is over, an order when it begins: one more, and one for the rounding.
        const endMs = (await boardMs()) + ms + 2;
        await eventually(async () => (await boardMs()) > endMs);
      }
      clock.advance(ms);
    },
    wipe: async () => {
      await redis.flushall();
    },
    cutReplyTo: (text) => proxy.cutReplyTo(text),
    reconnected: () => answers(near),
    close: async () => {
      await Promise.all([near.close(), far.close()]);
      redis.disconnect();
      await proxy.close();
    },
  };
}
