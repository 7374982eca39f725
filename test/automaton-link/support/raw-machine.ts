/**
 * A machine that says exactly what a test tells it to, over a real WebSocket.
 */
import { WebSocket } from 'ws';
import { machineKey, until } from './link-world.ts';

/** A parsed frame, as an array. */
export type RawFrame = readonly unknown[];

/** What a raw machine can do. */
export const helloCaps = {
  hw: 'other',
  mdbLevel: null,
  alwaysIdle: true,
  maxWaitMs: 120_000,
  deliveryMs: 60_000,
  currency: 'XOF',
  exp: 0,
  cashSale: false,
  display: true,
};

/** A good `hello`, with fields replaced. */
export function aHello(over: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  return {
    proto: 1,
    fw: 'raw',
    bootId: 'b1',
    firstSeq: 1,
    lastSeq: 0,
    unacked: 0,
    open: [],
    caps: helloCaps,
    status: 'available',
    codes: [],
    lastReset: 'power',
    ...over,
  };
}

/** A good `vend.request`, with fields replaced. */
export function aRequest(over: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  return { orderSeq: 1, item: 7, amount: 500, currency: 'XOF', maxWaitMs: 120_000, ageMs: 0, ...over };
}

/** The array that a text message carries. @throws Error for anything else. */
export function readFrame(raw: Buffer): RawFrame {
  const parsed: unknown = JSON.parse(raw.toString('utf8'));
  if (!Array.isArray(parsed)) throw new Error('not an array');
  return parsed;
}

/** An object that came over the wire; empty for anything else. */
export function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

/** A field of an object that came over the wire. */
export function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

/** The raw machine. */
export class RawMachine {
  readonly socket: WebSocket;
  readonly frames: RawFrame[] = [];
  closeCode: number | null = null;
  refusedStatus: number | null = null;
  retryAfter: string | null = null;
  #count = 0;

  constructor(
    url: string,
    how: {
      path?: string;
      key?: string;
      user?: string;
      protocol?: string;
      autoPong?: boolean;
      authorization?: string;
    } = {},
  ) {
    const user = how.user ?? 'machine-1';
    const basic = `Basic ${Buffer.from(`${user}:${how.key ?? machineKey}`).toString('base64')}`;
    this.socket = new WebSocket(`${url}${how.path ?? `/automaton/${user}`}`, how.protocol ?? 'relais.vend.v1', {
      headers: { authorization: how.authorization ?? basic },
      perMessageDeflate: false,
      autoPong: how.autoPong ?? true,
    });
    this.socket.on('message', (raw) => {
      if (Buffer.isBuffer(raw)) this.frames.push(readFrame(raw));
    });
    this.socket.on('error', () => undefined);
    this.socket.on('close', (code) => {
      this.closeCode = code;
    });
    this.socket.on('unexpected-response', (request, response) => {
      this.refusedStatus = response.statusCode ?? 0;
      this.retryAfter = response.headers['retry-after'] ?? null;
      request.destroy();
    });
  }

  async opened(): Promise<this> {
    await until('open', () => this.socket.readyState === WebSocket.OPEN);
    return this;
  }

  async refused(): Promise<number> {
    await until('refused', () => this.refusedStatus !== null);
    return this.refusedStatus ?? 0;
  }

  async closed(): Promise<number> {
    await until('closed', () => this.closeCode !== null);
    return this.closeCode ?? 0;
  }

  send(text: string): void {
    this.socket.send(text);
  }

  /** Sends a call without waiting; its msgId. */
  say(action: string, payload: unknown): string {
    this.#count += 1;
    const msgId = `m${this.#count}`;
    this.send(JSON.stringify([2, msgId, action, payload]));
    return msgId;
  }

  /** The answer to a msgId. */
  async answerTo(msgId: string): Promise<RawFrame> {
    const find = (): RawFrame | undefined => this.frames.find(([type, id]) => type !== 2 && id === msgId);
    await until(`answer to ${msgId}`, () => find() !== undefined);
    return find() ?? [];
  }

  /** Sends a call and waits for its answer. */
  call(action: string, payload: unknown): Promise<RawFrame> {
    return this.answerTo(this.say(action, payload));
  }

  /** The nth call of that action that the server made. */
  async called(action: string, nth = 1): Promise<RawFrame> {
    const find = (): RawFrame | undefined =>
      this.frames.filter(([type, , name]) => type === 2 && name === action)[nth - 1];
    await until(`${action} ${nth}`, () => find() !== undefined);
    return find() ?? [];
  }

  /** Answers a call of the server. */
  reply(call: RawFrame, result: unknown): void {
    this.send(JSON.stringify([3, call[1], result]));
  }

  /** Opens, says a good hello, and waits for its answer. */
  async greeted(hello: Readonly<Record<string, unknown>> = {}): Promise<this> {
    await this.opened();
    await this.call('hello', aHello(hello));
    return this;
  }
}
