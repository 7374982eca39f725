/**
 * What the phones of the simulated network have received by SMS: parts put together, octets decoded.
 */
import { decodeText, textLimits } from '../src/smpp/data-coding.ts';
import type { MessagePdu } from '../src/smpp/pdu-check.ts';
import type { Clock, DurationMs, UnixMs } from '../src/time.ts';
import { Mailbox } from './smsc-mailbox.ts';

/** An SMS on a phone. */
export interface InboxMessage {
  readonly from: string;
  readonly text: string;
  readonly alphabet: 'gsm7' | 'ucs2';
  /** Septets or UCS-2 units of the whole text. */
  readonly units: number;
  readonly parts: number;
  readonly at: UnixMs;
}

export interface Inboxes {
  /** Takes a submit_sm; tells what is wrong with it, if anything. */
  take(pdu: MessagePdu): readonly string[];
  all(msisdn: string): readonly InboxMessage[];
  /** The next message of a phone that has not been taken. @throws Error if none comes in time */
  next(msisdn: string, timeoutMs: DurationMs): Promise<InboxMessage>;
}

interface Phone {
  readonly messages: InboxMessage[];
  readonly arrived: Mailbox<InboxMessage>;
  readonly parts: Map<string, (MessagePdu | undefined)[]>;
}

export function createInboxes(clock: Clock): Inboxes {
  const phones = new Map<string, Phone>();
  const phoneOf = (msisdn: string): Phone => {
    const known = phones.get(msisdn);
    if (known !== undefined) return known;
    const phone: Phone = { messages: [], arrived: new Mailbox('SMS', clock), parts: new Map() };
    phones.set(msisdn, phone);
    return phone;
  };
  return {
    take(pdu) {
      const phone = phoneOf(pdu.destination.addr);
      const whole = collect(phone, pdu);
      if (whole !== null) {
        const message = messageOf(whole, clock.wall());
        phone.messages.push(message);
        phone.arrived.put(message);
      }
      return problemsOf(pdu);
    },
    all: (msisdn) => phoneOf(msisdn).messages,
    next: (msisdn, timeoutMs) => phoneOf(msisdn).arrived.take(timeoutMs),
  };
}

/** All parts of the text this one completes, or null while some are missing. */
function collect(phone: Phone, pdu: MessagePdu): readonly MessagePdu[] | null {
  if (pdu.parts === null) return [pdu];
  const { reference, total, part } = pdu.parts;
  const key = `${pdu.source.addr}/${reference}/${total}`;
  const parts = phone.parts.get(key) ?? Array.from({ length: total }, (): MessagePdu | undefined => undefined);
  parts[part - 1] = pdu;
  phone.parts.set(key, parts);
  const whole = parts.filter((one) => one !== undefined);
  if (whole.length < total) return null;
  phone.parts.delete(key);
  return whole;
}

function messageOf(pdus: readonly MessagePdu[], at: UnixMs): InboxMessage {
  const [first] = pdus;
  const alphabet = alphabetOf(first);
  const octets = pdus.reduce((sum, pdu) => sum + pdu.octets.length, 0);
  return {
    from: first?.source.addr ?? '',
    text: pdus.map((pdu) => decodeText(pdu.octets, pdu.dataCoding).text).join(''),
    alphabet,
    units: alphabet === 'gsm7' ? octets : octets / 2,
    parts: pdus.length,
    at,
  };
}

function alphabetOf(pdu: MessagePdu | undefined): 'gsm7' | 'ucs2' {
  return pdu?.dataCoding === 8 || pdu?.dataCoding === 0x48 ? 'ucs2' : 'gsm7';
}

function problemsOf(pdu: MessagePdu): string[] {
  const alphabet = alphabetOf(pdu);
  const limit = (pdu.parts === null ? textLimits.smsOne : textLimits.smsPart)[alphabet];
  const units = alphabet === 'gsm7' ? pdu.octets.length : pdu.octets.length / 2;
  const problems: string[] = [];
  if (units > limit) problems.push(`SMS of ${units} units is over the limit of ${limit}`);
  if (units === 0) problems.push('empty SMS');
  if (decodeText(pdu.octets, pdu.dataCoding).damaged) problems.push('SMS with octets that do not fit its data_coding');
  return problems;
}
