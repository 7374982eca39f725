/**
 * The order board as the phones, the machine link and the coordinator see it: the rendezvous of payer and machine.
 * Implemented over Redis in `src/order-board/` and in memory for unit tests. Every call may be repeated; a rejection
 * (`Fault`, happened `unknown`) means: call again. Nothing on the board is needed once a purchase is committed.
 */
import type { Clock, DurationMs } from '../time.ts';
import type { MachineId, PurchaseId } from './purchase.ts';

/** What a machine asks for, as the board keeps it. */
export type BoardOrder = {
  readonly orderId: string;
  readonly item: number | null;
  readonly amountMinor: bigint;
  readonly currency: string;
  readonly deliveryMs: DurationMs;
};

/** State of an order on the board. */
export type BoardState = 'open' | 'claimed' | 'paying' | 'closed';
/** Why an order is closed: the machine's word, the purchase's end, or a person. */
export type CloseReason = string;

/** Reply of `place`. `same`: known already, with the earliest deadline kept. */
export type Placed =
  | {
      readonly kind: 'placed';
      readonly leftMs: DurationMs;
      readonly replaced: { readonly state: BoardState; readonly holder: PurchaseId | null } | null;
    }
  | {
      readonly kind: 'same';
      readonly state: BoardState;
      readonly leftMs: DurationMs;
      readonly order: BoardOrder;
      readonly holder: PurchaseId | null;
      readonly why: CloseReason | null;
    }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'stale'; readonly seq: number }
  | { readonly kind: 'late' };

/** Reply of `claim`. `claimed` and `paying` carry the caller's own order; `leftMs`: until its deadline. */
export type Claimed =
  | { readonly kind: 'claimed'; readonly orderSeq: number; readonly order: BoardOrder; readonly leftMs: DurationMs }
  | { readonly kind: 'paying'; readonly orderSeq: number; readonly order: BoardOrder; readonly leftMs: DurationMs }
  | { readonly kind: 'taken'; readonly state: BoardState; readonly holdLeftMs: DurationMs }
  | { readonly kind: 'closed'; readonly why: CloseReason }
  | { readonly kind: 'expired' }
  | { readonly kind: 'late'; readonly leftMs: DurationMs }
  | { readonly kind: 'none' };

/** Reply of `takeForPayment`. */
export type Taken =
  | { readonly kind: 'taken' | 'again'; readonly leftMs: DurationMs }
  | { readonly kind: 'lost'; readonly state: BoardState }
  | { readonly kind: 'replaced'; readonly orderSeq: number }
  | { readonly kind: 'closed'; readonly why: CloseReason }
  | { readonly kind: 'expired' | 'late' | 'none' };

/** The board. The deadline is kept on the board's own clock; only durations cross this port. */
export interface OrderBoard {
  /** A machine's order, idempotent by `orderSeq`; a higher one always replaces. `waitMs`: how long it still waits. */
  place(order: {
    readonly machineId: MachineId;
    readonly orderSeq: number;
    /** What the machine sent, to tell a repetition from a conflict. */
    readonly print: string;
    readonly order: BoardOrder;
    readonly waitMs: DurationMs;
  }): Promise<Placed>;
  /** Gives one caller the right to confirm, for `holdMs`; the same `purchaseId` renews. */
  claim(claim: {
    readonly machineId: MachineId;
    readonly purchaseId: PurchaseId;
    readonly holdMs: DurationMs;
    /** Refuses as `late` with less left. */
    readonly minLeftMs: DurationMs;
  }): Promise<Claimed>;
  /** As `claim`; while there is no order, waits for one up to `waitMs` (edge 2). */
  claimWhenPlaced(claim: {
    readonly machineId: MachineId;
    readonly purchaseId: PurchaseId;
    readonly holdMs: DurationMs;
    readonly minLeftMs: DurationMs;
    readonly waitMs: DurationMs;
  }): Promise<Claimed>;
  /** From the own claim, or from a lapsed or open order that nobody else holds, to `paying`; right before commit 1. */
  takeForPayment(take: {
    readonly machineId: MachineId;
    readonly purchaseId: PurchaseId;
    readonly orderSeq: number;
    readonly minLeftMs: DurationMs;
  }): Promise<Taken>;
  /** Back to open. `fromPaying` only after a refused commit 1 or a decline. */
  release(release: {
    readonly machineId: MachineId;
    readonly purchaseId: PurchaseId;
    readonly fromPaying: boolean;
  }): Promise<'released' | 'not_held' | 'paying'>;
  /** Ends the order; `holder` is the purchase that was paying for it, to be told by the caller. */
  close(close: {
    readonly machineId: MachineId;
    readonly orderSeq: number;
    readonly why: CloseReason;
  }): Promise<
    | { readonly kind: 'closed'; readonly stateBefore: BoardState; readonly holder: PurchaseId | null }
    | { readonly kind: 'again'; readonly why: CloseReason }
    | { readonly kind: 'other'; readonly orderSeq: number }
    | { readonly kind: 'none' }
  >;
  /** What is there now, for `hello` and the console. */
  look(machineId: MachineId): Promise<{
    readonly orderSeq: number;
    readonly state: BoardState;
    readonly leftMs: DurationMs;
    readonly order: BoardOrder;
    readonly holder: PurchaseId | null;
  } | null>;
}

/** Dialogs, quotes and marks of doubled messages of the phone rooms, per account and payer; volatile. */
export interface DialogBoard {
  /** The dialog's record and the number of its last saved turn; null when there is none (or Redis was wiped). */
  load(account: string, payer: string): Promise<{ readonly turn: number; readonly body: string } | null>;
  /**
   * Compare-and-set on the turn that was read (0: none was there). False when another one is there, or none any more.
   * True, too, when just this body is there: the call before, whose answer was lost, has saved it. `turn`: unlike any that
   * a dialog of this payer had before the board was wiped.
   */
  save(dialog: {
    readonly account: string;
    readonly payer: string;
    readonly turnRead: number;
    readonly turn: number;
    readonly body: string;
    readonly ttlMs: DurationMs;
  }): Promise<boolean>;
  /** True the first time a message of this digest is met within `ttlMs`. */
  isFirst(account: string, digest: string, ttlMs: DurationMs): Promise<boolean>;
  /** An SMS quote, kept for `ttlMs`; a later one replaces it. */
  saveQuote(account: string, payer: string, body: string, ttlMs: DurationMs): Promise<void>;
  /** The quote, read once: whoever reads it takes it. */
  takeQuote(account: string, payer: string): Promise<string | null>;
  /** Stores one part of a long SMS; all parts, in order, once the last one is there. */
  addPart(part: {
    readonly account: string;
    readonly payer: string;
    readonly reference: string;
    readonly total: number;
    readonly part: number;
    readonly text: string;
    readonly ttlMs: DurationMs;
  }): Promise<readonly string[] | null>;
  /** Counts one use; true while at most `limit` were made in the window. Away: each node counts for itself. */
  isWithinRate(what: string, id: string, limit: number, windowMs: DurationMs): Promise<boolean>;
}

/**
 * The number of a dialog's next turn. Its first one is the time of day: no dialog before it can have counted so far, so
 * that after a wipe nothing fits a turn that was read before.
 */
export function turnAfter(turnRead: number, clock: Pick<Clock, 'wall'>): number {
  return turnRead === 0 ? Math.max(1, Math.floor(clock.wall())) : turnRead + 1;
}

/** Which node holds which machine, and which nodes live; volatile, rewritten within seconds. */
export interface Presence {
  /** This node's name with its incarnation, `node:incarnation`. */
  readonly node: string;
  /** Writes the route of a machine to this node's socket; the route before, if any. */
  join(machineId: MachineId, socket: string): Promise<string | null>;
  /** Deletes the route if it is still this socket's. */
  leave(machineId: MachineId, socket: string): Promise<void>;
  /** The living node that holds the machine, or null. */
  whereIs(machineId: MachineId): Promise<string | null>;
  /** Best effort word to another node: take this machine's effects, this purchase moved on. */
  nudge(node: string, message: string): Promise<void>;
  /** Listens to nudges for this node. */
  onNudge(listener: (message: string) => void): void;
  /** Called when Redis is found wiped or restarted: routes are rewritten, machines are asked to repeat their orders. */
  onWiped(listener: () => void): void;
}
