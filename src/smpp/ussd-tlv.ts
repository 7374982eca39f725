/**
 * What ussd_service_op and its_session_info mean in a dialect, in and out (SMPP 3.4, 5.3.2.44 and 5.3.2.46).
 */
import { tlvTag } from './command.ts';
import type { OutgoingTlv } from './framer.ts';
import type { Dialect } from './gateway-profile.ts';
import type { MessagePdu } from './pdu-check.ts';

/** What a request asks of the dialog. */
export type UssdKind = 'begin' | 'continue' | 'end' | 'abort' | 'ack';

/** True if this PDU belongs to a USSD dialog and not to SMS. */
export function isUssd(pdu: MessagePdu, dialect: Dialect): boolean {
  if (dialect.detect.includes('tlv') && pdu.rawTlvs.has(tlvTag.ussd_service_op)) return true;
  if (!dialect.detect.includes('serviceType')) return false;
  return dialect.serviceTypesIn.includes('*') || dialect.serviceTypesIn.includes(pdu.serviceType);
}

const DIALED = /^[*#][*#\d\s]*$/;

/**
 * What a request asks. The end flag wins over the op; without an op a dialed string begins and anything else goes on.
 *
 * @param text the decoded text of the request
 */
export function ussdKindOf(pdu: MessagePdu, text: string, dialect: Dialect): UssdKind {
  const op = pdu.tlvs.ussd_service_op;
  const stated = op === null ? null : (dialect.opIn[op] ?? dialect.onUnknownOp);
  const info = pdu.tlvs.its_session_info;
  const isEndFlagged = dialect.session.endFlagIn && info !== null && (info.readUInt8(1) & 1) === 1;
  if (isEndFlagged && stated !== 'abort') return 'end';
  if (stated !== null) return stated;
  return DIALED.test(text.trim()) ? 'begin' : 'continue';
}

/** The id of the network's session as text, or null if the request carries none. 16 bits are never a key by themselves. */
export function sessionIdOf(pdu: MessagePdu, dialect: Dialect): string | null {
  const { source, layout } = dialect.session;
  if (source === 'none') return null;
  if (source === 'user_message_reference') return pdu.tlvs.user_message_reference?.toString() ?? null;
  const info = pdu.tlvs.its_session_info;
  if (info === null) return null;
  switch (layout) {
    case 'opaque':
      return info.toString('hex');
    case 'id15_1':
      return (info.readUInt16BE(0) >> 1).toString();
    case 'spec8_7_1':
      return info.readUInt8(0).toString();
  }
}

/** What of a session is repeated in its answers. */
export interface SessionEcho {
  /** its_session_info as four hexadecimal digits, or null. */
  readonly sessionInfo: string | null;
  readonly userMessageReference: number | null;
}

/** The TLVs of our text: the op of its kind, and the session of the request with the end flag set where the dialect has one. */
export function ussdTlvs(kind: 'continue' | 'end' | 'notify', echo: SessionEcho, dialect: Dialect): OutgoingTlv[] {
  const tlvs: OutgoingTlv[] = [];
  const op = dialect.opOut[kind];
  if (op !== null) tlvs.push({ tag: tlvTag.ussd_service_op, value: Buffer.from([op]) });
  if (echo.userMessageReference !== null) {
    const value = Buffer.alloc(2);
    value.writeUInt16BE(echo.userMessageReference);
    tlvs.push({ tag: tlvTag.user_message_reference, value });
  }
  if (echo.sessionInfo !== null) {
    const value = Buffer.from(echo.sessionInfo, 'hex');
    if (dialect.session.endFlagOut && kind === 'end') value.writeUInt8(value.readUInt8(1) | 1, 1);
    tlvs.push({ tag: tlvTag.its_session_info, value });
  }
  return tlvs;
}
