/**
 * An SMSC and USSD gateway on real TCP: it accepts binds, carries dialogs and messages between phones and whoever is
 * bound, and misbehaves when told to. It checks what it receives and remembers what was wrong in `problems`.
 *
 * ```ts
 * const smsc = await startSmsc({ port: 0 });
 * const call = smsc.dial('221770000001', '*123*4567#');
 * const quote = await call.nextScreen();
 * const paid = await call.answer('1');
 * ```
 */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { bindDefaults } from '../src/smpp/bind.ts';
import { type BindCommand, status, tlvTag, UDH_INDICATOR } from '../src/smpp/command.ts';
import { decodeText, encodeText, splitSms } from '../src/smpp/data-coding.ts';
import { encodeMessage, type OutgoingMessage, type PduView, viewPdu } from '../src/smpp/framer.ts';
import { type AnswerMessage, Link } from '../src/smpp/link.ts';
import type { MessagePdu } from '../src/smpp/pdu-check.ts';
import { createSendingRate } from '../src/smpp/sending-rate.ts';
import { type Clock, type DurationMs, systemClock, type UnixMs } from '../src/time.ts';
import { type DeliverOutcome, maskMsisdn, UssdCall } from './smsc-call.ts';
import { createInboxes, type InboxMessage } from './smsc-inbox.ts';
import { Mailbox } from './smsc-mailbox.ts';

/** One PDU as it passed, seen from the simulator. Numbers of phones stand in it in full: mask them before they are shown. */
export interface WireEvent {
  readonly at: UnixMs;
  /** `in`: from Relais. */
  readonly direction: 'in' | 'out';
  readonly systemId: string | null;
  readonly pdu: PduView;
  readonly hex: string;
}

export interface SmscOptions {
  /** 0 takes any free port. */
  readonly port: number;
  readonly host?: string;
  /** Who may bind with which password; default: anyone. */
  readonly accounts?: Readonly<Record<string, string>>;
  /** The number dialogs and messages are for; default `123`. */
  readonly serviceCode?: string;
  /** data_coding of dialed strings and keys; default 15, as USSD centres send it. */
  readonly ussdDataCoding?: number;
  /** What is said of an SMS that asks for a receipt; default `DELIVRD`; null says nothing. */
  readonly receipts?: 'DELIVRD' | 'UNDELIV' | null;
  readonly clock?: Clock;
  readonly onWire?: (event: WireEvent) => void;
}

/** What goes wrong, changed at any time. All off at the start. */
export interface SmscFaults {
  /** So many submit_sm are answered ESME_RTHROTTLED; Infinity for all. */
  throttleNext: number;
  /** The status every submit_sm is answered with; 0 carries it on. */
  submitStatus: number;
  /** submit_sm are taken and never answered, nor shown. */
  isSilent: boolean;
  /** Screens are taken and shown, but their answer is lost. */
  losesAnswers: boolean;
  /** The status of the answer to every bind, 0 for yes. */
  bindStatus: number;
  /** Every dialog's requests carry no session id. */
  hasNoSessionId: boolean;
  /** Every dialed string and key is sent twice. */
  doublesRequests: boolean;
}

export interface SmscCounts {
  binds: number;
  dials: number;
  screens: number;
  smsOut: number;
  smsIn: number;
  receipts: number;
  /** submit_sm refused, throttled ones included. */
  refused: number;
}

export interface Smsc {
  readonly port: number;
  readonly faults: SmscFaults;
  readonly counts: Readonly<SmscCounts>;
  /** Whatever Relais sent that a real gateway could have refused or shown wrong; empty is good. */
  readonly problems: readonly string[];
  /** Resolves when someone is bound to receive. @throws Error after `timeoutMs`, default 10 s */
  bound(timeoutMs?: DurationMs): Promise<void>;
  /** system_id of each bind. */
  binds(): readonly string[];
  /** Opens a dialog; a phone has one at a time, the older one is hung up silently. */
  dial(msisdn: string, dialed: string, options?: { readonly twice?: boolean }): UssdCall;
  /** Sends an SMS from a phone, in parts if it is long. Resolves to the status of the last answer, null without one. */
  text(msisdn: string, to: string, text: string): Promise<DeliverOutcome>;
  inbox(msisdn: string): readonly InboxMessage[];
  /** The next SMS of a phone that has not been taken. @throws Error after `timeoutMs`, default 10 s */
  nextMessage(msisdn: string, timeoutMs?: DurationMs): Promise<InboxMessage>;
  /** Sends octets as they are to everyone bound. */
  sendRaw(octets: Buffer): void;
  /** Cuts every connection, as a cable does. */
  cut(): void;
  close(): Promise<void>;
}

interface Session {
  readonly link: Link;
  readonly socket: Socket;
  systemId: string | null;
  canReceive: boolean;
}

const WAIT_MS = 10_000;
const DELIVER_EXPIRY_MS = 10_000;

/** Starts listening. */
export async function startSmsc(options: SmscOptions): Promise<Smsc> {
  const smsc = new SimulatedSmsc(options);
  await smsc.listen();
  return smsc;
}

class SimulatedSmsc implements Smsc {
  readonly faults: SmscFaults = {
    throttleNext: 0,
    submitStatus: status.ESME_ROK,
    isSilent: false,
    losesAnswers: false,
    bindStatus: status.ESME_ROK,
    hasNoSessionId: false,
    doublesRequests: false,
  };
  readonly counts: SmscCounts = { binds: 0, dials: 0, screens: 0, smsOut: 0, smsIn: 0, receipts: 0, refused: 0 };
  readonly problems: string[] = [];
  readonly #options: SmscOptions;
  readonly #clock: Clock;
  readonly #serviceCode: string;
  readonly #sessions = new Set<Session>();
  readonly #calls = new Map<string, UssdCall>();
  readonly #inboxes;
  readonly #server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => this.#accept(socket));
  #binds: Mailbox<true>[] = [];
  #nextSession = 1;
  #nextMessageId = 1;
  #nextReceiver = 0;
  #reference = 0;

  constructor(options: SmscOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#serviceCode = options.serviceCode ?? '123';
    this.#inboxes = createInboxes(this.#clock);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  listen(): Promise<void> {
    const { port, host = '127.0.0.1' } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => resolve());
    });
  }

  binds(): readonly string[] {
    return [...this.#sessions].flatMap((session) => session.systemId ?? []);
  }

  async bound(timeoutMs: DurationMs = WAIT_MS): Promise<void> {
    if ([...this.#sessions].some((session) => session.canReceive)) return;
    const mailbox = new Mailbox<true>('bind', this.#clock);
    this.#binds.push(mailbox);
    await mailbox.take(timeoutMs);
  }

  dial(msisdn: string, dialed: string, options: { readonly twice?: boolean } = {}): UssdCall {
    this.counts.dials += 1;
    this.#calls.get(msisdn)?.hangUp({ silently: true });
    const call: UssdCall = new UssdCall(
      {
        msisdn,
        dialed,
        session: this.faults.hasNoSessionId ? null : this.#takeSession(),
        serviceCode: this.#serviceCode,
        dataCoding: this.#options.ussdDataCoding ?? 15,
      },
      {
        clock: this.#clock,
        deliver: (message) => this.#deliverRequest(message),
        onProblem: (problem) => this.problems.push(problem),
        onOver: () => {
          if (this.#calls.get(msisdn) === call) this.#calls.delete(msisdn);
        },
      },
    );
    this.#calls.set(msisdn, call);
    void call.begin(options.twice === true);
    return call;
  }

  async text(msisdn: string, to: string, text: string): Promise<DeliverOutcome> {
    this.counts.smsIn += 1;
    this.#reference = (this.#reference + 1) & 0xff;
    const encoded = encodeText(text, null);
    let outcome: DeliverOutcome = null;
    for (const part of splitSms(encoded, this.#reference, 255) ?? []) {
      outcome = await this.#deliver({
        serviceType: '',
        source: { ton: 1, npi: 1, addr: msisdn },
        destination: { ton: 0, npi: 0, addr: to },
        esmClass: part.hasHeader ? UDH_INDICATOR : 0,
        registeredDelivery: 0,
        dataCoding: encoded.alphabet === 'ucs2' ? 8 : 0,
        validityPeriod: '',
        octets: part.octets,
        tlvs: [],
      });
    }
    return outcome;
  }

  inbox(msisdn: string): readonly InboxMessage[] {
    return this.#inboxes.all(msisdn);
  }

  nextMessage(msisdn: string, timeoutMs: DurationMs = WAIT_MS): Promise<InboxMessage> {
    return this.#inboxes.next(msisdn, timeoutMs);
  }

  sendRaw(octets: Buffer): void {
    for (const session of this.#sessions) session.socket.write(octets);
  }

  cut(): void {
    for (const session of this.#sessions) session.socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    for (const call of [...this.#calls.values()]) call.hangUp({ silently: true });
    for (const session of this.#sessions) session.link.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #takeSession(): number {
    const taken = this.#nextSession;
    this.#nextSession = taken === 0xffff ? 1 : taken + 1;
    return taken;
  }

  #accept(socket: Socket): void {
    const { onWire } = this.#options;
    const link = new Link(
      { ...bindDefaults, role: 'smsc' },
      {
        socket,
        clock: this.#clock,
        rate: createSendingRate(0, this.#clock),
        events: {
          message: (pdu, answer) => this.#submit(pdu, answer),
          bind: (command, frame, answer) => this.#bind(session, command, frame.octets, answer),
          closed: () => this.#sessions.delete(session),
          irregular: (reason) => this.problems.push(`irregular PDU: ${reason}`),
          answered: () => {},
          timedOut: (command) => this.problems.push(`no answer to ${command}`),
          dropped: () => {},
          failed: (error) => this.problems.push(`failed: ${String(error)}`),
          ...(onWire === undefined
            ? {}
            : { wire: (direction, octets) => onWire(this.#view(session, direction, octets)) }),
        },
      },
    );
    const session: Session = { link, socket, systemId: null, canReceive: false };
    this.#sessions.add(session);
  }

  #view(session: Session, direction: 'in' | 'out', octets: Buffer): WireEvent {
    return {
      at: this.#clock.wall(),
      direction,
      systemId: session.systemId,
      pdu: viewPdu(octets),
      hex: octets.toString('hex'),
    };
  }

  #bind(session: Session, command: BindCommand, octets: Buffer, answer: AnswerMessage): void {
    const [systemId = '', password = ''] = octets.toString('latin1', 16).split('\0');
    const { accounts } = this.#options;
    if (session.systemId !== null) return answer(status.ESME_RALYBND);
    if (this.faults.bindStatus !== status.ESME_ROK) return answer(this.faults.bindStatus);
    if (accounts !== undefined && accounts[systemId] === undefined) return answer(status.ESME_RINVSYSID);
    if (accounts !== undefined && accounts[systemId] !== password) return answer(status.ESME_RINVPASWD);
    this.counts.binds += 1;
    session.systemId = systemId;
    session.canReceive = command !== 'bind_transmitter';
    answer(status.ESME_ROK, 'simulated');
    session.link.setBound();
    if (session.canReceive) for (const waiting of this.#binds.splice(0)) waiting.put(true);
  }

  #submit(pdu: MessagePdu, answer: AnswerMessage): void {
    if (this.faults.isSilent) return;
    const isThrottled = this.faults.throttleNext > 0;
    const refusal = isThrottled ? status.ESME_RTHROTTLED : this.faults.submitStatus;
    if (isThrottled) this.faults.throttleNext -= 1;
    if (refusal !== status.ESME_ROK) {
      this.counts.refused += 1;
      return answer(refusal);
    }
    if (pdu.rawTlvs.has(tlvTag.ussd_service_op)) this.#submitScreen(pdu, answer);
    else this.#submitSms(pdu, answer);
  }

  #submitScreen(pdu: MessagePdu, answer: AnswerMessage): void {
    const msisdn = pdu.destination.addr;
    if (this.#calls.get(msisdn)?.show(pdu) !== true) {
      this.counts.refused += 1;
      return answer(status.ESME_RSUBMITFAIL);
    }
    this.counts.screens += 1;
    if (!this.faults.losesAnswers) answer(status.ESME_ROK, this.#takeMessageId());
  }

  #submitSms(pdu: MessagePdu, answer: AnswerMessage): void {
    const msisdn = pdu.destination.addr;
    const messageId = this.#takeMessageId();
    this.counts.smsOut += 1;
    for (const problem of this.#inboxes.take(pdu)) this.problems.push(`${problem}, to ${maskMsisdn(msisdn)}`);
    if (!this.faults.losesAnswers) answer(status.ESME_ROK, messageId);
    const { receipts = 'DELIVRD' } = this.#options;
    if (receipts !== null && (pdu.registeredDelivery & 1) === 1) void this.#sendReceipt(pdu, messageId, receipts);
  }

  #takeMessageId(): string {
    const taken = this.#nextMessageId;
    this.#nextMessageId += 1;
    return taken.toString(16).padStart(8, '0');
  }

  async #sendReceipt(pdu: MessagePdu, messageId: string, word: 'DELIVRD' | 'UNDELIV'): Promise<void> {
    this.counts.receipts += 1;
    const start = decodeText(pdu.octets, pdu.dataCoding).text.slice(0, 20);
    const text = `id:${messageId} sub:001 dlvrd:${word === 'DELIVRD' ? '001' : '000'} submit date:2611220930 done date:2611220930 stat:${word} err:000 text:${start}`;
    const isDelivered = word === 'DELIVRD';
    await this.#deliver({
      serviceType: '',
      source: pdu.destination,
      destination: pdu.source,
      esmClass: 4,
      registeredDelivery: 0,
      dataCoding: 0,
      validityPeriod: '',
      octets: encodeText(text, 'fr').octets,
      tlvs: [
        { tag: tlvTag.receipted_message_id, value: Buffer.from(`${messageId}\0`, 'latin1') },
        { tag: tlvTag.message_state, value: Buffer.from([isDelivered ? 2 : 5]) },
      ],
    });
  }

  async #deliverRequest(message: OutgoingMessage): Promise<DeliverOutcome> {
    const first = this.#deliver(message);
    if (this.faults.doublesRequests) void this.#deliver(message);
    return first;
  }

  /** By the receiving binds in turn. */
  async #deliver(message: OutgoingMessage): Promise<DeliverOutcome> {
    const receivers = [...this.#sessions].filter((session) => session.canReceive && session.link.isBound);
    this.#nextReceiver += 1;
    const session = receivers[this.#nextReceiver % Math.max(1, receivers.length)];
    if (session === undefined) return null;
    const outcome = await session.link.send({
      command: 'deliver_sm',
      encode: (sequence) => encodeMessage('deliver_sm', sequence, message),
      priority: 'ussd',
      expiresAtMs: this.#clock.now() + DELIVER_EXPIRY_MS,
    });
    return outcome.kind === 'answered' ? outcome.status : null;
  }
}
