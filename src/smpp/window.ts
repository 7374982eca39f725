/**
 * The requests of one connection: those that wait for their answer, and those that wait for a place among them.
 */
import type { CancelTimer, Clock, DurationMs } from '../time.ts';
import { type Command, commandId, RESPONSE_BIT } from './command.ts';
import type { SendingRate } from './sending-rate.ts';

/** What became of a request. `unknown`: it may have been carried out, so it is never sent again. `not_sent`: provably not one octet left. */
export type RequestOutcome =
  | { readonly kind: 'answered'; readonly status: number; readonly text: string | null; readonly isNack: boolean }
  | { readonly kind: 'unknown'; readonly why: 'timeout' | 'closed' }
  | { readonly kind: 'not_sent'; readonly why: 'queue_full' | 'expired' | 'closed' };

/** USSD goes before SMS. */
export type Priority = 'ussd' | 'sms';

/** A request that keeps its turn. */
export interface QueuedRequest {
  readonly command: Command;
  readonly encode: (sequence: number) => Buffer;
  readonly priority: Priority;
  /** On `clock.now()`: later than this it is not written any more. */
  readonly expiresAtMs: DurationMs;
}

export interface WindowOptions {
  /** Requests that may wait for an answer at once. */
  readonly windowSize: number;
  /** Requests that may wait for a place. When full, a USSD text takes the place of the youngest SMS. */
  readonly queueMax: number;
  /** From the write to `unknown`. */
  readonly responseTimeoutMs: DurationMs;
  /** First sequence_number of this connection, 1 to 0x7FFFFFFF. */
  readonly firstSequence: number;
  /** The last one before 1 comes again; 0x7FFFFFFF unless a test is in a hurry. */
  readonly lastSequence: number;
}

export interface WindowDeps {
  readonly clock: Clock;
  readonly rate: SendingRate;
  /** Hands octets to the connection; they are not necessarily on the wire yet. */
  readonly write: (octets: Buffer) => void;
  readonly onAnswered: (command: Command, status: number, waitedMs: DurationMs) => void;
  readonly onDropped: (reason: 'queue_full' | 'expired') => void;
  readonly onTimeout: (command: Command) => void;
}

interface Pending {
  readonly command: Command;
  readonly responseId: number;
  readonly deadlineMs: DurationMs;
  readonly writtenAtMs: DurationMs;
  readonly isWindowed: boolean;
  readonly settle: (outcome: RequestOutcome) => void;
}
interface Waiting {
  readonly request: QueuedRequest;
  readonly settle: (outcome: RequestOutcome) => void;
}

/** The window of one connection; a new connection gets a new one. */
export class RequestWindow {
  readonly #options: WindowOptions;
  readonly #deps: WindowDeps;
  readonly #pending = new Map<number, Pending>();
  readonly #queues: Record<Priority, Waiting[]> = { ussd: [], sms: [] };
  #inFlight = 0;
  #nextSequence: number;
  #isWritable = true;
  #isClosed = false;
  #sweepAtMs = Number.POSITIVE_INFINITY;
  #cancelSweep: CancelTimer = () => {};
  #cancelPump: CancelTimer | null = null;

  constructor(options: WindowOptions, deps: WindowDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#nextSequence = options.firstSequence;
  }

  /** Requests written that keep a place of the window. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Requests that wait for a place. */
  get queued(): number {
    return this.#queues.ussd.length + this.#queues.sms.length;
  }

  /** Sends a request in its turn. */
  send(request: QueuedRequest): Promise<RequestOutcome> {
    return new Promise((resolve) => {
      if (this.#isClosed) resolve({ kind: 'not_sent', why: 'closed' });
      else this.#enqueue({ request, settle: resolve });
    });
  }

  /** Writes past window, queue and rate: bind, enquire_link, unbind. */
  sendNow(command: Command, timeoutMs: DurationMs, encode: (sequence: number) => Buffer): Promise<RequestOutcome> {
    return new Promise((resolve) => {
      if (this.#isClosed) resolve({ kind: 'not_sent', why: 'closed' });
      else this.#write({ command, encode, timeoutMs, isWindowed: false, settle: resolve });
    });
  }

  /** Settles the request that this response answers; false if there is none of this command and number. */
  answer(responseId: number, sequence: number, answerStatus: number, text: string | null): boolean {
    const entry = this.#pending.get(sequence);
    if (entry === undefined || entry.responseId !== responseId) return false;
    this.#settle(sequence, entry, { kind: 'answered', status: answerStatus, text, isNack: false });
    return true;
  }

  /** Settles the request that a generic_nack names; false if there is none. */
  nack(sequence: number, answerStatus: number): boolean {
    const entry = this.#pending.get(sequence);
    if (entry === undefined) return false;
    this.#settle(sequence, entry, { kind: 'answered', status: answerStatus, text: null, isNack: true });
    return true;
  }

  /** While false nothing queued is written: the peer does not read. */
  setWritable(isWritable: boolean): void {
    this.#isWritable = isWritable;
    this.#pump();
  }

  /** Settles everything: what was written as `unknown`, what was not as `not_sent`. */
  close(): void {
    this.#isClosed = true;
    this.#cancelSweep();
    this.#cancelPump?.();
    for (const entry of this.#pending.values()) entry.settle({ kind: 'unknown', why: 'closed' });
    this.#pending.clear();
    this.#inFlight = 0;
    for (const queue of [this.#queues.ussd, this.#queues.sms]) {
      for (const waiting of queue.splice(0)) waiting.settle({ kind: 'not_sent', why: 'closed' });
    }
  }

  #enqueue(waiting: Waiting): void {
    if (this.queued >= this.#options.queueMax) {
      const youngestSms = waiting.request.priority === 'ussd' ? this.#queues.sms.pop() : undefined;
      this.#drop(youngestSms ?? waiting, 'queue_full');
      if (youngestSms === undefined) return;
    }
    this.#queues[waiting.request.priority].push(waiting);
    this.#sweepAt(waiting.request.expiresAtMs);
    this.#pump();
  }

  #pump(): void {
    if (this.#cancelPump !== null || this.#isClosed) return;
    while (this.#isWritable && this.#inFlight < this.#options.windowSize) {
      const queue = this.#queues.ussd.length > 0 ? this.#queues.ussd : this.#queues.sms;
      const first = queue[0];
      if (first === undefined) return;
      if (first.request.expiresAtMs <= this.#deps.clock.now()) {
        queue.shift();
        this.#drop(first, 'expired');
        continue;
      }
      const waitMs = this.#deps.rate.take();
      if (waitMs > 0) return this.#pumpAfter(waitMs);
      queue.shift();
      const { command, encode } = first.request;
      const timeoutMs = this.#options.responseTimeoutMs;
      this.#write({ command, encode, timeoutMs, isWindowed: true, settle: first.settle });
    }
  }

  #pumpAfter(waitMs: DurationMs): void {
    this.#cancelPump = this.#deps.clock.after(waitMs, () => {
      this.#cancelPump = null;
      this.#pump();
    });
  }

  #write(request: {
    readonly command: Command;
    readonly encode: (sequence: number) => Buffer;
    readonly timeoutMs: DurationMs;
    readonly isWindowed: boolean;
    readonly settle: (outcome: RequestOutcome) => void;
  }): void {
    const { command, isWindowed, settle } = request;
    const sequence = this.#takeSequence();
    const octets = request.encode(sequence);
    const writtenAtMs = this.#deps.clock.now();
    const deadlineMs = writtenAtMs + request.timeoutMs;
    const responseId = (commandId[command] | RESPONSE_BIT) >>> 0;
    this.#pending.set(sequence, { command, responseId, deadlineMs, writtenAtMs, isWindowed, settle });
    if (isWindowed) this.#inFlight += 1;
    this.#sweepAt(deadlineMs);
    this.#deps.write(octets);
  }

  /** 1 to 0x7FFFFFFF, back to 1, past the numbers in flight. */
  #takeSequence(): number {
    let taken = this.#nextSequence;
    const { lastSequence } = this.#options;
    while (this.#pending.has(taken)) taken = taken === lastSequence ? 1 : taken + 1;
    this.#nextSequence = taken === lastSequence ? 1 : taken + 1;
    return taken;
  }

  #settle(sequence: number, entry: Pending, answer: RequestOutcome & { readonly kind: 'answered' }): void {
    this.#remove(sequence, entry);
    this.#deps.onAnswered(entry.command, answer.status, this.#deps.clock.now() - entry.writtenAtMs);
    entry.settle(answer);
    this.#pump();
  }

  #remove(sequence: number, entry: Pending): void {
    this.#pending.delete(sequence);
    if (entry.isWindowed) this.#inFlight -= 1;
  }

  #drop(waiting: Waiting, why: 'queue_full' | 'expired'): void {
    this.#deps.onDropped(why);
    waiting.settle({ kind: 'not_sent', why });
  }

  /** One timer serves all deadlines; it may fire for a request that has been answered since, which costs nothing. */
  #sweepAt(deadlineMs: DurationMs): void {
    if (deadlineMs >= this.#sweepAtMs) return;
    this.#cancelSweep();
    this.#sweepAtMs = deadlineMs;
    const waitMs = Math.max(0, Math.ceil(deadlineMs - this.#deps.clock.now()));
    this.#cancelSweep = this.#deps.clock.after(waitMs, () => this.#sweep());
  }

  #sweep(): void {
    const now = this.#deps.clock.now();
    this.#sweepAtMs = Number.POSITIVE_INFINITY;
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [sequence, entry] of this.#pending) {
      if (entry.deadlineMs > now) {
        nextMs = Math.min(nextMs, entry.deadlineMs);
        continue;
      }
      this.#remove(sequence, entry);
      this.#deps.onTimeout(entry.command);
      entry.settle({ kind: 'unknown', why: 'timeout' });
    }
    for (const priority of ['ussd', 'sms'] as const) {
      const expired = this.#queues[priority].filter((waiting) => waiting.request.expiresAtMs <= now);
      if (expired.length > 0) {
        this.#queues[priority] = this.#queues[priority].filter((waiting) => waiting.request.expiresAtMs > now);
      }
      for (const waiting of expired) this.#drop(waiting, 'expired');
      for (const waiting of this.#queues[priority]) nextMs = Math.min(nextMs, waiting.request.expiresAtMs);
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.#sweepAt(nextMs);
    this.#pump();
  }
}
