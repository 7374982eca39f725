/**
 * One side of a conversation on the link: calls out with their answers, calls in with theirs. Both sides use it; it
 * knows neither sockets nor what the messages mean.
 */
import { Bug, ok, type Result, refuse } from '../result.ts';
import type { CancelTimer, Clock, DurationMs } from '../time.ts';
import { decodeFrame, type ErrorDetails, encodeCall, encodeError, encodeResult, type Frame } from './frame.ts';
import {
  type Action,
  type CallOf,
  type ErrorCode,
  incomingCalls,
  incomingResults,
  outgoingCalls,
  outgoingResults,
  type ResultOf,
} from './messages.ts';

/** Calls that may wait behind the outstanding one; more are `unsent`. */
const maxQueued = 32;
/** Calls given up whose late answers are still read. */
const maxAbandoned = 32;
/** Calls of the other side that may be unanswered by us at a time; more are `busy`. */
const maxUnanswered = 4;

/** What became of a call. */
export type Answer<A extends Action> =
  | { readonly kind: 'result'; readonly result: ResultOf<A> }
  | { readonly kind: 'error'; readonly code: string; readonly retryMs: number | null; readonly seqFloor: number | null }
  /** Written, and no answer in time or before the socket ended: nothing is known. */
  | { readonly kind: 'unanswered' }
  /** Provably never written. */
  | { readonly kind: 'unsent' };

/** How a call is made. */
export type CallOptions<A extends Action> = {
  /** Time for the answer, from now; waiting behind another call counts. */
  readonly answerMs: DurationMs;
  /** Goes before all that is queued. */
  readonly isUrgent?: boolean;
  /** Need not wait for the outstanding call: the first `vend.request` after `hello` alone. */
  readonly isAlongside?: boolean;
  /** A call outstanding under the same name is given up for this one: the repeated `vend.approve`. */
  readonly replaces?: string;
  /** Given an answer that comes after `unanswered`. */
  readonly onLate?: (answer: Answer<A>) => void;
};

/** What a call says; or how to say it at the moment of writing, which may come later. Null: too late, not written. */
export type Content<A extends Action> = CallOf<A> | (() => CallOf<A> | null);

/** Our answer to a call. */
export type Reply<A extends Action> =
  | { readonly kind: 'result'; readonly result: ResultOf<A> }
  | { readonly kind: 'error'; readonly code: ErrorCode; readonly what: string; readonly details?: ErrorDetails };

/** A call of the other side, read and in range. `answer` is to be called once. */
export type IncomingCall = {
  [A in Action]: { readonly action: A; readonly content: CallOf<A>; readonly answer: (reply: Reply<A>) => void };
}[Action];

/** What an exchange needs. */
export type ExchangeDeps = {
  readonly clock: Clock;
  /** A new msgId for every transmission. */
  readonly newMsgId: () => string;
  readonly send: (text: string) => void;
  /** True for the actions that this side serves. */
  readonly serves: (action: string) => action is Action;
  readonly onCall: (call: IncomingCall) => void;
  /** A text that is no frame. */
  readonly onBadFrame: (what: string) => void;
  /** A call of ours that could not be written, for a fault of ours; it is `unsent`. */
  readonly onUnwritable: (action: Action, bug: unknown) => void;
  /** `retryMs` of our `busy` when the other side has too many calls open. */
  readonly retryMs: DurationMs;
};

type Outgoing = {
  readonly action: Action;
  /** The payload as of now; null when it is too late to say it. */
  readonly write: () => unknown;
  readonly name: string | null;
  readonly isAlongside: boolean;
  readonly settle: (answer: Answer<Action>) => void;
  readonly onLate: ((answer: Answer<Action>) => void) | null;
  stopTimer: CancelTimer;
};

/** An error as an answer. */
function errorAnswer(frame: Extract<Frame, { kind: 'error' }>): Answer<never> {
  return {
    kind: 'error',
    code: frame.code,
    retryMs: frame.details.retryMs ?? null,
    seqFloor: frame.details.seqFloor ?? null,
  };
}

function readResult(action: Action, payload: unknown): Answer<Action> {
  const read = incomingResults[action].safeParse(payload);
  if (read.success) return { kind: 'result', result: read.data };
  // An answer that cannot be read says nothing about what was done.
  return { kind: 'error', code: 'bad_answer', retryMs: null, seqFloor: null };
}

function strictCall(action: Action, content: unknown): unknown {
  const checked = outgoingCalls[action].safeParse(content);
  if (!checked.success) throw new Bug(`${action} of ours does not fit its shape: ${checked.error.message}`);
  return checked.data;
}

function writerOf<A extends Action>(action: A, content: Content<A>): () => unknown {
  if (typeof content === 'function') {
    return () => {
      const now = content();
      return now === null ? null : strictCall(action, now);
    };
  }
  const payload = strictCall(action, content);
  return () => payload;
}

/** Reads the content of a call; the refusal names the first field that is wrong. */
function readCall<A extends Action>(action: A, payload: unknown): Result<CallOf<A>, string> {
  const read = incomingCalls[action].safeParse(payload);
  // The table maps each action to its own content; TypeScript loses the pairing when it indexes by a parameter.
  if (read.success) return ok(read.data as CallOf<A>);
  return refuse(read.error.issues[0]?.path.join('.') ?? '');
}

/** The conversation over one socket. It lives as long as the socket does. */
export class Exchange {
  readonly #deps: ExchangeDeps;
  readonly #queue: Outgoing[] = [];
  readonly #outstanding = new Map<string, Outgoing>();
  readonly #abandoned = new Map<string, Outgoing>();
  #unanswered = 0;
  #isOver = false;

  constructor(deps: ExchangeDeps) {
    this.#deps = deps;
  }

  /** True while a call of ours waits for its answer. */
  get isCalling(): boolean {
    return this.#outstanding.size > 0 || this.#queue.length > 0;
  }

  /** True while a call of the other side waits for ours. */
  get isAnswering(): boolean {
    return this.#unanswered > 0;
  }

  /** Calls the other side. Never rejects for what the other side does. @throws Bug when the content does not fit; content made later is `unsent` then. */
  call<A extends Action>(action: A, content: Content<A>, options: CallOptions<A>): Promise<Answer<A>> {
    const write = writerOf(action, content);
    if (this.#isOver || this.#queue.length >= maxQueued) return Promise.resolve({ kind: 'unsent' });
    return new Promise((resolve) => {
      const outgoing: Outgoing = {
        action,
        write,
        name: options.replaces ?? null,
        isAlongside: options.isAlongside === true,
        // The answer of an action has been read by that action's own shape.
        settle: (answer) => resolve(answer as Answer<A>),
        onLate: options.onLate === undefined ? null : (answer) => options.onLate?.(answer as Answer<A>),
        stopTimer: () => undefined,
      };
      outgoing.stopTimer = this.#deps.clock.after(options.answerMs, () => this.#giveUp(outgoing));
      if (outgoing.name !== null) this.#giveUpNamed(outgoing.name);
      if (options.isUrgent === true) this.#queue.unshift(outgoing);
      else this.#queue.push(outgoing);
      this.#writeNext();
    });
  }

  /** Takes one text message of the other side. */
  receive(text: string): void {
    if (this.#isOver) return;
    const decoded = decodeFrame(text);
    if (!decoded.ok) {
      if (decoded.refusal.msgId !== null) {
        this.#deps.send(encodeError(decoded.refusal.msgId, 'bad_message', decoded.refusal.what));
      }
      this.#deps.onBadFrame(decoded.refusal.what);
      return;
    }
    if (decoded.value.kind === 'call') this.#takeCall(decoded.value);
    else this.#takeAnswer(decoded.value);
  }

  /** The socket has ended: what was written stays unanswered, what was queued was never sent. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const outgoing of this.#outstanding.values()) {
      outgoing.stopTimer();
      outgoing.settle({ kind: 'unanswered' });
    }
    for (const outgoing of this.#queue) {
      outgoing.stopTimer();
      outgoing.settle({ kind: 'unsent' });
    }
    this.#outstanding.clear();
    this.#queue.length = 0;
    this.#abandoned.clear();
  }

  #writeNext(): void {
    for (;;) {
      const next = this.#queue[0];
      if (next === undefined) return;
      if (this.#outstanding.size > 0 && !(next.isAlongside && this.#outstanding.size === 1)) return;
      this.#queue.shift();
      const payload = this.#payloadOf(next);
      if (payload === null) {
        next.stopTimer();
        next.settle({ kind: 'unsent' });
        continue;
      }
      const msgId = this.#deps.newMsgId();
      this.#outstanding.set(msgId, next);
      this.#deps.send(encodeCall(msgId, next.action, payload));
    }
  }

  /** Null when it is not to be written. Whoever's answer made room for this call is not to suffer for its content. */
  #payloadOf({ action, write }: Outgoing): unknown {
    try {
      return write();
    } catch (bug) {
      this.#deps.onUnwritable(action, bug);
      return null;
    }
  }

  #giveUp(outgoing: Outgoing): void {
    const place = this.#queue.indexOf(outgoing);
    if (place >= 0) {
      this.#queue.splice(place, 1);
      outgoing.settle({ kind: 'unsent' });
      return;
    }
    for (const [msgId, other] of this.#outstanding) if (other === outgoing) this.#abandon(msgId, other);
    this.#writeNext();
  }

  #giveUpNamed(name: string): void {
    for (const [msgId, other] of this.#outstanding) if (other.name === name) this.#abandon(msgId, other);
  }

  #abandon(msgId: string, outgoing: Outgoing): void {
    outgoing.stopTimer();
    this.#outstanding.delete(msgId);
    this.#abandoned.set(msgId, outgoing);
    const oldest = this.#abandoned.keys().next();
    if (this.#abandoned.size > maxAbandoned && oldest.done !== true) this.#abandoned.delete(oldest.value);
    outgoing.settle({ kind: 'unanswered' });
  }

  #takeAnswer(frame: Exclude<Frame, { kind: 'call' }>): void {
    const outgoing = this.#outstanding.get(frame.msgId);
    const late = this.#abandoned.get(frame.msgId);
    const asked = outgoing ?? late;
    if (asked === undefined) return;
    const answer = frame.kind === 'error' ? errorAnswer(frame) : readResult(asked.action, frame.payload);
    this.#outstanding.delete(frame.msgId);
    this.#abandoned.delete(frame.msgId);
    if (outgoing === undefined) {
      asked.onLate?.(answer);
      return;
    }
    asked.stopTimer();
    asked.settle(answer);
    this.#writeNext();
  }

  #takeCall(frame: Extract<Frame, { kind: 'call' }>): void {
    const { msgId, action, payload } = frame;
    const refuseCall = (code: ErrorCode, what: string, details?: ErrorDetails): void =>
      this.#deps.send(encodeError(msgId, code, what, details));
    if (!this.#deps.serves(action)) {
      refuseCall('not_supported', 'unknown action');
      return;
    }
    const read = readCall(action, payload);
    if (!read.ok) {
      refuseCall('bad_message', `${read.refusal} is missing or out of range`.slice(0, 120));
      return;
    }
    if (this.#unanswered >= maxUnanswered) {
      refuseCall('busy', 'too many calls at once', { retryMs: this.#deps.retryMs });
      return;
    }
    this.#unanswered += 1;
    // Action and content were read together just above.
    this.#deps.onCall({ action, content: read.value, answer: this.#answerer(msgId, action) } as IncomingCall);
  }

  #answerer(msgId: string, action: Action): (reply: Reply<Action>) => void {
    let isAnswered = false;
    return (reply) => {
      if (isAnswered) throw new Bug(`${action} answered twice`);
      isAnswered = true;
      this.#unanswered -= 1;
      if (this.#isOver) return;
      if (reply.kind === 'error') {
        this.#deps.send(encodeError(msgId, reply.code, reply.what, reply.details));
        return;
      }
      const checked = outgoingResults[action].safeParse(reply.result);
      if (!checked.success) throw new Bug(`result of ${action} does not fit its shape: ${checked.error.message}`);
      this.#deps.send(encodeResult(msgId, checked.data));
    };
  }
}
