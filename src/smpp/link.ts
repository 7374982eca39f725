/**
 * One SMPP connection, of either role: frames in, answers and requests out, timers, backpressure. Whatever comes in,
 * it goes on answering enquire_link or it closes; it never throws and never goes deaf (design: smpp-ussd-sms.md, 1.2 and 1.3).
 */
import type { Duplex } from 'node:stream';
import type { CancelTimer, Clock, DurationMs } from '../time.ts';
import {
  type BindCommand,
  type Command,
  commandId,
  commandNamed,
  GENERIC_NACK,
  type IrregularReason,
  type MessageCommand,
  RESPONSE_BIT,
  status,
} from './command.ts';
import { createFramer, encodeHeader, encodeResponse, type Frame, type Framer, readAnswerText } from './framer.ts';
import { checkMessage, type MessagePdu } from './pdu-check.ts';
import type { SendingRate } from './sending-rate.ts';
import { type QueuedRequest, type RequestOutcome, RequestWindow, type WindowOptions } from './window.ts';

/** `esme` is Relais; `smsc` is the other side, played by the simulator. */
export type LinkRole = 'esme' | 'smsc';

/** Why a connection ended. */
export type CloseCause = 'peer_closed' | 'peer_unbound' | 'bad_frame' | 'dead_peer' | 'socket_error' | 'closed_here';

export interface LinkOptions extends WindowOptions {
  readonly role: LinkRole;
  readonly maxPduOctets: number;
  /** From the first octet of a frame to its last. */
  readonly frameTimeoutMs: DurationMs;
  /** Silence of the peer after which an enquire_link is sent. */
  readonly enquireLinkMs: DurationMs;
  /** Silence after that enquire_link which means that the peer is dead. */
  readonly enquireTimeoutMs: DurationMs;
  /** How long what is written may take to leave before a closing connection is cut. */
  readonly flushMaxMs: DurationMs;
}

/** Answers a message once; later calls do nothing. `text` is the message_id. */
export type AnswerMessage = (answerStatus: number, text?: string) => void;

export interface LinkEvents {
  /** A good message while bound. A throw is answered ESME_RSYSERR. */
  message(pdu: MessagePdu, answer: AnswerMessage): void;
  /** A bind request, role `smsc` only. `frame` holds its octets. */
  bind?(command: BindCommand, frame: Frame, answer: AnswerMessage): void;
  /** The connection is over; called once, after everything in flight has been settled. */
  closed(cause: CloseCause, detail: string | null): void;
  irregular(reason: IrregularReason): void;
  answered(command: Command, answerStatus: number, waitedMs: DurationMs): void;
  timedOut(command: Command): void;
  dropped(reason: 'queue_full' | 'expired'): void;
  /** Something of ours threw while a PDU was read. */
  failed(error: unknown): void;
  /** Each whole PDU as it passes. */
  wire?(direction: 'in' | 'out', octets: Buffer): void;
}

export interface LinkDeps {
  /** Connected, or about to be; the link owns it from now on. */
  readonly socket: Duplex;
  readonly clock: Clock;
  readonly rate: SendingRate;
  readonly events: LinkEvents;
}

const UNBIND_TIMEOUT_MS = 5000;
const HEADER_OCTETS = 16;
const BIND_ANSWERS: ReadonlySet<number> = new Set(
  [commandId.bind_receiver, commandId.bind_transmitter, commandId.bind_transceiver].map(
    (id) => (id | RESPONSE_BIT) >>> 0,
  ),
);
const REQUESTS: Readonly<Record<LinkRole, ReadonlySet<Command>>> = {
  esme: new Set<Command>(['deliver_sm', 'data_sm', 'enquire_link', 'unbind', 'alert_notification', 'outbind']),
  smsc: new Set<Command>([
    'bind_receiver',
    'bind_transmitter',
    'bind_transceiver',
    'submit_sm',
    'data_sm',
    'enquire_link',
    'unbind',
  ]),
};

export class Link {
  readonly #options: LinkOptions;
  readonly #socket: Duplex;
  readonly #clock: Clock;
  readonly #events: LinkEvents;
  readonly #framer: Framer;
  readonly #window: RequestWindow;
  #outbox: Buffer[] = [];
  #isFlushScheduled = false;
  #isBlocked = false;
  #isBound = false;
  #isClosing = false;
  #isOver = false;
  #cause: CloseCause | null = null;
  #detail: string | null = null;
  #lastOctetsAtMs: DurationMs;
  #cancelFrameTimer: CancelTimer | null = null;
  #cancelEnquireTimer: CancelTimer = () => {};
  #cancelCut: CancelTimer = () => {};

  constructor(options: LinkOptions, deps: LinkDeps) {
    this.#options = options;
    this.#socket = deps.socket;
    this.#clock = deps.clock;
    this.#events = deps.events;
    this.#framer = createFramer(options.maxPduOctets);
    this.#lastOctetsAtMs = deps.clock.now();
    this.#window = new RequestWindow(options, {
      clock: deps.clock,
      rate: deps.rate,
      write: (octets) => this.#write(octets),
      onAnswered: (command, answerStatus, waitedMs) => deps.events.answered(command, answerStatus, waitedMs),
      onTimeout: (command) => deps.events.timedOut(command),
      onDropped: (reason) => deps.events.dropped(reason),
    });
    this.#socket.on('error', (error: Error) => this.#end('socket_error', error.message));
    this.#socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    this.#socket.on('end', () => this.#peerEnded());
    this.#socket.on('close', () => this.#over());
  }

  /** From the accepted bind to the first sign of the end. */
  get isBound(): boolean {
    return this.#isBound && !this.#isClosing;
  }

  get inFlight(): number {
    return this.#window.inFlight;
  }

  get queued(): number {
    return this.#window.queued;
  }

  /** Messages are taken from now on, and the silence of the peer is watched. */
  setBound(): void {
    this.#isBound = true;
    this.#watchSilence();
  }

  /** Sends a request in its turn. */
  send(request: QueuedRequest): Promise<RequestOutcome> {
    return this.#window.send(request);
  }

  /** Sends a request past window, queue and rate. */
  sendNow(command: Command, timeoutMs: DurationMs, encode: (sequence: number) => Buffer): Promise<RequestOutcome> {
    return this.#window.sendNow(command, timeoutMs, encode);
  }

  /** Unbinds, waits at most 5 s for the answer, and closes. */
  async unbind(): Promise<void> {
    await this.#window.sendNow('unbind', UNBIND_TIMEOUT_MS, (sequence) => encodeHeader(commandId.unbind, 0, sequence));
    this.close();
  }

  /** Sends what has been written, at most for `flushMaxMs`, and closes. */
  close(): void {
    this.#closeAfterFlush('closed_here');
  }

  /** Ends the connection now, whatever is still unsent. */
  destroy(): void {
    this.#end('closed_here', null);
  }

  #receive(chunk: Buffer): void {
    if (this.#isClosing) return;
    this.#lastOctetsAtMs = this.#clock.now();
    let isWholeFrame = false;
    const outcome = this.#framer.push(chunk, (frame) => {
      isWholeFrame = true;
      this.#receiveFrame(frame);
      return !this.#isClosing;
    });
    if (this.#isClosing) return;
    if (outcome === 'bad_length') {
      this.#events.irregular('length');
      this.#write(encodeHeader(GENERIC_NACK, status.ESME_RINVCMDLEN, 0));
      this.#closeAfterFlush('bad_frame');
      return;
    }
    this.#watchFrame(isWholeFrame);
  }

  /** The timer runs from the first octet of a frame and is not reset by later ones. */
  #watchFrame(isWholeFrame: boolean): void {
    if (isWholeFrame || this.#framer.waitingOctets === 0) {
      this.#cancelFrameTimer?.();
      this.#cancelFrameTimer = null;
    }
    if (this.#framer.waitingOctets === 0 || this.#cancelFrameTimer !== null) return;
    this.#cancelFrameTimer = this.#clock.after(this.#options.frameTimeoutMs, () => {
      this.#events.irregular('frame_timeout');
      this.#end('bad_frame', null);
    });
  }

  #receiveFrame(frame: Frame): void {
    try {
      this.#events.wire?.('in', frame.octets);
      if ((frame.commandId & RESPONSE_BIT) === 0) this.#receiveRequest(frame);
      else this.#receiveResponse(frame);
    } catch (error) {
      this.#events.failed(error);
    }
  }

  #receiveResponse(frame: Frame): void {
    if (frame.commandId === GENERIC_NACK) {
      if (!this.#window.nack(frame.sequence, frame.status)) this.#events.irregular('nack');
    } else if (commandNamed((frame.commandId & ~RESPONSE_BIT) >>> 0) === null) {
      this.#events.irregular('unknown_response');
    } else if (!this.#window.answer(frame.commandId, frame.sequence, frame.status, readAnswerText(frame))) {
      this.#events.irregular('unsolicited_response');
    } else if (frame.status === status.ESME_ROK && BIND_ANSWERS.has(frame.commandId)) {
      // At once, not when the caller's promise resolves: the next octets of this very read may be a deliver_sm.
      this.setBound();
    }
  }

  #receiveRequest(frame: Frame): void {
    const command = commandNamed(frame.commandId);
    if (command === null || !REQUESTS[this.#options.role].has(command)) {
      this.#events.irregular('not_supported');
      this.#write(encodeHeader(GENERIC_NACK, status.ESME_RINVCMDID, frame.sequence));
      return;
    }
    switch (command) {
      case 'enquire_link':
      case 'unbind':
        return this.#receivePlain(command, frame);
      case 'deliver_sm':
      case 'submit_sm':
      case 'data_sm':
        return this.#receiveMessage(command, frame);
      case 'bind_receiver':
      case 'bind_transmitter':
      case 'bind_transceiver':
        return this.#events.bind?.(command, frame, this.#answerOnce(command, frame.sequence));
      default:
        this.#events.irregular('ignored_request');
    }
  }

  #receivePlain(command: 'enquire_link' | 'unbind', frame: Frame): void {
    if (frame.octets.length > HEADER_OCTETS) this.#events.irregular('trailing');
    this.#write(encodeHeader((commandId[command] | RESPONSE_BIT) >>> 0, 0, frame.sequence));
    if (command === 'unbind') this.#closeAfterFlush('peer_unbound');
  }

  #receiveMessage(command: MessageCommand, frame: Frame): void {
    const answer = this.#answerOnce(command, frame.sequence);
    if (!this.#isBound) {
      this.#events.irregular('bind_state');
      return answer(status.ESME_RINVBNDSTS);
    }
    const check = checkMessage(command, frame.octets);
    if (!check.ok) {
      this.#events.irregular(check.bad.reason);
      return answer(check.bad.status);
    }
    for (const reason of check.pdu.irregular) this.#events.irregular(reason);
    try {
      this.#events.message(check.pdu, answer);
    } catch (error) {
      this.#events.irregular('codec');
      this.#events.failed(error);
      answer(status.ESME_RSYSERR);
    }
  }

  #answerOnce(command: Command, sequence: number): AnswerMessage {
    let isAnswered = false;
    return (answerStatus, text) => {
      if (isAnswered) return;
      isAnswered = true;
      this.#write(encodeResponse(command, answerStatus, sequence, text));
    };
  }

  /** One write per turn of the event loop: whatever is written in this turn goes out together at its end. */
  #write(octets: Buffer): void {
    if (this.#isOver) return;
    this.#events.wire?.('out', octets);
    this.#outbox.push(octets);
    if (this.#isFlushScheduled || this.#isBlocked) return;
    this.#isFlushScheduled = true;
    setImmediate(() => {
      this.#isFlushScheduled = false;
      this.#flush();
    });
  }

  /**
   * While the peer does not read, nothing is read from it either and nothing queued is written: so the outbox holds
   * at most the answers to what one read brought, and one window.
   */
  #flush(): void {
    const [first] = this.#outbox;
    if (first === undefined || this.#isOver || this.#isBlocked || this.#socket.writableEnded) return;
    const octets = this.#outbox.length === 1 ? first : Buffer.concat(this.#outbox);
    this.#outbox = [];
    if (this.#socket.write(octets)) return;
    this.#isBlocked = true;
    this.#window.setWritable(false);
    this.#socket.pause();
    this.#socket.once('drain', () => {
      this.#isBlocked = false;
      this.#flush();
      if (this.#isBlocked) return;
      this.#socket.resume();
      this.#window.setWritable(true);
    });
  }

  #watchSilence(): void {
    const silentMs = this.#clock.now() - this.#lastOctetsAtMs;
    const waitMs = this.#options.enquireLinkMs - silentMs;
    this.#cancelEnquireTimer();
    if (this.#isClosing) return;
    if (waitMs > 0) {
      this.#cancelEnquireTimer = this.#clock.after(Math.ceil(waitMs), () => this.#watchSilence());
    } else {
      void this.#enquire();
    }
  }

  async #enquire(): Promise<void> {
    const encode = (sequence: number): Buffer => encodeHeader(commandId.enquire_link, 0, sequence);
    const outcome = await this.#window.sendNow('enquire_link', this.#options.enquireTimeoutMs, encode);
    if (outcome.kind === 'answered') this.#watchSilence();
    else if (!this.#isClosing) this.#end('dead_peer', null);
  }

  #peerEnded(): void {
    if (!this.#isClosing && this.#framer.waitingOctets > 0) this.#events.irregular('truncated_by_close');
    this.#closeAfterFlush('peer_closed');
  }

  /** Says goodbye: no octet is read any more; what is written goes out within `flushMaxMs`. */
  #closeAfterFlush(cause: CloseCause): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#cause ??= cause;
    this.#cancelFrameTimer?.();
    this.#cancelEnquireTimer();
    setImmediate(() => {
      this.#flush();
      this.#window.close();
      this.#socket.end();
      this.#socket.resume();
    });
    this.#cancelCut = this.#clock.after(this.#options.flushMaxMs, () => this.#socket.destroy());
  }

  #end(cause: CloseCause, detail: string | null): void {
    this.#cause ??= cause;
    this.#detail ??= detail;
    if (!this.#isClosing && cause === 'socket_error' && this.#framer.waitingOctets > 0) {
      this.#events.irregular('truncated_by_close');
    }
    this.#isClosing = true;
    this.#socket.destroy();
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (!this.#isClosing && this.#framer.waitingOctets > 0) this.#events.irregular('truncated_by_close');
    this.#isClosing = true;
    this.#cancelFrameTimer?.();
    this.#cancelEnquireTimer();
    this.#cancelCut();
    this.#outbox = [];
    this.#window.close();
    this.#events.closed(this.#cause ?? 'peer_closed', this.#detail);
  }
}
