/**
 * Things that arrive and someone waits for: screens, messages, binds.
 */
import type { Clock, DurationMs } from '../src/time.ts';

interface Waiter<Item> {
  readonly give: (item: Item) => void;
  readonly giveUp: (error: Error) => void;
}

/** Items in order, each taken once. */
export class Mailbox<Item> {
  readonly #clock: Clock;
  readonly #name: string;
  readonly #items: Item[] = [];
  #waiters: Waiter<Item>[] = [];
  #closedBy: Error | null = null;

  /** @param name what arrives here, for the text of errors */
  constructor(name: string, clock: Clock) {
    this.#name = name;
    this.#clock = clock;
  }

  put(item: Item): void {
    const waiter = this.#waiters.shift();
    if (waiter === undefined) this.#items.push(item);
    else waiter.give(item);
  }

  /** Nothing comes any more: whoever waits, now or later, gets this error once the items are taken. */
  close(error: Error): void {
    this.#closedBy ??= error;
    for (const waiter of this.#waiters.splice(0)) waiter.giveUp(this.#closedBy);
  }

  /** The next item. @throws Error after `timeoutMs`, or when nothing comes any more */
  take(timeoutMs: DurationMs): Promise<Item> {
    const first = this.#items.shift();
    if (first !== undefined) return Promise.resolve(first);
    if (this.#closedBy !== null) return Promise.reject(this.#closedBy);
    return new Promise((resolve, reject) => {
      const waiter: Waiter<Item> = {
        give: (item) => {
          cancelTimer();
          resolve(item);
        },
        giveUp: (error) => {
          cancelTimer();
          reject(error);
        },
      };
      const cancelTimer = this.#clock.after(timeoutMs, () => {
        this.#waiters = this.#waiters.filter((one) => one !== waiter);
        reject(new Error(`no ${this.#name} within ${timeoutMs} ms`));
      });
      this.#waiters.push(waiter);
    });
  }
}
