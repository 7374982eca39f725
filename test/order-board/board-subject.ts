/**
 * What a contract suite runs over: two nodes on one board, whose time, memory and connection a test can bend.
 */
import { expect } from 'chai';
import type { Board } from '../../src/order-board/board.ts';
import type { BoardOrder } from '../../src/purchase/order-board-port.ts';
import { Fault } from '../../src/result.ts';
import type { DurationMs } from '../../src/time.ts';

/** Two nodes, `near` and `far`, on one board. */
export interface BoardSubject {
  readonly near: Board;
  readonly far: Board;
  /** Lets at least `ms` pass, on the board's clock and on the nodes'. */
  pass(ms: DurationMs): Promise<void>;
  /** Empties the board, as FLUSHALL does. */
  wipe(): Promise<void>;
  /** The next reply to `near` that concerns this text is lost after the act. */
  cutReplyTo(text: string): void;
  /** Resolves when `near` is connected again. */
  reconnected(): Promise<void>;
  close(): Promise<void>;
}

/** Opens a fresh subject; each test has its own. */
export type OpenSubject = () => Promise<BoardSubject>;

/** Longest real wait of the suite: so short that boundaries are reached, so long that a slow machine does not pass them. */
export const shortMs: DurationMs = 150;

/** An order whose amount no floating number can hold. */
export const drink: BoardOrder = {
  orderId: 'o-0001',
  item: 12,
  amountMinor: 9_007_199_254_740_993n,
  currency: 'XOF',
  deliveryMs: 60_000,
};

/** What `place` is given, with what a test changes. */
export function placing(changed: Partial<Parameters<Board['orders']['place']>[0]> = {}) {
  return { machineId: 'm1', orderSeq: 7, print: 'print of 7', order: drink, waitMs: 60_000, ...changed };
}

/** What `claim` is given, with what a test changes. */
export function claiming(purchaseId: string, changed: { holdMs?: number; minLeftMs?: number } = {}) {
  return { machineId: 'm1', purchaseId, holdMs: 30_000, minLeftMs: 20_000, ...changed };
}

/** What `takeForPayment` is given, with what a test changes. */
export function taking(purchaseId: string, changed: { orderSeq?: number; minLeftMs?: number } = {}) {
  return { machineId: 'm1', purchaseId, orderSeq: 7, minLeftMs: 20_000, ...changed };
}

/** The number of replies of each kind. */
export function countKinds(replies: readonly { readonly kind: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { kind } of replies) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

/** The fault that a call was rejected with. Fails when it was not. */
export async function faultOf(call: Promise<unknown>): Promise<Fault> {
  try {
    await call;
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  return expect.fail('the call was answered');
}

/** Makes a call whose reply is lost, and makes it again: the reply of the repetition. */
export async function repeatedAfterCut<Reply>(
  subject: BoardSubject,
  text: string,
  call: () => Promise<Reply>,
): Promise<Reply> {
  subject.cutReplyTo(text);
  const fault = await faultOf(call());
  expect(fault.happened).to.equal('unknown');
  await subject.reconnected();
  return call();
}
