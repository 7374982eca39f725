/**
 * Delivery receipts: which message they name, and what became of it (SMPP 3.4, 5.2.12 and appendix B).
 */
import type { MessagePdu } from './pdu-check.ts';

/** What a centre says of a message. `enroute` stands for everything that is not final, odd words included. */
export type ReceiptState =
  | 'enroute'
  | 'delivered'
  | 'expired'
  | 'deleted'
  | 'undeliverable'
  | 'accepted'
  | 'unknown'
  | 'rejected';

/** The ids are as they came: `messageId` from the TLV if there is one, `otherId` a second, different form from the text. */
export interface ReadReceipt {
  readonly messageId: string;
  readonly otherId: string | null;
  readonly state: ReceiptState;
}

/** message_state, SMPP 3.4, 5.2.28. */
const STATE_BY_NUMBER: ReadonlyMap<number, ReceiptState> = new Map([
  [1, 'enroute'],
  [2, 'delivered'],
  [3, 'expired'],
  [4, 'deleted'],
  [5, 'undeliverable'],
  [6, 'accepted'],
  [7, 'unknown'],
  [8, 'rejected'],
]);
const STATE_BY_WORD: ReadonlyMap<string, ReceiptState> = new Map([
  ['DELIVRD', 'delivered'],
  ['EXPIRED', 'expired'],
  ['DELETED', 'deleted'],
  ['UNDELIV', 'undeliverable'],
  ['ACCEPTD', 'accepted'],
  ['UNKNOWN', 'unknown'],
  ['REJECTD', 'rejected'],
]);

const TYPE_BITS = 0x3c;
const ID_IN_TEXT = /\bid:\s*([^\s]{1,200})/i;
const STATE_IN_TEXT = /\bstat:\s*(\w{1,20})/i;

/**
 * True for what a centre says *about* messages: the type bits of esm_class, the two TLVs, or the text of a receipt.
 * Such a PDU is never an order, whatever its text.
 */
export function isReceipt(pdu: MessagePdu, text: string): boolean {
  if ((pdu.esmClass & TYPE_BITS) !== 0) return true;
  if (pdu.tlvs.receipted_message_id !== null && pdu.tlvs.message_state !== null) return true;
  return /^id:\S+ /i.test(text) && STATE_IN_TEXT.test(text);
}

/** What a receipt says, or null if it has no id or no state. */
export function readReceipt(pdu: MessagePdu, text: string): ReadReceipt | null {
  const idInText = ID_IN_TEXT.exec(text)?.[1] ?? null;
  const messageId = pdu.tlvs.receipted_message_id ?? idInText;
  const number = pdu.tlvs.message_state;
  const word = STATE_IN_TEXT.exec(text)?.[1]?.toUpperCase();
  if (messageId === null || (number === null && word === undefined)) return null;
  const state = number === null ? STATE_BY_WORD.get(word ?? '') : STATE_BY_NUMBER.get(number);
  return { messageId, otherId: idInText === messageId ? null : idInText, state: state ?? 'enroute' };
}

/** How a centre writes one id in the answer and in the receipt. `auto` takes any of the other three. */
export type ReceiptIdMode = 'auto' | 'same' | 'hexInAnswer' | 'decInAnswer';

/**
 * True if an id of a receipt names the message whose answer carried `answered`.
 *
 * Compare only among messages of one account to one number within 72 h: folding makes ids ambiguous.
 */
export function isSameMessageId(answered: string, receipted: string, mode: ReceiptIdMode = 'auto'): boolean {
  if (fold(answered) === fold(receipted)) return true;
  if ((mode === 'auto' || mode === 'hexInAnswer') && isSameNumber(answered, receipted)) return true;
  return (mode === 'auto' || mode === 'decInAnswer') && isSameNumber(receipted, answered);
}

function fold(id: string): string {
  return id.replace(/^0+(?=.)/, '').toUpperCase();
}

function isSameNumber(hexadecimal: string, decimal: string): boolean {
  if (!/^[0-9a-f]{1,32}$/i.test(hexadecimal) || !/^\d{1,39}$/.test(decimal)) return false;
  return BigInt(`0x${hexadecimal}`) === BigInt(decimal);
}
