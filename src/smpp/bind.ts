/**
 * One bind to a centre: connects, binds, stays bound, comes back after a loss, and unbinds when told to stop.
 */
import { connect as connectTcp, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { type Clock, type DurationMs, pause, type UnixMs } from '../time.ts';
import { type BindCommand, status } from './command.ts';
import { encodeBind } from './framer.ts';
import { type AnswerMessage, type CloseCause, Link, type LinkOptions } from './link.ts';
import type { MessagePdu } from './pdu-check.ts';
import { createSendingRate, type SendingRate } from './sending-rate.ts';
import type { QueuedRequest, RequestOutcome } from './window.ts';

/** Where the log lines of this room go: one event name and fields. No text and no phone number is ever among them. */
export interface SmppLog {
  info(event: string, fields: Readonly<Record<string, string | number | null>>): void;
  warn(event: string, fields: Readonly<Record<string, string | number | null>>): void;
  error(event: string, fields: Readonly<Record<string, string | number | null>>, error?: unknown): void;
}

/** Where the figures of this room go; names as in the design page, 1.2, without the prefix `relais_`. */
export interface SmppMetrics {
  count(name: string, labels: Readonly<Record<string, string>>): void;
  observe(name: string, seconds: number, labels: Readonly<Record<string, string>>): void;
}

export type BindKind = 'transceiver' | 'transmitter' | 'receiver';
export type BindState = 'stopped' | 'connecting' | 'binding' | 'bound' | 'draining' | 'backoff';

export interface BindOptions extends Omit<LinkOptions, 'role'> {
  /** Names the bind in logs, metrics and the console. */
  readonly name: string;
  readonly kind: BindKind;
  /** Tried in turn. */
  readonly hosts: readonly BindTarget[];
  readonly systemId: string;
  readonly password: string;
  readonly systemType: string;
  readonly interfaceVersion: number;
  readonly addrTon: number;
  readonly addrNpi: number;
  readonly addressRange: string;
  /** Verification is always on; null is a plain connection. */
  readonly tls: Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'servername'> | null;
  /** Messages per second; 0 is no limit until the centre throttles. */
  readonly tps: number;
  readonly connectTimeoutMs: DurationMs;
  readonly bindTimeoutMs: DurationMs;
  /** How long a stop waits for answers. */
  readonly drainMs: DurationMs;
}

/** The defaults of the design page, 1.2; name, hosts, systemId and password have none. */
export const bindDefaults = {
  kind: 'transceiver',
  systemType: '',
  interfaceVersion: 0x34,
  addrTon: 0,
  addrNpi: 0,
  addressRange: '',
  tls: null,
  tps: 0,
  maxPduOctets: 4095,
  windowSize: 10,
  queueMax: 1000,
  responseTimeoutMs: 10_000,
  firstSequence: 1,
  lastSequence: 0x7fffffff,
  frameTimeoutMs: 30_000,
  enquireLinkMs: 30_000,
  enquireTimeoutMs: 10_000,
  flushMaxMs: 1000,
  connectTimeoutMs: 10_000,
  bindTimeoutMs: 10_000,
  drainMs: 10_000,
} as const satisfies Partial<BindOptions>;

/** What the console and `/status` show of a bind. */
export interface BindStatus {
  readonly name: string;
  readonly kind: BindKind;
  readonly state: BindState;
  readonly since: UnixMs;
  readonly lastError: string | null;
  readonly inFlight: number;
  readonly queued: number;
  /** Messages per second it may send now; null without a limit. */
  readonly ratePerSecond: number | null;
}

export interface BindDeps {
  readonly clock: Clock;
  /** 0 <= x < 1, for the jitter of reconnects. */
  readonly random: () => number;
  readonly log: SmppLog;
  readonly metrics: SmppMetrics;
  readonly onMessage: (pdu: MessagePdu, answer: AnswerMessage) => void;
  readonly onWire?: (direction: 'in' | 'out', octets: Buffer) => void;
  /** How a connection is made; default TCP or TLS. A simulation hands in a network of its own. */
  readonly connect?: (target: BindTarget) => Promise<Duplex>;
}

/** Where a centre listens. */
export interface BindTarget {
  readonly host: string;
  readonly port: number;
}

type SessionEnd =
  | { readonly kind: 'unreachable' | 'no_answer' }
  | { readonly kind: 'refused'; readonly status: number }
  | { readonly kind: 'ended'; readonly cause: CloseCause; readonly boundMs: DurationMs };

const BIND_COMMAND: Readonly<Record<BindKind, BindCommand>> = {
  transceiver: 'bind_transceiver',
  transmitter: 'bind_transmitter',
  receiver: 'bind_receiver',
};
const KEEP_ALIVE_MS = 60_000;
const BACKOFF_MAX_MS = 60_000;
const ALREADY_BOUND_MIN_MS = 30_000;
const STABLE_AFTER_MS = 60_000;
const AFTER_UNBIND_MS = 1000;
const REFUSED_FIRST_MS = 60_000;
const REFUSED_MAX_MS = 15 * 60_000;
const DRAIN_LOOK_MS = 20;
/** Refusals that a repetition does not cure: a person has to. */
const LASTING_REFUSALS: ReadonlySet<number> = new Set([
  status.ESME_RINVPASWD,
  status.ESME_RINVSYSID,
  status.ESME_RINVSYSTYP,
  status.ESME_RBINDFAIL,
]);

export class Bind {
  readonly options: BindOptions;
  readonly rate: SendingRate;
  readonly #deps: BindDeps;
  #state: BindState = 'stopped';
  #since: UnixMs;
  #lastError: string | null = null;
  #link: Link | null = null;
  #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #failures = 0;
  #refusals = 0;
  #hostIndex = 0;

  constructor(options: BindOptions, deps: BindDeps) {
    this.options = options;
    this.#deps = deps;
    this.rate = createSendingRate(options.tps, deps.clock);
    this.#since = deps.clock.wall();
  }

  /** Bound, and of a kind that may send; also while draining. */
  get canSend(): boolean {
    return this.#link?.isBound === true && this.options.kind !== 'receiver';
  }

  /** Unanswered and waiting requests. */
  get load(): number {
    return this.#link === null ? 0 : this.#link.inFlight + this.#link.queued;
  }

  status(): BindStatus {
    return {
      name: this.options.name,
      kind: this.options.kind,
      state: this.#state,
      since: this.#since,
      lastError: this.#lastError,
      inFlight: this.#link?.inFlight ?? 0,
      queued: this.#link?.queued ?? 0,
      ratePerSecond: this.rate.current(),
    };
  }

  /** Connects and keeps connected until `stop`. */
  start(): void {
    if (this.#state !== 'stopped') return;
    this.#stopping = new AbortController();
    this.#running = this.#run(this.#stopping.signal);
  }

  /** Waits for what is in flight, at most `drainMs`, unbinds and stops. */
  async stop(): Promise<void> {
    if (this.#state === 'bound' && this.#link !== null) {
      const link = this.#link;
      this.#enter('draining');
      const untilMs = this.#deps.clock.now() + this.options.drainMs;
      while (this.load > 0 && this.#deps.clock.now() < untilMs) await pause(this.#deps.clock, DRAIN_LOOK_MS);
      await link.unbind();
    }
    this.#stopping.abort();
    await this.#running;
  }

  /** Sends a request in its turn; `not_sent` while the bind is not bound. */
  send(request: QueuedRequest): Promise<RequestOutcome> {
    if (this.#link === null || !this.canSend) return Promise.resolve({ kind: 'not_sent', why: 'closed' });
    return this.#link.send(request);
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const end = await this.#session(signal);
      this.#link = null;
      // A drained session ends here with the state `draining`; the signal follows at once.
      if (signal.aborted || this.#state === 'draining') break;
      const waitMs = this.#waitAfter(end);
      this.#deps.metrics.count('smpp_reconnects_total', { bind: this.options.name, cause: causeOf(end) });
      this.#enter('backoff');
      await pause(this.#deps.clock, waitMs, signal);
    }
    this.#enter('stopped');
  }

  /** From the connection to its end. */
  async #session(signal: AbortSignal): Promise<SessionEnd> {
    this.#enter('connecting');
    const socket = await this.#connect(signal);
    if (socket === null) return { kind: 'unreachable' };
    this.#enter('binding');
    let onClosed: (cause: CloseCause) => void = () => {};
    const ended = new Promise<CloseCause>((resolve) => {
      onClosed = resolve;
    });
    const link = this.#createLink(socket, onClosed);
    const abort = (): void => link.destroy();
    signal.addEventListener('abort', abort, { once: true });
    this.#link = link;
    const command = BIND_COMMAND[this.options.kind];
    const answer = await link.sendNow(command, this.options.bindTimeoutMs, (sequence) =>
      encodeBind(command, sequence, this.options),
    );
    const isBound = answer.kind === 'answered' && answer.status === status.ESME_ROK;
    const boundAtMs = this.#deps.clock.now();
    if (isBound) {
      this.#lastError = null;
      this.#refusals = 0;
      this.#enter('bound');
    } else {
      link.close();
    }
    const cause = await ended;
    signal.removeEventListener('abort', abort);
    if (isBound) return { kind: 'ended', cause, boundMs: this.#deps.clock.now() - boundAtMs };
    return answer.kind === 'answered' ? { kind: 'refused', status: answer.status } : { kind: 'no_answer' };
  }

  async #connect(signal: AbortSignal): Promise<Duplex | null> {
    const { hosts, tls, connectTimeoutMs } = this.options;
    const host = hosts[this.#hostIndex % hosts.length];
    if (host === undefined || signal.aborted) return null;
    if (this.#deps.connect !== undefined) return this.#deps.connect(host).catch(() => null);
    const target = {
      ...host,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
      allowHalfOpen: true,
    };
    return new Promise((resolve) => {
      const socket =
        tls === null
          ? connectTcp(target)
          : connectTls({ ...target, ...tls, minVersion: 'TLSv1.2', rejectUnauthorized: true });
      const settle = (connected: Socket | null): void => {
        cancelTimer();
        signal.removeEventListener('abort', giveUp);
        if (connected === null) socket.destroy();
        resolve(connected);
      };
      const giveUp = (): void => settle(null);
      const cancelTimer = this.#deps.clock.after(connectTimeoutMs, giveUp);
      signal.addEventListener('abort', giveUp, { once: true });
      socket.on('error', (error: NodeJS.ErrnoException) => {
        this.#lastError = error.code ?? error.message;
        giveUp();
      });
      socket.once(tls === null ? 'connect' : 'secureConnect', () => settle(socket));
    });
  }

  #createLink(socket: Duplex, onClosed: (cause: CloseCause) => void): Link {
    const { clock, log, metrics, onMessage, onWire } = this.#deps;
    const bind = this.options.name;
    return new Link(
      { ...this.options, role: 'esme' },
      {
        socket,
        clock,
        rate: this.rate,
        events: {
          message: onMessage,
          closed: (cause, detail) => {
            if (cause !== 'closed_here') this.#lastError = detail ?? cause;
            onClosed(cause);
          },
          irregular: (reason) => metrics.count('smpp_irregular_pdus_total', { bind, reason }),
          answered: (command, answerStatus, waitedMs) => {
            metrics.count('smpp_pdus_total', { bind, command, status: answerStatus.toString() });
            metrics.observe('smpp_response_seconds', waitedMs / 1000, { bind, command });
          },
          timedOut: () => metrics.count('smpp_response_timeouts_total', { bind }),
          dropped: (reason) => metrics.count('smpp_queue_dropped_total', { bind, reason }),
          failed: (error) => log.error('smpp_pdu_failed', { bind }, error),
          ...(onWire === undefined ? {} : { wire: onWire }),
        },
      },
    );
  }

  /** Everything new after the wait; the wait is random between half and all of its bound, so that binds do not come in step. */
  #waitAfter(end: SessionEnd): DurationMs {
    const { random, log } = this.#deps;
    if (end.kind === 'ended' && end.boundMs >= STABLE_AFTER_MS) this.#failures = 0;
    if (end.kind === 'ended' && end.cause === 'peer_unbound') return AFTER_UNBIND_MS;
    if (end.kind === 'refused') this.#lastError = `bind refused with status ${end.status}`;
    if (end.kind === 'no_answer') this.#lastError = 'bind not answered';
    if (end.kind === 'refused' && LASTING_REFUSALS.has(end.status)) {
      const waitMs = Math.min(REFUSED_MAX_MS, REFUSED_FIRST_MS * 2 ** this.#refusals);
      this.#refusals += 1;
      log.error('smpp_bind_refused', { bind: this.options.name, status: end.status, retryInMs: waitMs });
      return waitMs;
    }
    this.#hostIndex += 1;
    const boundMs = Math.min(BACKOFF_MAX_MS, 1000 * 2 ** Math.min(this.#failures, 6));
    this.#failures += 1;
    const waitMs = Math.round(boundMs / 2 + (random() * boundMs) / 2);
    const isStillCounted = end.kind === 'refused' && end.status === status.ESME_RALYBND;
    return isStillCounted ? Math.max(ALREADY_BOUND_MIN_MS, waitMs) : waitMs;
  }

  #enter(state: BindState): void {
    this.#state = state;
    this.#since = this.#deps.clock.wall();
    this.#deps.log.info('smpp_bind_state', { bind: this.options.name, state, lastError: this.#lastError });
  }
}

function causeOf(end: SessionEnd): string {
  return end.kind === 'ended' ? end.cause : end.kind;
}
