/**
 * One end of a simulated WebSocket: what its process sends and hears. Pings are answered by it, as by `ws`.
 */
import type { Life } from './life.ts';
import type { Pipe } from './pipe.ts';
import type { Timeline } from './timeline.ts';

/** What travels. `open`, `refused`: the upgrade's answer; `broken`: the other end is gone without a word. */
export type WireItem =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'ping' | 'pong' | 'open' | 'broken' }
  | { readonly kind: 'close'; readonly code: number }
  | { readonly kind: 'refused'; readonly status: number; readonly retryAfterS: number | null };

/** What an end reports to its process. Its end is told once, by `onClosed` or `onRefused`. */
export type EndEvents = {
  readonly onOpen: () => void;
  readonly onText: (text: string) => void;
  readonly onPing: () => void;
  readonly onPong: () => void;
  readonly onClosed: (code: number) => void;
  readonly onRefused: (status: number, retryAfterS: number | null) => void;
};

const ping: WireItem = { kind: 'ping' };
const pong: WireItem = { kind: 'pong' };
const broken: WireItem = { kind: 'broken' };

/** One end. */
export class WireEnd {
  events: EndEvents | null = null;
  readonly #life: Life;
  readonly #timeline: Timeline;
  readonly #out: Pipe<WireItem>;
  #isOpen: boolean;
  #isCutOff = false;
  #isOver = false;

  constructor(deps: { life: Life; timeline: Timeline; out: Pipe<WireItem>; isOpen: boolean }) {
    this.#life = deps.life;
    this.#timeline = deps.timeline;
    this.#out = deps.out;
    this.#isOpen = deps.isOpen;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** True once the end has been told, or the process is dead. */
  get isOver(): boolean {
    return this.#isOver || this.#life.isDead;
  }

  send(text: string): void {
    if (this.#isOpen && !this.isOver) this.#out.put({ kind: 'text', text });
  }

  ping(): void {
    if (this.#isOpen && !this.isOver) this.#out.put(ping);
  }

  close(code: number): void {
    if (!this.#isOpen || this.isOver) return;
    this.#isOpen = false;
    this.#out.put({ kind: 'close', code });
  }

  terminate(): void {
    if (this.isOver) return;
    this.#out.put(broken);
    this.#isOpen = false;
    this.#isCutOff = true;
    this.#timeline.after(0, () => this.take(broken));
  }

  /** Something has come for this end. */
  take(item: WireItem): void {
    this.#life.deliver(() => this.#hear(item));
  }

  #hear(item: WireItem): void {
    if (this.#isOver || (this.#isCutOff && item.kind !== 'broken')) return;
    switch (item.kind) {
      case 'text':
        this.events?.onText(item.text);
        return;
      case 'ping':
        if (this.#isOpen) this.#out.put(pong);
        this.events?.onPing();
        return;
      case 'pong':
        this.events?.onPong();
        return;
      case 'open':
        this.#isOpen = true;
        this.events?.onOpen();
        return;
      case 'close':
        if (this.#isOpen) this.#out.put(item);
        this.#end(() => this.events?.onClosed(item.code));
        return;
      case 'broken':
        this.#end(() => this.events?.onClosed(1006));
        return;
      case 'refused':
        this.#end(() => this.events?.onRefused(item.status, item.retryAfterS));
        return;
    }
  }

  #end(report: () => void): void {
    this.#isOver = true;
    this.#isOpen = false;
    report();
  }
}
