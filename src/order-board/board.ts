/**
 * The order board of one node: orders, dialogs, limits and presence over two connections to Redis.
 */
import type { DialogBoard, OrderBoard, Presence } from '../purchase/order-board-port.ts';
import { Fault } from '../result.ts';
import type { CancelTimer, Clock, DurationMs } from '../time.ts';
import { createDialogBoard } from './dialog-board.ts';
import { createPresence } from './presence.ts';
import { createRateLimit } from './rate-limit.ts';
import { type BoardLog, createRedisClient, type RedisSubscriber } from './redis-client.ts';
import { createRedisOrderBoard } from './redis-order-board.ts';
import { createRendezvous } from './rendezvous.ts';
import { createSubscriptions } from './subscriptions.ts';

/** What the board needs. */
export type BoardDeps = {
  /** `redis://`, `rediss://`, `unix://` with a path, or the absolute path of a socket. */
  readonly address: string;
  /** This node's name, 1 to 48 of A-Z a-z 0-9 . _ -; two running nodes never share one. */
  readonly node: string;
  readonly clock: Clock;
  /** Keyed hash of a payer's number (storage.md, 3.7), at most 64 characters, the same on every node. */
  readonly payerMac: (payer: string) => string;
  readonly log: BoardLog;
};

/** The ports of this room with their life. */
export interface Board {
  readonly orders: OrderBoard;
  readonly dialogs: DialogBoard;
  readonly presence: Presence;
  /**
   * Connects, and resolves when this node's lease is written.
   * @throws Fault `board_unreachable` when that takes more than 3 s. The board goes on trying, so that the caller may
   *   serve all the same: purchases do not need the board.
   */
  start(): Promise<void>;
  /** One round trip. @throws Fault `board_unreachable` */
  ping(): Promise<void>;
  /** Gives the lease back, answers the waiters, ends both connections. Never rejects; not to be started again. */
  close(): Promise<void>;
}

const START_LIMIT_MS: DurationMs = 3_000;
/** How often the subscriber's connection is tried: it speaks so rarely that nothing else would find it dead. */
const SUBSCRIBER_PING_MS: DurationMs = 5_000;
/** Payers waiting for an order on one node; each costs a timer and, unless shared, a channel. */
const MOST_WAITERS = 5_000;

/** Pings the subscriber's connection from now on. */
function keepAlive(subscriber: RedisSubscriber, clock: Clock, log: BoardLog): CancelTimer {
  let cancel: CancelTimer = () => undefined;
  const ping = (): void => {
    cancel = clock.after(SUBSCRIBER_PING_MS, ping);
    if (!subscriber.isReady()) return;
    subscriber.ping().catch((error: unknown) => {
      // Unanswered: the connection is dropped, and everything is subscribed to again on the next one.
      if (error instanceof Fault) subscriber.reconnect();
      else log.error({ err: error }, 'subscriber_ping_failed');
    });
  };
  cancel = clock.after(SUBSCRIBER_PING_MS, ping);
  return () => cancel();
}

/** The board of one node; nothing is connected before `start`. @throws Bug for an address or name of another form */
export function createBoard({ address, node, clock, payerMac, log }: BoardDeps): Board {
  const { commands, subscriber } = createRedisClient(address, log);
  const subscriptions = createSubscriptions(subscriber, log);
  const rendezvous = createRendezvous({ clock, listen: subscriptions.listen, maxWaiters: MOST_WAITERS });
  const presence = createPresence({ commands, subscriptions, nodeName: node, clock, log });
  let cancelPings: CancelTimer = () => undefined;

  const firstReady = new Promise<void>((resolve) => commands.onReady(resolve));
  const firstLease = async (): Promise<void> => {
    await firstReady;
    await presence.renew();
  };

  return {
    orders: createRedisOrderBoard({ commands, rendezvous }),
    dialogs: createDialogBoard({ commands, rates: createRateLimit(commands), payerMac }),
    presence,
    start: async () => {
      commands.connect();
      subscriber.connect();
      presence.start();
      cancelPings = keepAlive(subscriber, clock, log);
      let cancelLimit: CancelTimer = () => undefined;
      const limit = new Promise<never>((_, reject) => {
        cancelLimit = clock.after(START_LIMIT_MS, () => reject(new Fault('board_unreachable', 'unknown')));
      });
      await Promise.race([firstLease(), limit]).finally(cancelLimit);
    },
    ping: async () => {
      await commands.call('ping');
    },
    close: async () => {
      cancelPings();
      rendezvous.end();
      await presence.end();
      subscriber.disconnect();
      commands.disconnect();
    },
  };
}
