/**
 * The submit_sm of a screen and of an SMS: coding, addresses, TLVs, parts.
 */
import { assert, Fault } from '../result.ts';
import { UDH_INDICATOR } from './command.ts';
import { encodeText, packIfAsked, splitSms, type TransliterationLanguage, textLimits } from './data-coding.ts';
import type { OutgoingMessage } from './framer.ts';
import type { Dialect } from './gateway-profile.ts';
import type { UssdEcho } from './inbound.ts';
import type { SmppAddress } from './pdu-check.ts';
import { ussdTlvs } from './ussd-tlv.ts';

/** A screen to be written. */
export interface ScreenText {
  readonly echo: UssdEcho;
  /** `continue` waits for a key; `end` is the last screen; `notify` is shown without waiting. */
  readonly kind: 'continue' | 'end' | 'notify';
  /** At most 182 septets or 80 UCS-2 units after transliteration; keep to the budget of 160 or 70. */
  readonly text: string;
  /** Whose table turns letters outside GSM-7; default `fr`. */
  readonly language?: TransliterationLanguage;
}

/** An SMS of ours. */
export interface SmsText {
  /** E.164 digits. */
  readonly to: string;
  readonly text: string;
  /** Ask for a receipt; default true. */
  readonly registeredDelivery?: boolean;
  /** Default: the account's own sender. */
  readonly from?: string;
  readonly language?: TransliterationLanguage;
}

/** What the account says of every SMS. */
export interface SmsSettings {
  readonly dialect: Dialect;
  readonly smsSource: SmppAddress;
}

const SMS_VALIDITY = '000001000000000R';
const ADDRESS_MAX = 20;
const GSM_CODING = 15;
const UCS2_CODING = 8;
const SMS_PARTS_MAX = 3;

/** The submit_sm of a screen, or null if an address of the request has no place in one. */
export function ussdMessage(reply: ScreenText, dialect: Dialect): OutgoingMessage | null {
  const { echo } = reply;
  const encoded = encodeText(reply.text, dialect.gsm7 === 'transliterate' ? (reply.language ?? 'fr') : null);
  assert(
    encoded.units <= textLimits.ussd[encoded.alphabet],
    `a screen of ${encoded.units} ${encoded.alphabet} units is over the limit`,
  );
  const { gsm7, ucs2 } = dialect.codingOut;
  const alphabet = echo.dataCoding === 0 ? dialect.defaultAlphabet : dialect.codingIn[echo.dataCoding];
  const echoed = alphabet === 'gsm0338' ? echo.dataCoding : GSM_CODING;
  const { ton, npi, addr } = dialect.sourceOut;
  const source = { ton, npi, addr: addr === 'destination' ? echo.service.addr : addr };
  const destination = { ...echo.subscriber, ...(dialect.destOut === 'echo' ? {} : dialect.destOut) };
  if (source.addr.length > ADDRESS_MAX || destination.addr.length > ADDRESS_MAX) return null;
  return {
    serviceType: dialect.serviceTypeOut === 'echo' ? echo.serviceType : dialect.serviceTypeOut,
    source,
    destination,
    esmClass: 0,
    registeredDelivery: 0,
    dataCoding: encoded.alphabet === 'ucs2' ? ucs2 : gsm7 === 'echo' ? echoed : gsm7,
    validityPeriod: '',
    octets: packIfAsked(encoded, dialect.packed),
    tlvs: ussdTlvs(reply.kind, echo, dialect),
  };
}

/** The submit_sm of each part. @throws Fault `bad_address` (happened: no) if `to` or `from` is no address. */
export function smsMessages(sms: SmsText, reference: number, options: SmsSettings): OutgoingMessage[] {
  const from = sms.from ?? options.smsSource.addr;
  if (!/^\d{3,20}$/.test(sms.to) || from.length > ADDRESS_MAX) throw new Fault('bad_address', 'no');
  const encoded = encodeText(sms.text, options.dialect.gsm7 === 'transliterate' ? (sms.language ?? 'fr') : null);
  const parts = splitSms(encoded, reference, SMS_PARTS_MAX);
  assert(parts !== null, `an SMS of ${encoded.units} ${encoded.alphabet} units needs more than ${SMS_PARTS_MAX} parts`);
  return parts.map((part) => ({
    serviceType: '',
    source: { ...options.smsSource, addr: from },
    destination: { ton: 1, npi: 1, addr: sms.to },
    esmClass: part.hasHeader ? UDH_INDICATOR : 0,
    registeredDelivery: (sms.registeredDelivery ?? true) ? 1 : 0,
    dataCoding: encoded.alphabet === 'ucs2' ? UCS2_CODING : 0,
    validityPeriod: SMS_VALIDITY,
    octets: part.octets,
    tlvs: [],
  }));
}
