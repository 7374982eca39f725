/**
 * One USSD dialog as the subscriber and the network see it.
 */
import { tlvTag } from '../src/smpp/command.ts';
import { decodeText, encodeText, measureText, textLimits } from '../src/smpp/data-coding.ts';
import type { OutgoingMessage, OutgoingTlv } from '../src/smpp/framer.ts';
import type { MessagePdu } from '../src/smpp/pdu-check.ts';
import type { Clock, DurationMs } from '../src/time.ts';
import { Mailbox } from './smsc-mailbox.ts';

/** A text on the phone's screen. */
export interface Screen {
  readonly text: string;
  /** `continue` waits for a key; `end` closes the dialog; `notify` is only shown. */
  readonly kind: 'continue' | 'end' | 'notify';
  readonly alphabet: 'gsm7' | 'ucs2';
  /** Septets or UCS-2 units. */
  readonly units: number;
  /** 182 or 80. */
  readonly limit: number;
  /** From the dialing or the key to this screen. */
  readonly waitedMs: DurationMs;
}

/** How a request of a dialog went: the status of its deliver_sm_resp, or null if there was none. */
export type DeliverOutcome = number | null;

/** What the gateway does for a call. */
export interface CallNetwork {
  readonly clock: Clock;
  readonly deliver: (message: OutgoingMessage) => Promise<DeliverOutcome>;
  readonly onProblem: (problem: string) => void;
  readonly onOver: () => void;
}

export interface CallOptions {
  readonly msisdn: string;
  readonly dialed: string;
  /** its_session_info, 0 to 65535; null sends none. */
  readonly session: number | null;
  readonly serviceCode: string;
  readonly dataCoding: number;
}

const OP = { begin: 1, key: 18, abort: 129 } as const;
const KIND_OF_OP: ReadonlyMap<number, Screen['kind']> = new Map([
  [2, 'continue'],
  [17, 'end'],
  [3, 'notify'],
]);
const SCREEN_TIMEOUT_MS = 10_000;

export class UssdCall {
  readonly msisdn: string;
  /** Every screen so far. */
  readonly screens: Screen[] = [];
  readonly #options: CallOptions;
  readonly #network: CallNetwork;
  readonly #arrived: Mailbox<Screen>;
  #askedAtMs: DurationMs;
  #isOver = false;

  constructor(options: CallOptions, network: CallNetwork) {
    this.msisdn = options.msisdn;
    this.#options = options;
    this.#network = network;
    this.#askedAtMs = network.clock.now();
    this.#arrived = new Mailbox('screen', network.clock);
  }

  /** Ended by a last screen, by hanging up, or by the network. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Sends the dialed string; `twice` sends the same PDU again, as gateways do. */
  async begin(twice: boolean): Promise<void> {
    await Promise.all((twice ? [1, 2] : [1]).map(() => this.#send(OP.begin, this.#options.dialed)));
  }

  /**
   * The next screen that has not been taken.
   *
   * @throws Error if none comes in time (default 10 s), the dialog is over, or the request was refused
   */
  nextScreen(timeoutMs: DurationMs = SCREEN_TIMEOUT_MS): Promise<Screen> {
    return this.#arrived.take(timeoutMs);
  }

  /** Answers a screen and waits for the next one. */
  async answer(text: string, timeoutMs: DurationMs = SCREEN_TIMEOUT_MS): Promise<Screen> {
    this.key(text);
    return this.nextScreen(timeoutMs);
  }

  /** Keys a text in; `twice` sends it as two PDUs, as when the link is lost before the answer. */
  key(text: string, options: { readonly twice?: boolean } = {}): void {
    this.#askedAtMs = this.#network.clock.now();
    void this.#send(OP.key, text);
    if (options.twice === true) void this.#send(OP.key, text);
  }

  /** The subscriber hangs up. `silently`: the gateway does not tell. */
  hangUp(options: { readonly silently?: boolean } = {}): void {
    if (options.silently !== true) void this.#send(OP.abort, '');
    this.#over(new Error('the subscriber hung up'));
  }

  /** The network ends the dialog and says so. */
  networkAbort(): void {
    void this.#send(OP.abort, '');
    this.#over(new Error('the network ended the dialog'));
  }

  /** A submit_sm for this dialog. Returns false if the dialog is over: the gateway refuses it. */
  show(pdu: MessagePdu): boolean {
    if (this.#isOver || this.#isForAnEarlierCall(pdu)) return false;
    const { text, damaged } = decodeText(pdu.octets, pdu.dataCoding);
    const kind = KIND_OF_OP.get(pdu.tlvs.ussd_service_op ?? -1) ?? 'continue';
    const { alphabet } = measureText(text);
    const sent = pdu.dataCoding === 8 || pdu.dataCoding === 0x48 ? 'ucs2' : 'gsm7';
    const units = sent === 'gsm7' ? pdu.octets.length : pdu.octets.length / 2;
    const screen = {
      text,
      kind,
      alphabet: sent,
      units,
      limit: textLimits.ussd[sent],
      waitedMs: this.#network.clock.now() - this.#askedAtMs,
    } as const;
    this.#check(pdu, screen, damaged, alphabet);
    this.screens.push(screen);
    this.#arrived.put(screen);
    if (kind === 'end') this.#over(new Error('the dialog is over'));
    return true;
  }

  /** Dialogs are numbered upwards: a late screen of one that the subscriber has left is not shown in the next one. */
  #isForAnEarlierCall(pdu: MessagePdu): boolean {
    const session = pdu.tlvs.its_session_info?.readUInt16BE(0);
    return session !== undefined && this.#options.session !== null && session < this.#options.session;
  }

  #check(pdu: MessagePdu, screen: Screen, isDamaged: boolean, needed: Screen['alphabet']): void {
    const problem = (what: string): void => this.#network.onProblem(`screen to ${maskMsisdn(this.msisdn)}: ${what}`);
    const session = pdu.tlvs.its_session_info?.readUInt16BE(0) ?? null;
    if (session !== this.#options.session) problem(`its_session_info ${session} is not ${this.#options.session}`);
    if (!KIND_OF_OP.has(pdu.tlvs.ussd_service_op ?? -1))
      problem(`ussd_service_op ${pdu.tlvs.ussd_service_op} means nothing here`);
    if (screen.units > screen.limit) problem(`${screen.units} units are over the limit of ${screen.limit}`);
    if (isDamaged) problem('octets that do not fit the data_coding');
    if (screen.alphabet === 'ucs2' && needed === 'gsm7') problem('UCS-2 for a text that is GSM-7');
    if (pdu.registeredDelivery !== 0) problem('registered_delivery on a USSD text');
    if (pdu.source.addr !== this.#options.serviceCode) problem('source address is not the service code');
  }

  async #send(op: number, text: string): Promise<void> {
    const { msisdn, serviceCode, session, dataCoding } = this.#options;
    const tlvs: OutgoingTlv[] = [{ tag: tlvTag.ussd_service_op, value: Buffer.from([op]) }];
    if (session !== null)
      tlvs.push({ tag: tlvTag.its_session_info, value: Buffer.from([session >> 8, session & 0xff]) });
    const encoded = encodeText(text, null);
    const outcome = await this.#network.deliver({
      serviceType: 'USSD',
      source: { ton: 1, npi: 1, addr: msisdn },
      destination: { ton: 0, npi: 0, addr: serviceCode },
      esmClass: 0,
      registeredDelivery: 0,
      dataCoding: encoded.alphabet === 'ucs2' ? 0x48 : dataCoding,
      validityPeriod: '',
      octets: encoded.octets,
      tlvs,
    });
    if (outcome !== 0 && op !== OP.abort)
      this.#over(new Error(outcome === null ? 'no answer to the request' : `refused with status ${outcome}`));
  }

  #over(reason: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#arrived.close(reason);
    this.#network.onOver();
  }
}

/** A number as it may stand in a log: the last three digits. */
export function maskMsisdn(msisdn: string): string {
  return `***${msisdn.slice(-3)}`;
}
