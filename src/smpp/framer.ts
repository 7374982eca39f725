/**
 * Octets to frames and PDUs to octets.
 *
 * The only importer of npm `smpp`, whose parser trusts what it reads: frames are cut here, messages are read by
 * `pdu-check.ts` and written below, and the package is left what is rare or for people: bind requests, and the
 * decoded view of a PDU.
 */
import smpp from 'smpp';
import {
  type BindCommand,
  type Command,
  commandId,
  commandNamed,
  GENERIC_NACK,
  type MessageCommand,
  RESPONSE_BIT,
  tlvTag,
} from './command.ts';
import { checkMessage, type SmppAddress } from './pdu-check.ts';

const HEADER_OCTETS = 16;

/** One whole PDU as it came. `octets` may share memory with the socket's buffer: read it before the turn ends. */
export interface Frame {
  readonly commandId: number;
  readonly status: number;
  readonly sequence: number;
  readonly octets: Buffer;
}

/** Cuts a stream of octets into frames. */
export interface Framer {
  /**
   * Takes the next octets.
   *
   * @param onFrame called for each frame in order; returning false throws the rest away
   * @returns `bad_length` as soon as four octets announce a length below 16 or above the maximum; the stream is lost then
   */
  push(chunk: Buffer, onFrame: (frame: Frame) => boolean): 'good' | 'bad_length';
  /** Octets of a frame that is not whole yet. */
  readonly waitingOctets: number;
}

/**
 * A framer for one connection.
 *
 * @param maxPduOctets 16 to 16384. 4095 shows the commonest slip at once: an enquire_link read one octet late announces 4096.
 */
export function createFramer(maxPduOctets: number): Framer {
  const carried = Buffer.allocUnsafe(maxPduOctets);
  let waiting = 0;

  /** Fills `carried` up to `wanted` octets; returns how many were taken from the chunk. */
  const fill = (chunk: Buffer, at: number, wanted: number): number => {
    const taken = Math.min(wanted - waiting, chunk.length - at);
    if (taken <= 0) return 0;
    chunk.copy(carried, waiting, at, at + taken);
    waiting += taken;
    return taken;
  };
  const isLength = (length: number): boolean => length >= HEADER_OCTETS && length <= maxPduOctets;

  return {
    get waitingOctets() {
      return waiting;
    },
    push(chunk, onFrame) {
      let at = 0;
      if (waiting > 0) {
        at = fill(chunk, 0, 4);
        if (waiting < 4) return 'good';
        const length = carried.readUInt32BE(0);
        if (!isLength(length)) return 'bad_length';
        at += fill(chunk, at, length);
        if (waiting < length) return 'good';
        waiting = 0;
        if (!onFrame(readHeader(Buffer.from(carried.subarray(0, length))))) return 'good';
      }
      while (chunk.length - at >= 4) {
        const length = chunk.readUInt32BE(at);
        if (!isLength(length)) return 'bad_length';
        if (chunk.length - at < length) break;
        const frame = readHeader(chunk.subarray(at, at + length));
        at += length;
        if (!onFrame(frame)) return 'good';
      }
      fill(chunk, at, maxPduOctets);
      return 'good';
    },
  };
}

function readHeader(octets: Buffer): Frame {
  return {
    commandId: octets.readUInt32BE(4),
    status: octets.readUInt32BE(8),
    sequence: octets.readUInt32BE(12),
    octets,
  };
}

/** A submit_sm, deliver_sm or data_sm to be written. Texts are octets with their data_coding, never strings. */
export interface OutgoingMessage {
  readonly serviceType: string;
  readonly source: SmppAddress;
  readonly destination: SmppAddress;
  readonly esmClass: number;
  readonly registeredDelivery: number;
  readonly dataCoding: number;
  /** Relative or absolute time of 16 characters, or ''. Ignored for data_sm. */
  readonly validityPeriod: string;
  /** Beyond 254 octets, and in data_sm always, it travels as message_payload. */
  readonly octets: Buffer;
  readonly tlvs: readonly OutgoingTlv[];
}
export interface OutgoingTlv {
  readonly tag: number;
  readonly value: Buffer;
}

const SHORT_MESSAGE_MAX = 254;

/** The octets of a message PDU. Addresses are at most 20 characters, service_type at most 5: the caller's word. */
export function encodeMessage(command: MessageCommand, sequence: number, message: OutgoingMessage): Buffer {
  const isData = command === 'data_sm';
  const isPayload = message.octets.length > 0 && (isData || message.octets.length > SHORT_MESSAGE_MAX);
  const tlvs = isPayload ? [...message.tlvs, { tag: tlvTag.message_payload, value: message.octets }] : message.tlvs;
  const shortMessage = isPayload || isData ? 0 : message.octets.length;
  const strings = message.serviceType.length + message.source.addr.length + message.destination.addr.length + 3;
  const fixed = isData ? 7 : 14 + message.validityPeriod.length;
  const tlvLength = tlvs.reduce((sum, tlv) => sum + 4 + tlv.value.length, 0);
  const length = HEADER_OCTETS + strings + fixed + shortMessage + tlvLength;
  const pdu = Buffer.allocUnsafe(length);
  writeHeader(pdu, commandId[command], 0, sequence);
  let at = writeText(pdu, HEADER_OCTETS, message.serviceType);
  at = writeAddress(pdu, at, message.source);
  at = writeAddress(pdu, at, message.destination);
  pdu[at++] = message.esmClass;
  if (!isData) {
    pdu[at++] = 0; // protocol_id
    pdu[at++] = 0; // priority_flag
    pdu[at++] = 0; // schedule_delivery_time
    at = writeText(pdu, at, message.validityPeriod);
  }
  pdu[at++] = message.registeredDelivery;
  if (!isData) pdu[at++] = 0; // replace_if_present_flag
  pdu[at++] = message.dataCoding;
  if (!isData) {
    pdu[at++] = 0; // sm_default_msg_id
    pdu[at++] = shortMessage;
    if (shortMessage > 0) at += message.octets.copy(pdu, at);
  }
  for (const tlv of tlvs) {
    at = pdu.writeUInt16BE(tlv.tag, at);
    at = pdu.writeUInt16BE(tlv.value.length, at);
    at += tlv.value.copy(pdu, at);
  }
  return pdu;
}

function writeHeader(pdu: Buffer, id: number, answerStatus: number, sequence: number): void {
  pdu.writeUInt32BE(pdu.length, 0);
  pdu.writeUInt32BE(id, 4);
  pdu.writeUInt32BE(answerStatus, 8);
  pdu.writeUInt32BE(sequence, 12);
}

function writeText(pdu: Buffer, at: number, text: string): number {
  const end = at + pdu.write(text, at, 'latin1');
  pdu[end] = 0;
  return end + 1;
}

function writeAddress(pdu: Buffer, at: number, address: SmppAddress): number {
  pdu[at] = address.ton;
  pdu[at + 1] = address.npi;
  return writeText(pdu, at + 2, address.addr);
}

/** The octets of a PDU that is a header alone: enquire_link, unbind and their answers, generic_nack, any error answer. */
export function encodeHeader(id: number, answerStatus: number, sequence: number): Buffer {
  const pdu = Buffer.allocUnsafe(HEADER_OCTETS);
  writeHeader(pdu, id, answerStatus, sequence);
  return pdu;
}

/** The answer to a message or a bind: with a C-octet string if it is a yes, a header alone if it is a no (SMPP 3.4, 4.4.2). */
export function encodeResponse(command: Command, answerStatus: number, sequence: number, text = ''): Buffer {
  const id = (commandId[command] | RESPONSE_BIT) >>> 0;
  if (answerStatus !== 0) return encodeHeader(id, answerStatus, sequence);
  const pdu = Buffer.allocUnsafe(HEADER_OCTETS + text.length + 1);
  writeHeader(pdu, id, answerStatus, sequence);
  writeText(pdu, HEADER_OCTETS, text);
  return pdu;
}

/** What a bind request says. */
export interface BindFields {
  readonly systemId: string;
  readonly password: string;
  readonly systemType: string;
  readonly interfaceVersion: number;
  readonly addrTon: number;
  readonly addrNpi: number;
  readonly addressRange: string;
}

/** The octets of a bind request. */
export function encodeBind(command: BindCommand, sequence: number, fields: BindFields): Buffer {
  return new smpp.PDU(command, {
    sequence_number: sequence,
    system_id: fields.systemId,
    password: fields.password,
    system_type: fields.systemType,
    interface_version: fields.interfaceVersion,
    addr_ton: fields.addrTon,
    addr_npi: fields.addrNpi,
    address_range: fields.addressRange,
  }).toBuffer();
}

/** The C-octet string that begins the body of an answer: message_id or system_id; null without one. A missing NUL is forgiven. */
export function readAnswerText(frame: Frame): string | null {
  const body = frame.octets.subarray(HEADER_OCTETS);
  const end = body.indexOf(0);
  const text = body.toString('latin1', 0, end < 0 ? body.length : end);
  return text === '' ? null : text;
}

/** A PDU as people read it: names and values; octets as hexadecimal text; text itself is left as octets. */
export interface PduView {
  readonly command: string;
  readonly command_status: number;
  readonly sequence_number: number;
  readonly fields: Readonly<Record<string, string | number>>;
}

/** Fields that are never shown, and those of the header, which have their own place. */
const HIDDEN_FIELDS: ReadonlySet<string> = new Set([
  'password',
  'command',
  'command_length',
  'command_id',
  'command_status',
  'sequence_number',
]);

/**
 * The view of one whole frame for the console, the playground and captures; never for a decision.
 *
 * @returns a view without fields where the PDU does not hold what it announces. Never throws. Passwords are left out;
 * numbers of phones are not: mask them before they leave the process.
 */
export function viewPdu(octets: Buffer): PduView {
  const header = readHeader(octets);
  const isResponse = (header.commandId & RESPONSE_BIT) !== 0;
  const name = header.commandId === GENERIC_NACK ? null : commandNamed((header.commandId & ~RESPONSE_BIT) >>> 0);
  const command =
    header.commandId === GENERIC_NACK ? 'generic_nack' : name === null ? 'unknown' : isResponse ? `${name}_resp` : name;
  return {
    command,
    command_status: header.status,
    sequence_number: header.sequence,
    fields: viewFields(octets, isResponse ? null : name),
  };
}

function viewFields(octets: Buffer, name: Command | null): Record<string, string | number> {
  if (name !== 'submit_sm' && name !== 'deliver_sm' && name !== 'data_sm') return readByPackage(octets);
  const check = checkMessage(name, octets);
  if (!check.ok) return {};
  const { pdu } = check;
  return {
    ...readByPackage(octets),
    service_type: pdu.serviceType,
    source_addr: pdu.source.addr,
    destination_addr: pdu.destination.addr,
    esm_class: pdu.esmClass,
    data_coding: pdu.dataCoding,
    [pdu.rawTlvs.has(tlvTag.message_payload) ? 'message_payload' : 'short_message']: Buffer.concat([
      pdu.userDataHeader,
      pdu.octets,
    ]).toString('hex'),
  };
}

/** The package decodes in place and throws on what it does not like, so it gets a copy and no trust. */
function readByPackage(octets: Buffer): Record<string, string | number> {
  const fields: Record<string, string | number> = {};
  try {
    for (const [key, value] of Object.entries(new smpp.PDU(Buffer.from(octets)))) {
      const shown = HIDDEN_FIELDS.has(key) ? null : showValue(value);
      if (shown !== null) fields[key] = shown;
    }
  } catch {
    return {};
  }
  return fields;
}

function showValue(value: unknown): string | number | null {
  if (typeof value === 'number' || typeof value === 'string') return value;
  if (Buffer.isBuffer(value)) return value.toString('hex');
  return null;
}
