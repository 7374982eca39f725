/**
 * One socket of one machine: its order of speaking, its rates, its pings, its end.
 */
import type { RegisteredMachine } from '../../purchase/store-port.ts';
import type { CancelTimer, Clock, DurationMs } from '../../time.ts';
import { type Answer, type CallOptions, type Content, Exchange, type IncomingCall } from '../exchange.ts';
import { decodeFrame, encodeError } from '../frame.ts';
import { isMachineAction, type MachineAction, type ServerAction } from '../messages.ts';
import type { LinkLog, MachineLinkConfig } from './link-config.ts';
import type { MachineSocket } from './machine-socket.ts';
import type { Rate } from './rate.ts';

/** Frames that are none, before the connection is closed as broken. */
const maxBadFrames = 5;
/** Times over the rate within a minute, before it is closed. */
const maxOverRate = 3;
/** Unsent bytes of a machine that does not read, before it is cut. */
const maxUnsentBytes = 65_536;
/** Time for the closing handshake. */
const closeMs = 2_000;

/** A call of a machine. */
export type MachineCall = Extract<IncomingCall, { action: MachineAction }>;

/** What one connection needs. */
export type ConnectionDeps = {
  readonly config: MachineLinkConfig;
  readonly clock: Clock;
  readonly log: LinkLog;
  readonly socket: MachineSocket;
  /** Name of this socket among all of all nodes. */
  readonly name: string;
  readonly machine: RegisteredMachine;
  readonly mac: string;
  readonly newMsgId: () => string;
  readonly calls: Rate;
  readonly requests: Rate;
  readonly onCall: (connection: MachineConnection, call: MachineCall) => void;
  readonly onClosed: (connection: MachineConnection) => void;
  readonly onFrame: (frame: { machineId: string; to: 'machine' | 'server'; text: string }) => void;
};

/** Close codes of the link, section 2. */
export type CloseCode = 1000 | 1002 | 1003 | 1011 | 4001 | 4003 | 4004 | 4008 | 4009 | 4029;

/** A machine's socket from upgrade to close. */
export class MachineConnection {
  readonly name: string;
  readonly machine: RegisteredMachine;
  readonly mac: string;
  /** Highest order number told with `hello` or placed since; no purchase exists above it. */
  seqFloor = 0;
  /** How long the machine may take to deliver, from `hello`. */
  deliveryMs: DurationMs = 60_000;

  readonly #deps: ConnectionDeps;
  readonly #exchange: Exchange;
  #stage: 'new' | 'greeting' | 'ready' | 'closing' = 'new';
  #isClosed = false;
  #orderInPlay: number | null = null;
  #badFrames = 0;
  #overRateAtMs: DurationMs[] = [];
  #greeting: Promise<void> = Promise.resolve();
  #endGreeting: () => void = () => undefined;
  #ended: () => void = () => undefined;
  readonly #end = new Promise<void>((resolve) => {
    this.#ended = resolve;
  });
  #stopHello: CancelTimer;
  #stopPing: CancelTimer = () => undefined;
  #stopPong: CancelTimer = () => undefined;
  #stopClose: CancelTimer = () => undefined;

  constructor(deps: ConnectionDeps) {
    this.#deps = deps;
    this.name = deps.name;
    this.machine = deps.machine;
    this.mac = deps.mac;
    this.#exchange = new Exchange({
      clock: deps.clock,
      newMsgId: deps.newMsgId,
      send: (text) => this.#send(text),
      serves: isMachineAction,
      onCall: (call) => this.#take(call),
      onBadFrame: (what) => this.#countBadFrame(what),
      onUnwritable: (action, bug) => deps.log.error('link_call_bug', { ...this.#names(), action, error: String(bug) }),
      retryMs: deps.config.retryMs,
    });
    this.#stopHello = deps.clock.after(deps.config.helloMs, () => this.close(4004));
    deps.socket.listen({
      onText: (text) => this.#read(text),
      onBinary: () => this.close(1003),
      onPong: () => this.#stopPong(),
      onError: (error) => deps.log.warn('link_socket_error', { ...this.#names(), error: error.message }),
      onClosed: (code) => this.#finish(code),
    });
    this.#planPing();
  }

  /** True from the answered `hello` until the connection closes. */
  get isReady(): boolean {
    return this.#stage === 'ready';
  }

  /** The order that this machine waits for or delivers, or null. */
  get orderInPlay(): number | null {
    return this.#orderInPlay;
  }

  /** An order began, or went on. */
  play(orderSeq: number): void {
    this.#orderInPlay = orderSeq;
    this.#planPing();
  }

  /** This order has ended; another one in play is left alone. */
  endPlay(orderSeq: number): void {
    if (this.#orderInPlay !== orderSeq) return;
    this.#orderInPlay = null;
    this.#planPing();
  }

  /** Resolves when the `hello` being answered has been, well or not. */
  get greeting(): Promise<void> {
    return this.#greeting;
  }

  /** `hello` was answered well: everything else may follow. */
  greeted(deliveryMs: DurationMs): void {
    this.deliveryMs = deliveryMs;
    this.#stopHello();
    if (this.#stage !== 'closing') this.#stage = 'ready';
  }

  /** `hello` has its answer; after a refusal the machine says it again. */
  greetingOver(): void {
    if (this.#stage === 'greeting') this.#stage = 'new';
    this.#endGreeting();
  }

  /** Calls the machine; `unsent` before `hello` and after the end. */
  call<A extends ServerAction>(action: A, content: Content<A>, options: CallOptions<A>): Promise<Answer<A>> {
    if (this.#stage !== 'ready') return Promise.resolve({ kind: 'unsent' });
    return this.#exchange.call(action, content, options);
  }

  /** Ends the connection with a code that tells the machine what to do next. */
  close(code: CloseCode): void {
    if (this.#stage === 'closing') return;
    this.#stage = 'closing';
    this.#deps.log.info('link_closing', { ...this.#names(), code });
    this.#deps.socket.close(code);
    this.#stopClose = this.#deps.clock.after(closeMs, () => this.#deps.socket.terminate());
  }

  /** Closes, and waits until the socket is gone. */
  closed(code: CloseCode): Promise<void> {
    this.close(code);
    return this.#end;
  }

  #names(): { machineId: string; socket: string } {
    return { machineId: this.machine.machineId, socket: this.name };
  }

  #send(text: string): void {
    const { socket } = this.#deps;
    if (!socket.isOpen) return;
    if (socket.unsentBytes > maxUnsentBytes) {
      this.#deps.log.warn('link_not_read', this.#names());
      socket.terminate();
      return;
    }
    this.#deps.onFrame({ machineId: this.machine.machineId, to: 'machine', text });
    socket.send(text);
  }

  #read(text: string): void {
    if (this.#stage === 'closing') return;
    this.#deps.onFrame({ machineId: this.machine.machineId, to: 'server', text });
    const waitMs = this.#deps.calls.take(this.machine.machineId);
    if (waitMs > 0 && this.#isRefusedByRate(text, waitMs)) return;
    try {
      this.#exchange.receive(text);
    } catch (bug) {
      this.#deps.log.error('link_frame_bug', { ...this.#names(), error: String(bug) });
      this.close(1011);
    }
  }

  /** Answers are always read: they are few, and losing an `accepted` would cost the payer an SMS of doubt. */
  #isRefusedByRate(text: string, waitMs: DurationMs): boolean {
    const frame = decodeFrame(text);
    if (frame.ok && frame.value.kind !== 'call') return false;
    if (frame.ok) this.#send(encodeError(frame.value.msgId, 'busy', 'too many calls', { retryMs: waitMs }));
    this.#countOverRate();
    return true;
  }

  #countOverRate(): void {
    const now = this.#deps.clock.now();
    this.#overRateAtMs = [...this.#overRateAtMs.filter((atMs) => now - atMs < 60_000), now];
    if (this.#overRateAtMs.length >= maxOverRate) this.close(4029);
  }

  #countBadFrame(what: string): void {
    this.#badFrames += 1;
    this.#deps.log.warn('link_bad_frame', { ...this.#names(), what });
    if (this.#badFrames >= maxBadFrames) this.close(1002);
  }

  #take(call: IncomingCall): void {
    // The exchange serves machines' actions alone.
    const taken = call as MachineCall;
    if (taken.action === 'hello') this.#beginGreeting();
    else if (this.#stage === 'new' || (this.#stage === 'greeting' && taken.action !== 'vend.request')) {
      taken.answer({ kind: 'error', code: 'bad_message', what: 'hello comes first' });
      return;
    }
    if (taken.action === 'vend.request') {
      const waitMs = this.#deps.requests.take(this.machine.machineId);
      if (waitMs > 0) {
        taken.answer({ kind: 'error', code: 'busy', what: 'too many requests', details: { retryMs: waitMs } });
        this.#countOverRate();
        return;
      }
    }
    this.#deps.onCall(this, taken);
  }

  #beginGreeting(): void {
    if (this.#stage === 'new') this.#stage = 'greeting';
    this.#greeting = new Promise((resolve) => {
      this.#endGreeting = resolve;
    });
  }

  #planPing(): void {
    this.#stopPing();
    if (this.#isClosed) return;
    const { config, clock, socket } = this.#deps;
    this.#stopPing = clock.after(this.#orderInPlay === null ? config.idlePingMs : config.pingMs, () => {
      if (!socket.isOpen) return;
      socket.ping();
      this.#stopPong();
      this.#stopPong = clock.after(config.pongMs, () => {
        this.close(4008);
        // The other side does not answer: no handshake to wait for.
        socket.terminate();
      });
      this.#planPing();
    });
  }

  #finish(code: number): void {
    this.#isClosed = true;
    this.#stage = 'closing';
    this.#stopHello();
    this.#stopPing();
    this.#stopPong();
    this.#stopClose();
    this.#exchange.end();
    this.#deps.log.info('link_closed', { ...this.#names(), code });
    this.#endGreeting();
    this.#ended();
    this.#deps.onClosed(this);
  }
}
