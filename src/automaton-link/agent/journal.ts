/**
 * The machine's journal: what it promised, did and still has to say, on disk before anybody hears of it. Lines of
 * `crc32 json`; a torn last line is dropped.
 */
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { assert, Fault } from '../../result.ts';
import { writeJson } from '../frame.ts';
import { closedResult, failureCode, type JournalState, presumedBasis } from '../messages.ts';
import type { JournalFile } from './journal-file.ts';

/** Acknowledged orders that are kept, so that `order.query` can have them said again. */
const maxAcked = 32;
/** Lines before the file is written anew. */
const maxLines = 400;
/** Statements that may be unacknowledged; at this number no further order begins. */
export const maxUnacked = 256;

/** How an order was closed: the link's results; `denied` by the server; `stale`: its number was not ours to use. */
const closing = z.union([closedResult, z.enum(['denied', 'stale'])]);
/** How an order was closed. */
export type Closing = z.output<typeof closing>;

const seq = z.int().min(0).max(4_294_967_295);
const amount = z.int().transform((minor) => BigInt(minor));
const line = z.discriminatedUnion('t', [
  /** Header: lowest number the journal answers for, highest number ever used or seen. */
  z.object({ t: z.literal('H'), firstSeq: seq, highWater: seq }),
  z.object({
    t: z.literal('W'),
    seq,
    item: z.int().nullable(),
    amount: amount.nullable(),
    currency: z.string(),
    maxWaitMs: z.number(),
    bootId: z.string(),
  }),
  z.object({ t: z.literal('C'), seq, result: closing, approvalSeen: z.string().nullable(), isSilent: z.boolean() }),
  z.object({ t: z.literal('A'), seq, approvalId: z.string(), amount }),
  z.object({ t: z.literal('D'), seq }),
  z.discriminatedUnion('state', [
    z.object({ t: z.literal('R'), seq, state: z.literal('succeeded') }),
    z.object({ t: z.literal('R'), seq, state: z.literal('presumed'), basis: presumedBasis }),
    z.object({ t: z.literal('R'), seq, state: z.literal('failed'), code: failureCode }),
  ]),
  z.object({ t: z.literal('K'), seq }),
]);
type Line = z.output<typeof line>;

/** What came of a delivery. */
export type VendOutcome =
  | { readonly state: 'succeeded' }
  | { readonly state: 'presumed'; readonly basis: z.output<typeof presumedBasis> }
  | { readonly state: 'failed'; readonly code: z.output<typeof failureCode> };

/** An order as the journal has it. */
export type OrderRecord = {
  readonly seq: number;
  readonly item: number | null;
  readonly amount: bigint | null;
  readonly currency: string;
  readonly maxWaitMs: number;
  readonly bootId: string;
  readonly state: Exclude<JournalState, 'none' | 'unknown'>;
  readonly approval: { readonly id: string; readonly amount: bigint } | null;
  readonly outcome: VendOutcome | null;
  readonly closed: { readonly result: Closing; readonly approvalSeen: string | null } | null;
  /** A statement that nobody has acknowledged. */
  readonly isOwed: boolean;
};

function encodeLine(content: Line): string {
  const json = writeJson(content);
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`;
}

function decodeLine(text: string): Line | null {
  const json = text.slice(9);
  if (text.slice(0, 9) !== `${crc32(json).toString(16).padStart(8, '0')} `) return null;
  const read = line.safeParse(JSON.parse(json));
  return read.success ? read.data : null;
}

/**
 * The lines up to the first broken one. What was fsynced lies before it, so a broken end is a power cut; a good line
 * behind a broken one is not, and a journal that may have lost a delivery must not speak.
 */
function readLines(text: string): Line[] {
  const lines: Line[] = [];
  let isBroken = false;
  for (const part of text.split('\n')) {
    if (part === '') continue;
    const decoded = decodeLine(part);
    if (decoded === null) isBroken = true;
    else if (isBroken) throw new Fault('journal_damaged', 'unknown');
    else lines.push(decoded);
  }
  // A last line without its end may go on with bytes that were lost; its CRC says that it is whole.
  return lines;
}

/** The journal of one machine, held open by one agent. */
export class Journal {
  readonly #file: JournalFile;
  readonly #orders = new Map<number, OrderRecord>();
  /** Those of them with an unacknowledged statement. */
  readonly #owed = new Map<number, OrderRecord>();
  #firstSeq = 1;
  #highWater = 0;
  #lineCount = 0;
  #isBroken = false;
  #isEnded = false;

  /**
   * Reads the file and writes it anew without what is no longer needed.
   * @throws Fault `journal_damaged` (a good line behind a broken one), `journal_write_failed`.
   */
  constructor(file: JournalFile) {
    this.#file = file;
    for (const content of readLines(file.read())) this.#apply(content);
    this.#compact();
  }

  /** Lowest number that the journal answers for. */
  get firstSeq(): number {
    return this.#firstSeq;
  }

  /** Highest number ever used; the next order has the one above it. */
  get highWater(): number {
    return this.#highWater;
  }

  /** True after a write failed: nothing can be promised any more until the machine is restarted. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** The order, or null when nothing of it is kept. */
  find(orderSeq: number): OrderRecord | null {
    return this.#orders.get(orderSeq) ?? null;
  }

  /** State as the link names it. */
  stateOf(orderSeq: number): JournalState {
    const record = this.find(orderSeq);
    if (record !== null) return record.state;
    return orderSeq >= this.#firstSeq && orderSeq <= this.#highWater ? 'none' : 'unknown';
  }

  /** Orders with an unacknowledged statement, oldest first. */
  owed(): OrderRecord[] {
    return [...this.#owed.values()].sort((one, other) => one.seq - other.seq);
  }

  /** Orders that have not come to an end, oldest first. */
  unfinished(): OrderRecord[] {
    return [...this.#orders.values()]
      .filter(({ closed, outcome }) => closed === null && outcome === null)
      .sort((one, other) => one.seq - other.seq);
  }

  /** `W`: an order begins. On disk before `vend.request` is written. */
  wait(order: Pick<OrderRecord, 'seq' | 'item' | 'amount' | 'currency' | 'maxWaitMs' | 'bootId'>): void {
    assert(order.seq > this.#highWater, 'an order number is used once');
    this.#write({ t: 'W', ...order }, true);
  }

  /** `C`: not delivered and never will be. `isSilent`: nobody needs to be told. */
  close(orderSeq: number, closed: { result: Closing; approvalSeen: string | null; isSilent: boolean }): void {
    this.#write({ t: 'C', seq: orderSeq, ...closed }, true);
  }

  /** `A`: this approval is the order's one. On disk before `accepted` is written. */
  approve(orderSeq: number, approvalId: string, approved: bigint): void {
    this.#write({ t: 'A', seq: orderSeq, approvalId, amount: approved }, true);
  }

  /** `D`: on disk before the go-ahead. */
  deliver(orderSeq: number): void {
    this.#write({ t: 'D', seq: orderSeq }, true);
  }

  /**
   * `R`: what came of it. On disk before `vend.success` or `vend.failure`. Tried on a broken journal too: what is known
   * of a delivery is lost otherwise, and the boot rule would presume it from a `D` that may be on disk.
   */
  finish(orderSeq: number, outcome: VendOutcome): void {
    this.#write({ t: 'R', seq: orderSeq, ...outcome }, true, true);
  }

  /** `K`: acknowledged. Not flushed: losing it costs one more replay. */
  acknowledge(orderSeq: number): void {
    this.#write({ t: 'K', seq: orderSeq }, false);
    if (this.#lineCount > maxLines) this.#compact();
  }

  /** Nothing was ever written: the machine is new, or its journal was lost or replaced. */
  get isNew(): boolean {
    return this.#highWater === 0;
  }

  /** Numbers up to this one are used; none of them will be minted any more. */
  raise(highWater: number): void {
    if (highWater > this.#highWater) this.#write({ t: 'H', firstSeq: this.#firstSeq, highWater }, true);
  }

  /**
   * The server has seen numbers above this journal's: it was replaced. It reuses none, and vouches for no older order:
   * what it closed or left waiting below is forgotten unsaid, deliveries are still told.
   */
  startAbove(seqFloor: number): void {
    if (seqFloor >= this.#firstSeq) {
      this.#write({ t: 'H', firstSeq: seqFloor + 1, highWater: Math.max(seqFloor, this.#highWater) }, true);
    }
  }

  /** Closes the file. */
  end(): void {
    this.#isBroken = true;
    this.#isEnded = true;
    this.#file.close();
  }

  #write(content: Line, isFlushed: boolean, isLastWord = false): void {
    if (this.#isEnded || (this.#isBroken && !isLastWord)) throw new Fault('journal_write_failed', 'no');
    try {
      this.#file.append(encodeLine(content));
      if (isFlushed) this.#file.sync();
    } catch (cause) {
      this.#isBroken = true;
      throw new Fault('journal_write_failed', 'unknown', cause);
    }
    this.#apply(content);
    this.#lineCount += 1;
  }

  #apply(content: Line): void {
    if (content.t === 'H') {
      this.#firstSeq = content.firstSeq;
      this.#highWater = Math.max(this.#highWater, content.highWater);
      for (const [orderSeq, { outcome, approval }] of this.#orders) {
        if (orderSeq < this.#firstSeq && outcome === null && approval === null) this.#drop(orderSeq);
      }
      return;
    }
    if (content.t === 'W') {
      const { t: _, ...order } = content;
      const fresh = { approval: null, outcome: null, closed: null, isOwed: false } as const;
      this.#orders.set(order.seq, { ...order, ...fresh, state: 'waiting' });
      this.#owed.delete(order.seq);
      this.#highWater = Math.max(this.#highWater, order.seq);
      return;
    }
    const record = this.#orders.get(content.seq);
    // Only a header can have dropped it meanwhile.
    if (record === undefined) return;
    const next = applied(record, content);
    this.#drop(content.seq);
    this.#orders.set(content.seq, next);
    if (next.isOwed) this.#owed.set(content.seq, next);
  }

  #drop(orderSeq: number): void {
    this.#orders.delete(orderSeq);
    this.#owed.delete(orderSeq);
  }

  #compact(): void {
    const acked = [...this.#orders.values()].filter(
      ({ isOwed, closed, outcome }) => !isOwed && (closed !== null || outcome !== null),
    );
    // The map is in order of the last change: what was acknowledged first goes first.
    for (const { seq: orderSeq } of acked.slice(0, Math.max(0, acked.length - maxAcked))) this.#drop(orderSeq);
    const lines: Line[] = [{ t: 'H', firstSeq: this.#firstSeq, highWater: this.#highWater }];
    for (const record of this.#orders.values()) lines.push(...linesOf(record));
    try {
      this.#file.replace(lines.map(encodeLine).join(''));
    } catch (cause) {
      this.#isBroken = true;
      throw new Fault('journal_write_failed', 'unknown', cause);
    }
    this.#lineCount = lines.length;
  }
}

function applied(record: OrderRecord, content: Exclude<Line, { t: 'H' } | { t: 'W' }>): OrderRecord {
  switch (content.t) {
    case 'C': {
      const closed = { result: content.result, approvalSeen: content.approvalSeen };
      return { ...record, state: 'closed', closed, isOwed: !content.isSilent };
    }
    case 'A':
      return { ...record, state: 'approved', approval: { id: content.approvalId, amount: content.amount } };
    case 'D':
      return { ...record, state: 'delivering' };
    case 'R': {
      const { t: _, seq: __, ...outcome } = content;
      return { ...record, state: outcome.state, outcome, isOwed: true };
    }
    case 'K':
      return { ...record, isOwed: false };
  }
}

/** The lines that bring an order to where it is. */
function linesOf(record: OrderRecord): Line[] {
  const { item, currency, maxWaitMs, bootId, approval, outcome, closed } = record;
  const lines: Line[] = [{ t: 'W', seq: record.seq, item, amount: record.amount, currency, maxWaitMs, bootId }];
  if (approval !== null) lines.push({ t: 'A', seq: record.seq, approvalId: approval.id, amount: approval.amount });
  if (record.state === 'delivering') lines.push({ t: 'D', seq: record.seq });
  if (closed !== null) lines.push({ t: 'C', seq: record.seq, ...closed, isSilent: !record.isOwed });
  if (outcome !== null) {
    lines.push({ t: 'R', seq: record.seq, ...outcome });
    if (!record.isOwed) lines.push({ t: 'K', seq: record.seq });
  }
  return lines;
}
