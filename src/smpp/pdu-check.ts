/**
 * The strict reading of a message PDU: mandatory part, text, TLVs and user data header are walked octet by octet
 * before anything is believed (design: smpp-ussd-sms.md, 1.3).
 */
import { type IrregularReason, type MessageCommand, status, tlvOctets, tlvTag, UDH_INDICATOR } from './command.ts';

/** An address as it stands in the PDU: type of number, numbering plan, digits or text. */
export interface SmppAddress {
  readonly ton: number;
  readonly npi: number;
  readonly addr: string;
}

/** The place of a text in a long one: 1 <= part <= total <= 8. */
export interface PartOfText {
  readonly reference: number;
  readonly total: number;
  readonly part: number;
}

/** The optional parameters we use, those of wrong size left out. */
export interface MessageTlvs {
  readonly ussd_service_op: number | null;
  readonly its_session_info: Buffer | null;
  readonly user_message_reference: number | null;
  readonly receipted_message_id: string | null;
  readonly message_state: number | null;
}

/** A submit_sm, deliver_sm or data_sm that passed the check. */
export interface MessagePdu {
  readonly command: MessageCommand;
  readonly sequence: number;
  readonly serviceType: string;
  readonly source: SmppAddress;
  readonly destination: SmppAddress;
  readonly esmClass: number;
  readonly registeredDelivery: number;
  readonly dataCoding: number;
  /** Octets of the text behind any user data header; a copy, safe to keep. */
  readonly octets: Buffer;
  /** The user data header in front of the text, with its length octet; empty without one. */
  readonly userDataHeader: Buffer;
  readonly parts: PartOfText | null;
  readonly tlvs: MessageTlvs;
  /** Every TLV as it came, by tag, the first of each. */
  readonly rawTlvs: ReadonlyMap<number, Buffer>;
  /** What was odd but tolerated. */
  readonly irregular: readonly IrregularReason[];
}

/** A message PDU that cannot be accepted, with the status of its answer. */
export interface BadPdu {
  readonly status: number;
  readonly reason: IrregularReason;
}

export type MessageCheck =
  | { readonly ok: true; readonly pdu: MessagePdu }
  | { readonly ok: false; readonly bad: BadPdu };

const HEADER_OCTETS = 16;
const SERVICE_TYPE_MAX = 5;
const ADDRESS_MAX = { submit_sm: 20, deliver_sm: 20, data_sm: 64 } as const;
const PARTS_MAX = 8;
/** Time fields have exactly 16 characters (SMPP 3.4, 7.1.1), or none. */
const TIME_TEXT = /^(?:\d{15}[-+R])?$/;

class PduFault extends Error {
  readonly bad: BadPdu;
  constructor(answerStatus: number, reason: IrregularReason) {
    super(reason);
    this.bad = { status: answerStatus, reason };
  }
}

/** A cursor over the octets of one PDU; running out of them is the fault `mandatory`. */
class Walk {
  readonly octets: Buffer;
  at = HEADER_OCTETS;

  constructor(octets: Buffer) {
    this.octets = octets;
  }

  octet(): number {
    const value = this.octets[this.at];
    if (value === undefined) throw new PduFault(status.ESME_RINVCMDLEN, 'mandatory');
    this.at += 1;
    return value;
  }

  text(): string {
    const end = this.octets.indexOf(0, this.at);
    if (end < 0) throw new PduFault(status.ESME_RINVCMDLEN, 'mandatory');
    const value = this.octets.toString('latin1', this.at, end);
    this.at = end + 1;
    return value;
  }

  address(): SmppAddress {
    const ton = this.octet();
    const npi = this.octet();
    return { ton, npi, addr: this.text() };
  }
}

/**
 * Reads one whole frame of a message command.
 *
 * @param octets the frame with its header; its command_length has been checked
 * @returns the PDU, or the status its response must carry and why. Never throws, whatever the octets.
 */
export function checkMessage(command: MessageCommand, octets: Buffer): MessageCheck {
  try {
    return { ok: true, pdu: readMessage(command, octets) };
  } catch (error) {
    if (error instanceof PduFault) return { ok: false, bad: error.bad };
    throw error;
  }
}

function readMessage(command: MessageCommand, octets: Buffer): MessagePdu {
  const walk = new Walk(octets);
  const irregular: IrregularReason[] = [];
  const fields = readMandatory(command, walk, irregular);
  const shortMessage = command === 'data_sm' ? Buffer.alloc(0) : readShortMessage(walk);
  const rawTlvs = readTlvs(walk, irregular);
  checkAddresses(command, fields);
  const payload = rawTlvs.get(tlvTag.message_payload);
  if (shortMessage.length > 0 && payload !== undefined) irregular.push('two_texts');
  const body = shortMessage.length > 0 ? shortMessage : (payload ?? shortMessage);
  const hasHeader = (fields.esmClass & UDH_INDICATOR) !== 0;
  const header = hasHeader ? readUserDataHeader(body) : { octets: 0, parts: null };
  return {
    command,
    sequence: octets.readUInt32BE(12),
    ...fields,
    octets: Buffer.from(body.subarray(header.octets)),
    userDataHeader: Buffer.from(body.subarray(0, header.octets)),
    parts: header.parts ?? readSar(rawTlvs),
    tlvs: knownTlvs(rawTlvs, irregular),
    rawTlvs,
    irregular,
  };
}

type Mandatory = Pick<
  MessagePdu,
  'serviceType' | 'source' | 'destination' | 'esmClass' | 'registeredDelivery' | 'dataCoding'
>;

function readMandatory(command: MessageCommand, walk: Walk, irregular: IrregularReason[]): Mandatory {
  const serviceType = walk.text();
  const source = walk.address();
  const destination = walk.address();
  const esmClass = walk.octet();
  if (command === 'data_sm') {
    const registeredDelivery = walk.octet();
    return { serviceType, source, destination, esmClass, registeredDelivery, dataCoding: walk.octet() };
  }
  walk.octet(); // protocol_id
  walk.octet(); // priority_flag
  const scheduled = walk.text();
  const validity = walk.text();
  if (!TIME_TEXT.test(scheduled) || !TIME_TEXT.test(validity)) irregular.push('time_text');
  const registeredDelivery = walk.octet();
  walk.octet(); // replace_if_present_flag
  const dataCoding = walk.octet();
  walk.octet(); // sm_default_msg_id
  return { serviceType, source, destination, esmClass, registeredDelivery, dataCoding };
}

function readShortMessage(walk: Walk): Buffer {
  const length = walk.octet();
  const end = walk.at + length;
  if (end > walk.octets.length) throw new PduFault(status.ESME_RINVMSGLEN, 'sm_length');
  const text = walk.octets.subarray(walk.at, end);
  walk.at = end;
  return text;
}

function readTlvs(walk: Walk, irregular: IrregularReason[]): Map<number, Buffer> {
  const { octets } = walk;
  const found = new Map<number, Buffer>();
  while (walk.at + 4 <= octets.length) {
    const tag = octets.readUInt16BE(walk.at);
    const begin = walk.at + 4;
    const end = begin + octets.readUInt16BE(walk.at + 2);
    if (end > octets.length) throw new PduFault(status.ESME_RINVTLVSTREAM, 'tlv_stream');
    if (found.has(tag)) irregular.push('tlv_duplicate');
    else found.set(tag, Buffer.from(octets.subarray(begin, end)));
    walk.at = end;
  }
  if (walk.at < octets.length) irregular.push('trailing');
  return found;
}

function checkAddresses(command: MessageCommand, fields: Mandatory): void {
  const longest = ADDRESS_MAX[command];
  if (fields.serviceType.length > SERVICE_TYPE_MAX) throw new PduFault(status.ESME_RINVSERTYP, 'address');
  if (fields.source.addr.length > longest) throw new PduFault(status.ESME_RINVSRCADR, 'address');
  if (fields.destination.addr.length > longest) throw new PduFault(status.ESME_RINVDSTADR, 'address');
}

function knownTlvs(raw: ReadonlyMap<number, Buffer>, irregular: IrregularReason[]): MessageTlvs {
  const ofRightSize = (tag: number): Buffer | null => {
    const value = raw.get(tag);
    if (value === undefined) return null;
    if (value.length === tlvOctets.get(tag)) return value;
    irregular.push('tlv_length');
    return null;
  };
  return {
    ussd_service_op: ofRightSize(tlvTag.ussd_service_op)?.readUInt8(0) ?? null,
    its_session_info: ofRightSize(tlvTag.its_session_info),
    user_message_reference: ofRightSize(tlvTag.user_message_reference)?.readUInt16BE(0) ?? null,
    receipted_message_id: readIdText(raw.get(tlvTag.receipted_message_id)),
    message_state: ofRightSize(tlvTag.message_state)?.readUInt8(0) ?? null,
  };
}

/** A C-octet string, whose closing NUL some centres leave out. */
function readIdText(value: Buffer | undefined): string | null {
  if (value === undefined) return null;
  const end = value.indexOf(0);
  const text = value.toString('latin1', 0, end < 0 ? value.length : end);
  return text === '' ? null : text;
}

const badHeader = (): PduFault => new PduFault(status.ESME_RX_P_APPN, 'udh');

/** Reads the user data header (3GPP 23.040, 9.2.3.24) in front of a text. */
function readUserDataHeader(body: Buffer): { readonly octets: number; readonly parts: PartOfText | null } {
  const length = body[0];
  if (length === undefined || length + 1 > body.length) throw badHeader();
  let parts: PartOfText | null = null;
  let at = 1;
  while (at <= length) {
    const element = body[at];
    const size = body[at + 1];
    if (element === undefined || size === undefined || at + 1 + size > length) throw badHeader();
    const value = body.subarray(at + 2, at + 2 + size);
    if (element === 0x00 || element === 0x08) parts ??= readConcatenation(element, value);
    at += 2 + size;
  }
  return { octets: length + 1, parts };
}

function readConcatenation(element: number, value: Buffer): PartOfText | null {
  const referenceOctets = element === 0x00 ? 1 : 2;
  if (value.length !== referenceOctets + 2) throw badHeader();
  return checkPart({
    reference: value.readUIntBE(0, referenceOctets),
    total: value.readUInt8(referenceOctets),
    part: value.readUInt8(referenceOctets + 1),
  });
}

function readSar(raw: ReadonlyMap<number, Buffer>): PartOfText | null {
  const reference = raw.get(tlvTag.sar_msg_ref_num);
  const total = raw.get(tlvTag.sar_total_segments);
  const part = raw.get(tlvTag.sar_segment_seqnum);
  if (reference?.length !== 2 || total?.length !== 1 || part?.length !== 1) return null;
  return checkPart({ reference: reference.readUInt16BE(0), total: total.readUInt8(0), part: part.readUInt8(0) });
}

/** A text in one part is whole. */
function checkPart(parts: PartOfText): PartOfText | null {
  const { total, part } = parts;
  if (total < 1 || total > PARTS_MAX || part < 1 || part > total) throw badHeader();
  return total === 1 ? null : parts;
}
