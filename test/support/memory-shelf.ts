/**
 * What the order board in memory keeps things in: values with a time to live, and channels.
 */
import type { ChannelListener } from '../../src/order-board/subscriptions.ts';
import type { Clock } from '../../src/time.ts';

/** Values with a time to live, on the clock given. */
export function createShelf<Value>(nowMs: () => number) {
  const values = new Map<string, { readonly value: Value; endsAtMs: number }>();
  return {
    get: (key: string): Value | undefined => {
      const there = values.get(key);
      if (there === undefined || there.endsAtMs > nowMs()) return there?.value;
      values.delete(key);
      return undefined;
    },
    set: (key: string, value: Value, endsAtMs: number): void => {
      values.set(key, { value, endsAtMs });
    },
    delete: (key: string): void => {
      values.delete(key);
    },
    clear: (): void => values.clear(),
  };
}
/** Such a shelf. */
export type Shelf<Value> = ReturnType<typeof createShelf<Value>>;

/** Publish and subscribe; a subscription is confirmed, and a message delivered, by a microtask. */
export function createChannels() {
  const channels = new Map<string, Set<ChannelListener>>();
  return {
    publish: (channel: string, message: string): void => {
      for (const listener of [...(channels.get(channel) ?? [])]) queueMicrotask(() => listener(message));
    },
    listen: (channel: string, listener: ChannelListener) => {
      const listeners = channels.get(channel) ?? new Set<ChannelListener>();
      channels.set(channel, listeners.add(listener));
      queueMicrotask(() => listener(null));
      return () => {
        listeners.delete(listener);
      };
    },
  };
}

/** The connection of one node: its own clock, and what becomes of its calls and of the messages for it. */
export type BoardLine = {
  readonly clock: Clock;
  readonly carry: <Reply>(call: () => Promise<Reply>) => Promise<Reply>;
  readonly hear: (run: () => void) => void;
};
