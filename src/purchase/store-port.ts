/**
 * The journal as the coordinator, the workers and the readers see it. Implemented over PostgreSQL in `src/store/` and
 * in memory for unit tests and simulation; both pass the same contract suite.
 *
 * A thrown `Fault` says whether the statement may have been executed (`happened`). State, event, effects and deadline
 * change together or not at all.
 */
import type { DurationMs, UnixMs } from '../time.ts';
import type { EffectKey, LeasedEffect, PlannedEffect } from './effect.ts';
import type { Confirmed, PurchaseEvent } from './event.ts';
import type { Attention, LivePurchase, MachineId, Msisdn, PayerId, Purchase, PurchaseId, State } from './purchase.ts';

/** A purchase as read, with what the journal's clock says of it. */
export type Loaded = {
  readonly purchase: Purchase;
  /** Until the deadline, negative when it has passed; null once ended. */
  readonly leftMs: DurationMs | null;
  readonly sinceConfirmedMs: DurationMs;
  /** Since the end; null while live. */
  readonly sinceEndedMs: DurationMs | null;
};

/** A machine's final word on an order, stored once under (machine, order, kind). */
export type MachineStatement = {
  readonly machineId: MachineId;
  readonly orderSeq: number;
  readonly kind: 'success' | 'failure' | 'closed';
  /** As received, without anything about the payer. */
  readonly content: Readonly<Record<string, unknown>>;
};

/** An effect to be written with a commit, its key made. */
export type EffectRow = PlannedEffect & {
  readonly key: EffectKey;
  /**
   * This node takes the first lease, which runs from the commit, and carries the effect out from memory when `dueInMs`
   * (at most a few seconds) is over. A machine effect that is own gets `may_sent` in this same commit.
   */
  readonly isOwn: boolean;
};

/** Commit 1: the purchase begins. */
export type BeginCommit = {
  readonly purchase: LivePurchase;
  readonly event: Confirmed;
  readonly effects: readonly EffectRow[];
  readonly deadlineMs: DurationMs;
};
/** `order_taken`: another live or paid purchase holds the order. `order_over`: the machine is past this number. */
export type Begun =
  | { readonly kind: 'begun' }
  | { readonly kind: 'exists'; readonly loaded: Loaded }
  | { readonly kind: 'order_taken'; readonly by: Loaded | null }
  | { readonly kind: 'order_over' }
  | { readonly kind: 'machine_suspended' }
  | { readonly kind: 'machine_unknown' };

/** Any later commit, against the version and state that were read. */
export type Commit = {
  readonly before: { readonly id: PurchaseId; readonly version: number; readonly state: State };
  readonly after: Purchase;
  readonly event: PurchaseEvent;
  /** `keep`: as it was; a number: from now on; null: the purchase has ended. */
  readonly deadline: 'keep' | DurationMs | null;
  readonly planned: readonly EffectRow[];
  /** Effects that this event answers, and those that only the state left behind called for. */
  readonly dropped: readonly EffectKey[];
  /** Effects that stay planned, under the same key, but become due at another time (counted from now). */
  readonly rescheduled: readonly { readonly key: EffectKey; readonly dueInMs: DurationMs }[];
  /** `approval_unreachable`: committed only if the approve effect of this key was provably never sent. */
  readonly onlyIfUnsent: EffectKey | null;
  readonly statement: MachineStatement | null;
  readonly opened: readonly Attention[];
  readonly closed: readonly Attention[];
  /** Not flushed to disk before the answer: for `approval_accepted` and `settled` alone. */
  readonly isLazy: boolean;
};
/** `lost_race`: another commit came first, or `onlyIfUnsent` did not hold. `statement_known`: reload, acknowledge. */
export type Committed = { readonly kind: 'committed' | 'lost_race' | 'statement_known' };

/** Money given back after the end: a record of its own, with its own effect; the purchase's state stays. */
export type RefundCommit = {
  readonly purchaseId: PurchaseId;
  readonly n: number;
  readonly amountMinor: bigint;
  readonly requestedBy: string;
  readonly reason: string;
  readonly effect: EffectRow;
  readonly opened: readonly Attention[];
};

/** The journal. */
export interface PurchaseStore {
  begin(commit: BeginCommit): Promise<Begun>;
  load(id: PurchaseId): Promise<Loaded | null>;
  commit(commit: Commit): Promise<Committed>;
  /** A statement for an order without purchase, or against an edge already taken: stored once, answered, moves nothing. */
  keepStatement(
    statement: MachineStatement,
    purchaseId: PurchaseId | null,
    opened: readonly Attention[],
  ): Promise<void>;
  /**
   * A late event of an ended purchase: one `query_payment`, due as asked. One that is planned already becomes due by
   * then, and whoever is carrying it out has lost its lease: what he learned may be older than this event.
   */
  planQuery(id: PurchaseId, effect: EffectRow): Promise<void>;
  /** The sum of all refunds of a purchase never exceeds its price. `exists`: this number was recorded before. */
  refund(commit: RefundCommit): Promise<'recorded' | 'exists' | 'above_price'>;
  refundSettled(id: PurchaseId, n: number): Promise<void>;
  /** Opens a case for a person; harmless when it is open already. */
  openCase(id: PurchaseId, attention: Attention): Promise<void>;

  /** Takes due effects that need no socket; the lease is theirs for `leaseMs`. */
  takeDue(limit: number, leaseMs: DurationMs): Promise<readonly LeasedEffect[]>;
  /** Takes due effects of these machines. `approve` rows get `maySent` set in the same flushed commit. */
  takeForMachines(
    machineIds: readonly MachineId[],
    limit: number,
    leaseMs: DurationMs,
  ): Promise<readonly LeasedEffect[]>;
  /**
   * Puts an effect off. Fenced by `tries` and owner: false when the lease was lost meanwhile. `sent`: of an approval
   * that was taken and provably not written, `maySent` is cleared, unless it was set before this take.
   */
  reschedule(effect: LeasedEffect, dueInMs: DurationMs, why: string, sent?: 'maybe' | 'provably_not'): Promise<boolean>;
  /** The lease anew for `leaseMs`, for a further call of the same effect. Fenced likewise: false when it was lost. */
  keepLease(effect: LeasedEffect, leaseMs: DurationMs): Promise<boolean>;
  /**
   * An effect that ends without an event: a text sent, or shown in the dialog. `tries`: only if nobody has taken it
   * since, for an end that rests on an answer which a later taker's may contradict.
   */
  finish(id: PurchaseId, key: EffectKey, tries?: number): Promise<void>;
  /** Live purchases whose deadline has passed, oldest first. */
  pastDeadline(limit: number): Promise<readonly Loaded[]>;
  /** A purchase whose decision failed must not hold up the others. */
  putOffDeadline(id: PurchaseId, version: number, byMs: DurationMs): Promise<void>;
  /** Effects of a purchase that are still planned, for tests, the audit and the timeline. */
  effectsOf(id: PurchaseId): Promise<readonly LeasedEffect[]>;

  /** The purchase that holds this order, or null. */
  ofOrder(machineId: MachineId, orderSeq: number): Promise<Loaded | null>;
  /** Live purchases of a machine, for `hello`. */
  liveOfMachine(machineId: MachineId): Promise<readonly Loaded[]>;
  /** Highest order number of any purchase of the machine; 0 when there is none. */
  seqFloorOf(machineId: MachineId): Promise<number>;
  /** The payer's purchases, newest first, within `withinMs`. */
  recentOfPayer(payerId: PayerId, withinMs: DurationMs, limit: number): Promise<readonly Loaded[]>;
}

/** A machine as registered. */
export type RegisteredMachine = {
  readonly machineId: MachineId;
  readonly number: string;
  readonly operatorId: number;
  readonly operatorAccount: string;
  readonly name: string;
  readonly place: string;
  readonly currency: string;
  readonly priceMode: 'machine' | 'server' | 'both';
  readonly minMinor: bigint;
  readonly maxMinor: bigint;
  readonly isSuspended: boolean;
  /** HMAC-SHA-256 of the machine's key under the server's secret, hexadecimal; the newer first. */
  readonly credentialMacs: readonly string[];
  /** Default language of the operator, for payers who chose none. */
  readonly language: string;
};
/** A product on a machine. `priceMinor`: the catalog's, or null where only the machine knows. */
export type RegisteredItem = { readonly productName: string; readonly priceMinor: bigint | null };

/** What operators register: read from PostgreSQL, kept in each node for a minute. */
export interface Directory {
  machineByNumber(number: string): Promise<RegisteredMachine | null>;
  machineById(machineId: MachineId): Promise<RegisteredMachine | null>;
  /** Null: the machine sells an item that nobody registered; its number is shown instead. */
  itemOf(machineId: MachineId, item: number | null): Promise<RegisteredItem | null>;
}

/** Payers. Numbers are kept encrypted, found by a keyed hash. */
export interface Subscribers {
  /** The payer's row, made at the first contact. */
  meet(msisdn: Msisdn): Promise<{ readonly payerId: PayerId; readonly language: string | null }>;
  msisdnOf(payerId: PayerId): Promise<Msisdn>;
  setLanguage(payerId: PayerId, language: string): Promise<void>;
  /** Keyed hash of a number, for keys of the boards and for logs; hexadecimal. */
  pseudonymOf(msisdn: Msisdn): string;
}

/** An event as the journal numbers it, for timeline, call records and the live feed. */
export type JournalEntry = {
  readonly purchaseId: PurchaseId;
  readonly version: number;
  readonly event: string;
  readonly state: State;
  readonly at: UnixMs;
  readonly node: string;
  readonly content: Readonly<Record<string, unknown>>;
};

/** Readers of the journal; they write nothing. */
export interface JournalReader {
  timeline(id: PurchaseId): Promise<readonly JournalEntry[]>;
}
