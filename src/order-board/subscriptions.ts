/**
 * Who listens to which channel on this node's one subscriber connection.
 */
import { Fault } from '../result.ts';
import type { BoardLog, RedisSubscriber } from './redis-client.ts';

/** Ends listening; harmless when repeated. */
export type CancelListening = () => void;

/**
 * What a listener hears: a message, or null when the subscription was confirmed, for the first time or again. At
 * null, messages may have been missed before, and none is missed from now on.
 */
export type ChannelListener = (message: string | null) => void;

/** The channels listened to; made again by itself on every new connection. */
export interface Subscriptions {
  /** Begins to listen. While Redis is away nothing is heard; null follows when it is back. */
  readonly listen: (channel: string, listener: ChannelListener) => CancelListening;
  /** Number of channels listened to. */
  readonly size: number;
}

type Channel = { readonly listeners: Set<ChannelListener>; isConfirmed: boolean };

/** Channels in one SUBSCRIBE, so that a node with thousands of waiters does not write one huge command. */
const CHANNELS_PER_COMMAND = 500;

/** Listens on the connection given. @param log told when a listener throws, and when a subscription is not confirmed */
export function createSubscriptions(subscriber: RedisSubscriber, log: BoardLog): Subscriptions {
  const channels = new Map<string, Channel>();

  const tell = (listener: ChannelListener, message: string | null): void => {
    try {
      listener(message);
    } catch (error) {
      log.error({ err: error }, 'board_listener_threw');
    }
  };

  const subscribe = async (names: readonly string[]): Promise<void> => {
    const wanted = names.map((name) => ({ name, channel: channels.get(name) }));
    try {
      await subscriber.subscribe(names);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      // Unconfirmed is not unsubscribed: only a new connection makes it certain, and subscribes to all of them.
      if (subscriber.isReady()) subscriber.reconnect();
      return;
    }
    for (const { name, channel } of wanted) {
      if (channel === undefined || channels.get(name) !== channel) continue;
      channel.isConfirmed = true;
      for (const listener of channel.listeners) tell(listener, null);
    }
  };
  const begin = (names: readonly string[]): void => {
    subscribe(names).catch((error: unknown) => log.error({ err: error }, 'board_subscription_failed'));
  };

  const stop = (name: string): void => {
    channels.delete(name);
    if (!subscriber.isReady()) return;
    // Left over on the server at worst: messages that nobody listens to are dropped below.
    subscriber.unsubscribe(name).catch((error: unknown) => log.warn({ err: error }, 'board_unsubscription_failed'));
  };

  subscriber.onReady(() => {
    const names = [...channels.keys()];
    for (let start = 0; start < names.length; start += CHANNELS_PER_COMMAND) {
      begin(names.slice(start, start + CHANNELS_PER_COMMAND));
    }
  });
  subscriber.onGone(() => {
    for (const channel of channels.values()) channel.isConfirmed = false;
  });
  subscriber.onMessage((name, message) => {
    for (const listener of channels.get(name)?.listeners ?? []) tell(listener, message);
  });

  return {
    listen: (name, listener) => {
      const there = channels.get(name);
      const channel = there ?? { listeners: new Set<ChannelListener>(), isConfirmed: false };
      channel.listeners.add(listener);
      if (there === undefined) {
        channels.set(name, channel);
        if (subscriber.isReady()) begin([name]);
      } else if (there.isConfirmed) {
        queueMicrotask(() => {
          if (channel.listeners.has(listener)) tell(listener, null);
        });
      }
      return () => {
        const isLast = channel.listeners.delete(listener) && channel.listeners.size === 0;
        if (isLast && channels.get(name) === channel) stop(name);
      };
    },
    get size() {
      return channels.size;
    },
  };
}
