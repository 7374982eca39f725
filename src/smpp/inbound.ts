/**
 * What an incoming message is: a step of a USSD dialog, an SMS, a receipt, or nothing we can take.
 */
import * as z from 'zod';
import { type IrregularReason, status } from './command.ts';
import { type CodingRules, decodeText } from './data-coding.ts';
import { isReceipt, type ReceiptState, readReceipt } from './delivery-receipt.ts';
import { type Dialect, readMsisdn } from './gateway-profile.ts';
import type { MessagePdu, PartOfText } from './pdu-check.ts';
import { isUssd, sessionIdOf, type UssdKind, ussdKindOf } from './ussd-tlv.ts';

const octet = z.int().min(0).max(255);
/** 64 characters only where the request was a data_sm; a reply takes 20 at most. */
const addressSchema = z.strictObject({ ton: octet, npi: octet, addr: z.string().max(64) });
const echoSchema = z.strictObject({
  bind: z.string(),
  serviceType: z.string().max(5),
  subscriber: addressSchema,
  service: addressSchema,
  sessionInfo: z
    .string()
    .regex(/^[0-9a-f]{4}$/)
    .nullable(),
  userMessageReference: z.int().min(0).max(0xffff).nullable(),
  dataCoding: octet,
});

/** What a reply must repeat of its request. Plain JSON: keep it with the dialog and hand it back unread. */
export type UssdEcho = Readonly<z.infer<typeof echoSchema>>;

/** The echo that was stored as JSON. @throws ZodError if it is none. */
export function readUssdEcho(stored: unknown): UssdEcho {
  return echoSchema.parse(stored);
}

/** One step of a dialog, as the subscriber or the network took it. */
export interface UssdRequest {
  readonly kind: UssdKind;
  /** False: the gateway sent no ussd_service_op, and `kind` was guessed from the text alone. */
  readonly opStated: boolean;
  readonly account: string;
  readonly bind: string;
  /** E.164 digits without +. */
  readonly msisdn: string;
  /** The network's session; never a key by itself, and not always there. */
  readonly sessionId: string | null;
  /** Digits of the dialed code, `123` of `*123*4567#`; only with `begin`. */
  readonly serviceCode: string | null;
  /** What was dialed or keyed; '' if nothing; null for end, abort and ack without a text. */
  readonly text: string | null;
  /** Something in the text could not be read: never an order, a PIN or a confirmation. */
  readonly damaged: boolean;
  /** sequence_number of the PDU, to tell a copied PDU from a key pressed twice. */
  readonly sequence: number;
  readonly echo: UssdEcho;
}

/** One SMS, or one part of a long one. */
export interface SmsMessage {
  readonly account: string;
  /** E.164 digits without +, or a short code as it came. Can be forged: a text alone never moves money. */
  readonly from: string;
  readonly to: string;
  readonly text: string;
  readonly damaged: boolean;
  /** Absent if the text is whole. */
  readonly parts?: PartOfText;
  /** Always false: alphanumeric senders are acknowledged and dropped before they get here. */
  readonly alphanumeric: boolean;
}

/** What the centre says of an SMS of ours; the ids are as they came. */
export interface SmsReceipt {
  readonly account: string;
  readonly messageId: string;
  /** The second form of the id, if the receipt carries two that differ. */
  readonly otherId: string | null;
  readonly state: ReceiptState;
  /** The number our SMS had gone to. */
  readonly to: string;
}

/** What an incoming message is. `nothing` is answered with that status and counted under that reason. */
export type Inbound =
  | { readonly channel: 'ussd'; readonly request: UssdRequest }
  | { readonly channel: 'sms'; readonly message: SmsMessage }
  | { readonly channel: 'receipt'; readonly receipt: SmsReceipt }
  | { readonly channel: 'nothing'; readonly status: number; readonly reason: IrregularReason | null };

const TON_ALPHANUMERIC = 5;

/** Sorts one checked PDU. Pure; never throws. */
export function readInbound(
  pdu: MessagePdu,
  from: { readonly account: string; readonly bind: string },
  dialect: Dialect,
): Inbound {
  const { text, damaged } = decodeText(pdu.octets, pdu.dataCoding, codingRules(dialect));
  if (isUssd(pdu, dialect)) return readUssd(pdu, text, damaged, from, dialect);
  const subscriber = readMsisdn(pdu.source, dialect.msisdn);
  if (isReceipt(pdu, text)) return readReceiptMessage(pdu, text, subscriber, from.account);
  if (pdu.source.ton === TON_ALPHANUMERIC) return nothing(status.ESME_ROK, 'alphanumeric_sender');
  if (subscriber === null) return nothing(status.ESME_RINVSRCADR, 'address');
  const whole = {
    account: from.account,
    from: subscriber,
    to: pdu.destination.addr,
    text,
    damaged,
    alphanumeric: false,
  };
  return { channel: 'sms', message: pdu.parts === null ? whole : { ...whole, parts: pdu.parts } };
}

function readUssd(
  pdu: MessagePdu,
  text: string,
  damaged: boolean,
  from: { readonly account: string; readonly bind: string },
  dialect: Dialect,
): Inbound {
  const msisdn = readMsisdn(pdu.source, dialect.msisdn);
  if (msisdn === null || pdu.source.ton === TON_ALPHANUMERIC) return nothing(status.ESME_RINVSRCADR, 'address');
  const sessionId = sessionIdOf(pdu, dialect);
  if (sessionId === null && dialect.session.onMissing === 'reject') return nothing(status.ESME_RMISSINGTLV, null);
  const kind = ussdKindOf(pdu, text, dialect);
  const hasInput = kind === 'begin' || kind === 'continue' || text !== '';
  const request: UssdRequest = {
    kind,
    opStated: pdu.tlvs.ussd_service_op !== null,
    ...from,
    msisdn,
    sessionId,
    serviceCode: kind === 'begin' ? serviceCodeOf(pdu, text, dialect) : null,
    text: hasInput ? text : null,
    damaged,
    sequence: pdu.sequence,
    echo: echoOf(pdu, from.bind),
  };
  return { channel: 'ussd', request };
}

function serviceCodeOf(pdu: MessagePdu, text: string, dialect: Dialect): string | null {
  const dialed = dialect.code.source === 'destination_addr' ? pdu.destination.addr : text;
  return /\d+/.exec(dialed)?.[0] ?? null;
}

function echoOf(pdu: MessagePdu, bind: string): UssdEcho {
  return {
    bind,
    serviceType: pdu.serviceType,
    subscriber: pdu.source,
    service: pdu.destination,
    sessionInfo: pdu.tlvs.its_session_info?.toString('hex') ?? null,
    userMessageReference: pdu.tlvs.user_message_reference,
    dataCoding: pdu.dataCoding,
  };
}

function readReceiptMessage(pdu: MessagePdu, text: string, subscriber: string | null, account: string): Inbound {
  const read = readReceipt(pdu, text);
  if (read === null) return nothing(status.ESME_ROK, 'receipt');
  return { channel: 'receipt', receipt: { account, ...read, to: subscriber ?? pdu.source.addr } };
}

function nothing(answerStatus: number, reason: IrregularReason | null): Inbound {
  return { channel: 'nothing', status: answerStatus, reason };
}

function codingRules(dialect: Dialect): CodingRules {
  return { codings: dialect.codingIn, defaultAlphabet: dialect.defaultAlphabet, packed: dialect.packed };
}
