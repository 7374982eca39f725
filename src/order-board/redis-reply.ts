/**
 * Parsers of what the scripts answer and of what the board keeps; beyond them everything is typed.
 */
import type { BoardOrder, BoardState } from '../purchase/order-board-port.ts';
import { assert, Bug } from '../result.ts';

/** The text at a place of a reply. @throws Bug for anything else. */
export function textAt(reply: readonly unknown[], place: number): string {
  const value = reply[place];
  assert(typeof value === 'string', `reply ${String(reply[0])} has no text at ${place}`);
  return value;
}

/** The text at a place of a reply, or null where it is empty. @throws Bug for anything else. */
export function textOrNullAt(reply: readonly unknown[], place: number): string | null {
  const text = textAt(reply, place);
  return text === '' ? null : text;
}

/** The whole number at a place of a reply. @throws Bug for anything else. */
export function numberAt(reply: readonly unknown[], place: number): number {
  const value = reply[place];
  assert(
    typeof value === 'number' && Number.isSafeInteger(value),
    `reply ${String(reply[0])} has no number at ${place}`,
  );
  return value;
}

/** The state of an order at a place of a reply. @throws Bug for anything else. */
export function stateAt(reply: readonly unknown[], place: number): BoardState {
  const state = textAt(reply, place);
  if (state === 'open' || state === 'claimed' || state === 'paying' || state === 'closed') return state;
  throw new Bug(`the board knows no state ${state}`);
}

/** The order at a place of a reply. @throws Bug for anything else. */
export function orderAt(reply: readonly unknown[], place: number): BoardOrder {
  return readOrder(textAt(reply, place));
}

/** A reply or value that is a list. @throws Bug for anything else. */
export function listOf(value: unknown): readonly unknown[] {
  assert(Array.isArray(value), 'Redis answered with no list');
  return value;
}

/** A text reply of a plain command, or null. @throws Bug for anything else. */
export function textOrNull(reply: unknown): string | null {
  assert(reply === null || typeof reply === 'string', 'Redis answered neither text nor nothing');
  return reply;
}

/** An order as the board keeps it: a JSON list, with the amount as text, which no floating number ever touches. */
export function writeOrder(order: BoardOrder): string {
  return JSON.stringify([order.orderId, order.item, order.amountMinor.toString(), order.currency, order.deliveryMs]);
}

/** Reads what `writeOrder` wrote. @throws Bug for anything else. */
export function readOrder(body: string): BoardOrder {
  const [orderId, item, amount, currency, deliveryMs] = listOf(JSON.parse(body));
  assert(typeof orderId === 'string' && typeof currency === 'string', 'an order has an id and a currency');
  assert(item === null || typeof item === 'number', 'the item of an order is a number or null');
  assert(typeof amount === 'string' && /^\d{1,18}$/.test(amount), 'the amount of an order is a text of digits');
  assert(typeof deliveryMs === 'number', 'the delivery time of an order is a number');
  return { orderId, item, amountMinor: BigInt(amount), currency, deliveryMs };
}
