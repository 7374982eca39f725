/**
 * An account at a centre: its binds as a group, one dialect, and what the rooms `ussd/` and `sms/` see of the wire.
 */
import { type Clock, type DurationMs, pause } from '../time.ts';
import {
  Bind,
  type BindDeps,
  type BindOptions,
  type BindStatus,
  bindDefaults,
  type SmppLog,
  type SmppMetrics,
} from './bind.ts';
import { status } from './command.ts';
import { encodeMessage, type OutgoingMessage } from './framer.ts';
import type { Dialect } from './gateway-profile.ts';
import { type Inbound, readInbound, type SmsMessage, type SmsReceipt, type UssdRequest } from './inbound.ts';
import type { AnswerMessage } from './link.ts';
import { type ScreenText, type SmsText, smsMessages, ussdMessage } from './outbound.ts';
import type { MessagePdu, SmppAddress } from './pdu-check.ts';
import type { Priority, RequestOutcome } from './window.ts';

/** A screen for the subscriber. */
export interface UssdReply extends ScreenText {
  /** On `clock.now()`: later than this it is not written any more. */
  readonly replyByMs: DurationMs;
}

/**
 * What became of a screen. `taken`: the gateway has it. `gone`: the dialog is over there. `unsuited`: the gateway does
 * not understand our PDU, a matter of the dialect. `unknown`: no answer or the link was lost; it may have been shown,
 * so it is never sent again. `not_sent`: provably not shown: no bind, queue full, throttled, or the deadline passed.
 */
export type UssdOutcome = 'taken' | 'gone' | 'unsuited' | 'unknown' | 'not_sent';

/** An SMS of ours. */
export interface SmsToSend extends SmsText {
  /** On `clock.now()`: of what has not begun to be written by then nothing is written. Default: 30 s from now. */
  readonly sendByMs?: DurationMs;
}

/**
 * What became of an SMS. `accepted`: ids as the centre gave them, one a part; fewer where it gave none. `refused`:
 * `permanent` false is worth another try later; `status` null means that it never left us, as when `sendByMs` passed.
 * `unknown`: it may be on its way.
 */
export type SmsOutcome =
  | { readonly kind: 'accepted'; readonly messageIds: readonly string[] }
  | { readonly kind: 'refused'; readonly status: number | null; readonly permanent: boolean }
  | { readonly kind: 'unknown' };

export type BindSettings = Pick<BindOptions, 'name' | 'hosts' | 'systemId' | 'password'> & Partial<BindOptions>;

export interface AccountOptions {
  readonly name: string;
  readonly dialect: Dialect;
  readonly binds: readonly BindSettings[];
  /** `balance`: fewest unanswered, throttled ones last. `failover`: the first bound one in order. Default `balance`. */
  readonly policy?: 'balance' | 'failover';
  /** Sender of our SMS. */
  readonly smsSource: SmppAddress;
  /** USSD requests whose listener has not finished; more are answered ESME_RX_R_APPN. Default 5000. */
  readonly maxDialogs?: number;
  /** SMS and receipts whose listener has not finished; more are answered ESME_RX_T_APPN. Default 1000. */
  readonly maxMessages?: number;
  /** Time the listener of an SMS has before the centre is asked to deliver again. Default 5000. */
  readonly smsAnswerMs?: DurationMs;
}

export interface AccountDeps {
  readonly clock: Clock;
  /** 0 <= x < 1. */
  readonly random: () => number;
  readonly log: SmppLog;
  readonly metrics: SmppMetrics;
  /** Sees each message PDU and what it was taken for, before it is acted on: for captures and tests. */
  readonly tap?: (pdu: MessagePdu, inbound: Inbound) => void;
  /** Sees each whole PDU of each bind as it passes. */
  readonly onWire?: (bind: string, direction: 'in' | 'out', octets: Buffer) => void;
  /** How a connection is made; default TCP or TLS. A simulation hands in a network of its own. */
  readonly connect?: BindDeps['connect'];
}

export interface SmppAccount {
  readonly name: string;
  /** Starts all binds. */
  start(): void;
  /** Waits for answers, unbinds and stops; replies may still be sent meanwhile. */
  stop(): Promise<void>;
  /** The one listener of USSD. The request has been acknowledged before; a rejection is logged and counted, no more. */
  onUssd(listener: (request: UssdRequest) => Promise<void>): void;
  /** The one listener of SMS. Acknowledged when its promise resolves: durable, or refused by a rule. Rejected or late: the centre delivers again. */
  onSms(listener: (message: SmsMessage) => Promise<void>): void;
  /** The one listener of receipts; acknowledged like an SMS. */
  onReceipt(listener: (receipt: SmsReceipt) => Promise<void>): void;
  /** Sends a screen. @throws Bug if the text is over the hard limit. */
  sendUssd(reply: UssdReply): Promise<UssdOutcome>;
  /** Sends an SMS in at most three parts. @throws Bug if it needs more; Fault `bad_address` (happened: no). */
  sendSms(message: SmsToSend): Promise<SmsOutcome>;
  status(): readonly BindStatus[];
}

const THROTTLED: ReadonlySet<number> = new Set([status.ESME_RTHROTTLED, status.ESME_RMSGQFUL]);
const TEMPORARY: ReadonlySet<number> = new Set([...THROTTLED, status.ESME_RSYSERR, status.ESME_RX_T_APPN]);
const USSD_RETRY_MS = [0, 100, 200, 400] as const;
const SMS_EXPIRY_MS = 30_000;
const SMS_RETRY_FIRST_MS = 1000;

/** An account. Nothing is connected before `start`. */
export function createAccount(options: AccountOptions, deps: AccountDeps): SmppAccount {
  const receiver = createReceiver(options, deps);
  const binds = options.binds.map((settings) => {
    const bindOptions: BindOptions = { ...bindDefaults, ...settings };
    return new Bind(bindOptions, bindDeps(bindOptions.name, deps, receiver.receive));
  });
  const sender = createSender(options, deps, binds);
  return {
    name: options.name,
    start: () => {
      for (const bind of binds) bind.start();
    },
    stop: async () => {
      await Promise.all(binds.map((bind) => bind.stop()));
    },
    onUssd: (listener) => {
      receiver.listeners.ussd = listener;
    },
    onSms: (listener) => {
      receiver.listeners.sms = listener;
    },
    onReceipt: (listener) => {
      receiver.listeners.receipt = listener;
    },
    sendUssd: sender.sendUssd,
    sendSms: sender.sendSms,
    status: () => binds.map((bind) => bind.status()),
  };
}

function bindDeps(bind: string, deps: AccountDeps, receive: Receive): BindDeps {
  const { clock, random, log, metrics, onWire, connect } = deps;
  return {
    clock,
    random,
    log,
    metrics,
    onMessage: (pdu, answer) => receive(bind, pdu, answer),
    ...(connect === undefined ? {} : { connect }),
    ...(onWire === undefined ? {} : { onWire: (direction, octets) => onWire(bind, direction, octets) }),
  };
}

type Receive = (bind: string, pdu: MessagePdu, answer: AnswerMessage) => void;

interface Listeners {
  ussd: ((request: UssdRequest) => Promise<void>) | null;
  sms: ((message: SmsMessage) => Promise<void>) | null;
  receipt: ((receipt: SmsReceipt) => Promise<void>) | null;
}

function createReceiver(
  options: AccountOptions,
  deps: AccountDeps,
): { readonly receive: Receive; readonly listeners: Listeners } {
  const { maxDialogs = 5000, maxMessages = 1000, smsAnswerMs = 5000 } = options;
  const listeners: Listeners = { ussd: null, sms: null, receipt: null };
  const busy = { ussd: 0, sms: 0 };

  const receiveUssd = (request: UssdRequest, answer: AnswerMessage): void => {
    const { ussd: listener } = listeners;
    if (listener === null || busy.ussd >= maxDialogs) return answer(status.ESME_RX_R_APPN);
    answer(status.ESME_ROK);
    busy.ussd += 1;
    void guard(() => listener(request), 'ussd_request_failed').then(() => {
      busy.ussd -= 1;
    });
  };
  /** True when the listener is done, false when it failed. */
  const guard = async (run: () => Promise<void>, event: string): Promise<boolean> => {
    try {
      await run();
      return true;
    } catch (error) {
      deps.log.error(event, { account: options.name }, error);
      return false;
    }
  };
  const receiveMessage = (run: (() => Promise<void>) | null, answer: AnswerMessage): void => {
    if (run === null || busy.sms >= maxMessages) return answer(status.ESME_RX_T_APPN);
    busy.sms += 1;
    const cancelTimer = deps.clock.after(smsAnswerMs, () => answer(status.ESME_RX_T_APPN));
    void guard(run, 'sms_message_failed').then((isDone) => {
      busy.sms -= 1;
      cancelTimer();
      answer(isDone ? status.ESME_ROK : status.ESME_RX_T_APPN);
    });
  };
  const receive: Receive = (bind, pdu, answer) => {
    const inbound = readInbound(pdu, { account: options.name, bind }, options.dialect);
    deps.tap?.(pdu, inbound);
    switch (inbound.channel) {
      case 'ussd':
        return receiveUssd(inbound.request, answer);
      case 'sms':
        return receiveMessage(bindListener(listeners.sms, inbound.message), answer);
      case 'receipt':
        return receiveMessage(bindListener(listeners.receipt, inbound.receipt), answer);
      case 'nothing':
        if (inbound.reason !== null) deps.metrics.count('smpp_irregular_pdus_total', { bind, reason: inbound.reason });
        return answer(inbound.status);
    }
  };
  return { receive, listeners };
}

function bindListener<Value>(
  listener: ((value: Value) => Promise<void>) | null,
  value: Value,
): (() => Promise<void>) | null {
  return listener === null ? null : () => listener(value);
}

type Sender = Pick<SmppAccount, 'sendUssd' | 'sendSms'>;

function createSender(options: AccountOptions, deps: AccountDeps, binds: readonly Bind[]): Sender {
  const { dialect } = options;
  const { clock } = deps;
  const choose = createChoice(options, binds);
  let reference = Math.floor(deps.random() * 256);

  /** One attempt at each bind that may take it, until one of them says more than "slow down" or "not here". */
  const attempt = async (
    message: OutgoingMessage,
    priority: Priority,
    expiresAtMs: DurationMs,
    cameOn: string | null,
  ): Promise<RequestOutcome> => {
    const tried = new Set<Bind>();
    let outcome: RequestOutcome = { kind: 'not_sent', why: 'closed' };
    for (let bind = choose(cameOn, tried); bind !== null; bind = choose(cameOn, tried)) {
      tried.add(bind);
      const encode = (sequence: number): Buffer => encodeMessage('submit_sm', sequence, message);
      outcome = await bind.send({ command: 'submit_sm', encode, priority, expiresAtMs });
      const isThrottled = outcome.kind === 'answered' && THROTTLED.has(outcome.status);
      if (isThrottled) {
        bind.rate.slowDown();
        deps.metrics.count('smpp_throttled_total', { bind: bind.options.name });
      } else if (outcome.kind !== 'not_sent') {
        return outcome;
      }
    }
    return outcome;
  };

  const sendUssd = async (reply: UssdReply): Promise<UssdOutcome> => {
    const message = ussdMessage(reply, dialect);
    if (message === null) return 'unsuited';
    let throttledTimes = 0;
    for (let tries = 0; ; tries += 1) {
      const waitMs = USSD_RETRY_MS[Math.min(tries, USSD_RETRY_MS.length - 1)] ?? 0;
      if (waitMs > 0) await pause(clock, waitMs);
      if (clock.now() >= reply.replyByMs) return 'not_sent';
      const outcome = await attempt(message, 'ussd', reply.replyByMs, reply.echo.bind);
      if (outcome.kind === 'unknown') return 'unknown';
      // Nobody is bound: a bind may come back before the deadline.
      if (outcome.kind === 'not_sent' && outcome.why === 'closed') continue;
      if (outcome.kind === 'not_sent') return 'not_sent';
      if (!THROTTLED.has(outcome.status)) return ussdOutcomeOf(outcome, options.name, deps);
      throttledTimes += 1;
      if (throttledTimes === USSD_RETRY_MS.length) return 'not_sent';
    }
  };

  const sendPart = async (message: OutgoingMessage, sendByMs: DurationMs): Promise<RequestOutcome> => {
    const expiresAtMs = Math.min(sendByMs, clock.now() + SMS_EXPIRY_MS);
    for (let waitMs = SMS_RETRY_FIRST_MS; ; waitMs *= 2) {
      const outcome = await attempt(message, 'sms', expiresAtMs, null);
      const isThrottled = outcome.kind === 'answered' && THROTTLED.has(outcome.status);
      if (!isThrottled || clock.now() + waitMs >= expiresAtMs) return outcome;
      await pause(clock, waitMs);
    }
  };

  const sendSms = async (sms: SmsToSend): Promise<SmsOutcome> => {
    reference = (reference + 1) & 0xff;
    const messageIds: string[] = [];
    let sendByMs = sms.sendByMs ?? Number.POSITIVE_INFINITY;
    for (const message of smsMessages(sms, reference, options)) {
      const outcome = await sendPart(message, sendByMs);
      // Half a text is worse than a late one.
      sendByMs = Number.POSITIVE_INFINITY;
      if (outcome.kind === 'unknown') return { kind: 'unknown' };
      if (outcome.kind === 'not_sent') return { kind: 'refused', status: null, permanent: false };
      if (outcome.status !== status.ESME_ROK) {
        return { kind: 'refused', status: outcome.status, permanent: !TEMPORARY.has(outcome.status) };
      }
      if (outcome.text !== null) messageIds.push(outcome.text);
    }
    return { kind: 'accepted', messageIds };
  };
  return { sendUssd, sendSms };
}

/** The next bind for a message, or null; `cameOn` is preferred among equals and binding with affinity `bind`. */
function createChoice(
  options: AccountOptions,
  binds: readonly Bind[],
): (cameOn: string | null, tried: ReadonlySet<Bind>) => Bind | null {
  const { policy = 'balance', dialect } = options;
  return (cameOn, tried) => {
    const own = binds.find((bind) => bind.options.name === cameOn);
    const isTied = dialect.affinity === 'bind' && own?.options.kind === 'transceiver';
    const candidates = (isTied && own !== undefined ? [own] : binds).filter((bind) => bind.canSend && !tried.has(bind));
    const [first] = candidates;
    if (first === undefined || policy === 'failover') return first ?? null;
    const cost = (bind: Bind): number =>
      (bind.rate.isThrottled() ? 1_000_000 : 0) + bind.load + (bind === own ? 0 : 0.5);
    return candidates.reduce((best, bind) => (cost(bind) < cost(best) ? bind : best));
  };
}

function ussdOutcomeOf(
  outcome: RequestOutcome & { readonly kind: 'answered' },
  account: string,
  deps: AccountDeps,
): UssdOutcome {
  if (outcome.status === status.ESME_ROK) return 'taken';
  const isUnsuited =
    outcome.isNack || (outcome.status >= status.ESME_RINVTLVSTREAM && outcome.status <= status.ESME_RINVTLVVAL);
  if (!isUnsuited) return 'gone';
  deps.log.error('dialect_error', { account, status: outcome.status });
  return 'unsuited';
}
