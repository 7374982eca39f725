/**
 * The agent's connection: dialed when it is wanted, greeted, lost, dialed again after the waits of the contract.
 */
import type { CancelTimer, Clock, DurationMs } from '../../time.ts';
import { type Answer, type CallOptions, Exchange, type IncomingCall } from '../exchange.ts';
import { type CallOf, isServerAction, type MachineAction, type ResultOf, type ServerAction } from '../messages.ts';
import type { AgentConfig, AgentLog } from './agent-config.ts';
import type { Dial, LinkSocket } from './dial.ts';

const second = 1_000;
const minute = 60_000;
/** While a customer or a statement waits. */
const urgentWaitsMs = [second, 2 * second, 4 * second, 8 * second];
/** After statements that nobody answers. */
const restWaitsMs = [minute, 5 * minute, 15 * minute, 60 * minute];
/** Server away with nothing urgent, for machines that stay connected. */
const calmWaitsMs = [second, 2 * second, 4 * second, 8 * second, 15 * second, 30 * second];
/** After a credential that is not taken. */
const hourlyMs = 60 * minute;
/** For the answer to our own ping. */
const pongMs = 10 * second;
/** After `hello` was answered `busy` without a time. */
const helloRetryMs = 5 * second;

/** A call of the server. */
export type ServerCall = Extract<IncomingCall, { action: ServerAction }>;

/** What the session needs. */
export type SessionDeps = {
  readonly config: AgentConfig;
  readonly clock: Clock;
  readonly dial: Dial;
  /** 0 to below 1, for jitter. */
  readonly random: () => number;
  readonly newMsgId: () => string;
  readonly log: AgentLog;
  readonly onFrame: (to: 'server' | 'machine', text: string) => void;
  readonly hello: () => CallOf<'hello'>;
  /** `hello` is on its way: a waiting order may be sent right behind it. */
  readonly onOpen: () => void;
  readonly onGreeted: (greeting: ResultOf<'hello'>) => void;
  /** Currency not as registered: e-payment is to be denied. */
  readonly onMisfit: () => void;
  readonly onCall: (call: ServerCall) => void;
  /** A customer waits or a statement is owed. */
  readonly isUrgent: () => boolean;
};

/** Where the session is: asleep without need, `waiting` before the next try, on its way, or greeted. */
export type SessionStage = 'asleep' | 'waiting' | 'dialing' | 'open' | 'ready';

/** The agent's one connection. */
export class LinkSession {
  readonly #deps: SessionDeps;
  #stage: SessionStage = 'asleep';
  #socket: LinkSocket | null = null;
  #exchange: Exchange | null = null;
  #tries = 0;
  #rests = 0;
  #keyInUse = 0;
  #notBeforeMs: DurationMs = 0;
  #pings = { withOrderMs: 20 * second, idleMs: 2 * minute };
  #isOrderTaken = false;
  #stopRetry: CancelTimer = () => undefined;
  #stopSilence: CancelTimer = () => undefined;
  #isDead = false;

  constructor(deps: SessionDeps) {
    this.#deps = deps;
  }

  get stage(): SessionStage {
    return this.#stage;
  }

  /** True when a call could go out now. */
  get isFree(): boolean {
    return this.#stage === 'ready' && this.#exchange?.isCalling === false;
  }

  /** Connects now unless it is on its way; cuts a wait short, but not one that the server asked for. */
  want(): void {
    if (this.#isDead || (this.#stage !== 'asleep' && this.#stage !== 'waiting')) return;
    const waitMs = this.#notBeforeMs - this.#deps.clock.now();
    if (waitMs > 0) this.#retryIn(waitMs);
    else this.#dial();
  }

  /** Calls the server; `unsent` when there is no socket. */
  call<A extends MachineAction>(action: A, content: CallOf<A>, options?: Partial<CallOptions<A>>): Promise<Answer<A>> {
    const exchange = this.#exchange;
    if (exchange === null) return Promise.resolve({ kind: 'unsent' });
    return exchange.call(action, content, { answerMs: this.#deps.config.callTimeoutMs, ...options });
  }

  /** Ends the connection; the next contact is in `nextContactMs` unless something comes up. */
  sleep(nextContactMs: DurationMs): void {
    this.#socket?.close(1000);
    this.#drop('asleep');
    this.#retryIn(nextContactMs * this.#jitter());
    this.#stage = 'asleep';
  }

  /** Nobody answers: modem off, longer each time. */
  rest(): void {
    const waitMs = restWaitsMs[Math.min(this.#rests, restWaitsMs.length - 1)] ?? hourlyMs;
    this.#rests += 1;
    this.#deps.log.note('link_rests', { waitMs });
    this.#socket?.terminate();
    this.#drop('waiting');
    this.#retryIn(waitMs);
  }

  /** The server has our order and pings more often, or has it no more. */
  orderTaken(isTaken: boolean): void {
    if (this.#isOrderTaken === isTaken) return;
    this.#isOrderTaken = isTaken;
    this.#watchSilence();
  }

  /** Something was answered: the waits begin anew. */
  heardAnswer(): void {
    this.#rests = 0;
  }

  /** The end, without a word when the power is gone. */
  end(isGraceful: boolean): void {
    this.#isDead = true;
    if (isGraceful) this.#socket?.close(1000);
    else this.#socket?.terminate();
    this.#drop('asleep');
  }

  #jitter(): number {
    return 0.75 + this.#deps.random() / 2;
  }

  #retryIn(waitMs: DurationMs): void {
    this.#stopRetry();
    if (this.#isDead) return;
    this.#stage = 'waiting';
    this.#stopRetry = this.#deps.clock.after(waitMs, () => this.#dial());
  }

  #dial(): void {
    this.#stopRetry();
    if (this.#isDead) return;
    const { config, dial, onFrame } = this.#deps;
    this.#stage = 'dialing';
    // Reports of a socket that has been dropped meanwhile concern nobody.
    const ifCurrent = (act: () => void) => (): void => {
      if (this.#socket === socket) act();
    };
    const socket: LinkSocket = dial(
      { url: config.url, machineId: config.machineId, key: config.keys[this.#keyInUse] ?? config.keys[0] },
      {
        onOpen: () => ifCurrent(() => this.#opened(socket))(),
        onHeard: () => ifCurrent(() => this.#watchSilence())(),
        onText: (text) =>
          ifCurrent(() => {
            this.#watchSilence();
            onFrame('machine', text);
            this.#exchange?.receive(text);
          })(),
        onClosed: (code) => ifCurrent(() => this.#lost(code))(),
        onRefused: (status, retryAfterS) => ifCurrent(() => this.#refused(status, retryAfterS))(),
      },
    );
    this.#socket = socket;
  }

  #opened(socket: LinkSocket): void {
    const { clock, newMsgId, log, onCall, onFrame } = this.#deps;
    this.#stage = 'open';
    this.#exchange = new Exchange({
      clock,
      newMsgId,
      send: (text) => {
        onFrame('server', text);
        socket.send(text);
      },
      serves: isServerAction,
      // The exchange serves the server's actions alone.
      onCall: (call) => onCall(call as ServerCall),
      onBadFrame: (what) => log.alarm('link_bad_frame', { what }),
      onUnwritable: (action, bug) => log.alarm('link_call_bug', { action, error: String(bug) }),
      retryMs: helloRetryMs,
    });
    this.#watchSilence();
    this.#greet();
    this.#deps.onOpen();
  }

  #greet(): void {
    const exchange = this.#exchange;
    void this.call('hello', this.#deps.hello()).then((answer) => {
      if (this.#exchange !== exchange || this.#isDead) return;
      if (answer.kind === 'result') this.#greeted(answer.result);
      else this.#notGreeted(answer, exchange);
    });
  }

  #greeted(greeting: ResultOf<'hello'>): void {
    this.#stage = 'ready';
    this.#tries = 0;
    this.#pings = { withOrderMs: greeting.pingMs, idleMs: greeting.idlePingMs };
    this.#watchSilence();
    this.#deps.onGreeted(greeting);
  }

  #notGreeted(answer: Answer<'hello'>, exchange: Exchange | null): void {
    if (answer.kind === 'error' && (answer.code === 'config_mismatch' || answer.code === 'unauthorized')) {
      this.#deps.log.alarm('link_not_admitted', { code: answer.code });
      this.#notBeforeMs = this.#deps.clock.now() + hourlyMs;
      this.#socket?.close(1000);
      this.#drop('waiting');
      this.#retryIn(hourlyMs);
      if (answer.code === 'config_mismatch') this.#deps.onMisfit();
      return;
    }
    const waitMs = answer.kind === 'error' ? (answer.retryMs ?? helloRetryMs) : 0;
    this.#deps.clock.after(waitMs, () => {
      if (this.#exchange === exchange && this.#stage === 'open') this.#greet();
    });
  }

  /** A server that pings us is there; one that has not for two of its intervals is asked, and left if it is silent. */
  #watchSilence(): void {
    this.#stopSilence();
    if (this.#exchange === null) return;
    const { clock } = this.#deps;
    const pingMs = this.#isOrderTaken ? this.#pings.withOrderMs : this.#pings.idleMs;
    this.#stopSilence = clock.after(2 * pingMs, () => {
      this.#socket?.ping();
      this.#stopSilence = clock.after(pongMs, () => {
        this.#socket?.terminate();
        this.#lost(1006);
      });
    });
  }

  #drop(stage: SessionStage): void {
    const exchange = this.#exchange;
    this.#socket = null;
    this.#exchange = null;
    this.#isOrderTaken = false;
    this.#stopSilence();
    this.#stopRetry();
    this.#stage = stage;
    exchange?.end();
  }

  #refused(status: number, retryAfterS: number | null): void {
    this.#deps.log.alarm('link_refused', { status });
    this.#drop('waiting');
    const { keys } = this.#deps.config;
    if (status === 401 && this.#keyInUse + 1 < keys.length) {
      this.#keyInUse += 1;
      this.#dial();
      return;
    }
    if (status === 401) this.#keyInUse = 0;
    const isHopeless = status === 400 || status === 401 || status === 403;
    const waitMs = isHopeless ? hourlyMs : retryAfterS === null ? this.#nextWaitMs() : retryAfterS * second;
    if (isHopeless || retryAfterS !== null) this.#notBeforeMs = this.#deps.clock.now() + waitMs;
    this.#retryIn(waitMs);
  }

  #nextWaitMs(): DurationMs {
    const waits = this.#deps.isUrgent() ? urgentWaitsMs : calmWaitsMs;
    const waitMs = waits[Math.min(this.#tries, waits.length - 1)] ?? 8 * second;
    this.#tries += 1;
    return waitMs * this.#jitter();
  }

  #lost(code: number): void {
    this.#deps.log.note('link_lost', { code });
    this.#drop('waiting');
    const { config, clock, random, log } = this.#deps;
    const isWanted = this.#deps.isUrgent() || config.staysConnected;
    if (code === 1002 || code === 1003 || code === 1009 || code === 4029) {
      log.alarm('link_closed_for_cause', { code });
      this.#notBeforeMs = clock.now() + minute;
      this.#retryIn(minute);
    } else if (code === 4003) {
      this.#keyInUse = (this.#keyInUse + 1) % config.keys.length;
      this.#retryIn(config.keys.length > 1 && this.#keyInUse !== 0 ? 0 : hourlyMs);
    } else if (code === 4001 && !this.#deps.isUrgent()) {
      // Another socket of this machine is open, perhaps one of an earlier start that the server took for the newer one.
      this.#retryIn(config.nextContactMs * this.#jitter());
      this.#stage = 'asleep';
    } else if (code === 4008) this.#retryIn(0);
    else if (code === 4009) this.#retryIn(random() * 3 * second);
    else if (isWanted) this.#retryIn(this.#nextWaitMs());
    else {
      this.#retryIn(config.nextContactMs * this.#jitter());
      this.#stage = 'asleep';
    }
  }
}
