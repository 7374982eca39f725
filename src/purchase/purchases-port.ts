/**
 * What the phones, the machine link and the console may ask of purchases: the coordinator's face. Nobody else calls
 * `transition`, and nobody but the journal writes a purchase.
 */
import type { Money } from '../money.ts';
import type { DurationMs } from '../time.ts';
import type { EffectKey, NoticeTemplate } from './effect.ts';
import type { PurchaseEvent } from './event.ts';
import type { BoardOrder } from './order-board-port.ts';
import type { Check, Secret } from './payment-port.ts';
import type {
  Channel,
  DeclineCode,
  MachineId,
  Msisdn,
  PayerId,
  PurchaseId,
  ReversalReason,
  State,
  ValidationBy,
} from './purchase.ts';
import type { MachineStatement, RegisteredMachine } from './store-port.ts';

/** A purchase as a phone may show it. */
export type PurchaseView = {
  readonly id: PurchaseId;
  readonly reference: string;
  readonly state: State;
  /** The machine has accepted the approval, though that may not be in the journal yet. */
  readonly isAccepted: boolean;
  readonly machineId: MachineId;
  readonly machineNumber: string;
  readonly orderSeq: number;
  readonly item: number | null;
  readonly productName: string;
  readonly price: Money;
  readonly channel: Channel;
  readonly validation: { readonly by: ValidationBy; readonly triesLeft: number | null } | null;
  /** An answer of the payer's was passed on, whatever became of it: while it is open only the wallet knows what moved. */
  readonly isAnswered?: boolean;
  readonly declineCode: DeclineCode | null;
  readonly reversalReason: ReversalReason | null;
  readonly sinceConfirmedMs: DurationMs;
  readonly sinceEndedMs: DurationMs | null;
};

/** The payer's yes. `purchaseId` is the one fixed with the claim, so a second yes finds the same purchase. */
export type Confirmation = {
  readonly purchaseId: PurchaseId;
  readonly machine: RegisteredMachine;
  readonly orderSeq: number;
  readonly order: BoardOrder;
  readonly productName: string;
  readonly payerId: PayerId;
  readonly channel: Channel;
};

/** Why a confirmation began nothing: in each case nothing was asked of the wallet, and the phone may say so. */
export type ConfirmRefusal =
  /** Less than the cut-off was left of the machine's waiting time, or it is over. */
  | 'too_late'
  /** Another order is on the machine, or this one is closed. */
  | 'order_changed'
  /** No order: Redis was wiped, or the machine is free again. */
  | 'order_gone'
  /** Another payer is at it. */
  | 'taken'
  | 'machine_suspended'
  /** Redis or PostgreSQL is away, or the wallet's breaker is open, and provably nothing began. */
  | 'service_down';

/** Outcome of a confirmation. `unknown`: the commit has no answer; "in progress" is the truth, "nothing debited" is not. */
export type ConfirmOutcome =
  | { readonly kind: 'begun' | 'exists'; readonly view: PurchaseView }
  | { readonly kind: 'refused'; readonly reason: ConfirmRefusal }
  | { readonly kind: 'unknown'; readonly reference: string };

/** Outcome of the payer's validation answer. */
export type Validated =
  | { readonly kind: 'passed_on'; readonly view: PurchaseView }
  /** Passed on, and the wallet has not said: "in progress" is the truth, and the payer is not asked again. */
  | { readonly kind: 'unanswered'; readonly view: PurchaseView }
  /** Not passed on: too little time is left, or the purchase is not waiting for it. */
  | { readonly kind: 'not_passed_on'; readonly view: PurchaseView }
  | { readonly kind: 'service_down' };

/** Outcome of a machine's statement: acknowledge only what is recorded. */
export type StatementOutcome =
  | { readonly kind: 'recorded'; readonly hasLivePurchase: boolean }
  | { readonly kind: 'busy' };

/** Everything that may be asked of purchases. A view is null when there is no such purchase. */
export interface Purchases {
  /** ST10, advice beside the quote. */
  check(payer: Msisdn, price: Money): Promise<Check>;
  /** Takes the order for payment, commits the purchase, lets the worker ask the wallet. Idempotent by `purchaseId`. */
  confirm(confirmation: Confirmation): Promise<ConfirmOutcome>;
  /** ST12: commits the attempt, passes the secret on, commits the answer. */
  giveValidation(id: PurchaseId, answer: Secret): Promise<Validated>;
  /**
   * Waits until the payer can be told something (declined, a validation, machine accepted, delivered, money back, in
   * doubt), at most `withinMs`, and answers what is true then.
   */
  outcome(id: PurchaseId, withinMs: DurationMs): Promise<PurchaseView | null>;
  view(id: PurchaseId): Promise<PurchaseView | null>;
  /** The payer's purchases, newest first. */
  recentOf(payerId: PayerId, withinMs: DurationMs): Promise<readonly PurchaseView[]>;
  /** The dialog has shown this outcome: its SMS need not go out. Best effort. */
  told(id: PurchaseId, template: NoticeTemplate): Promise<void>;

  /** The purchase that holds this order of a machine, if any. */
  ofOrder(machineId: MachineId, orderSeq: number): Promise<PurchaseView | null>;
  liveOfMachine(machineId: MachineId): Promise<readonly PurchaseView[]>;
  /** Highest order number of any purchase of the machine. */
  seqFloorOf(machineId: MachineId): Promise<number>;
  /** The approvalId of a purchase's one approval. */
  approvalIdOf(id: PurchaseId): EffectKey;
  /**
   * A machine's final word. Stored once; applied when `approvalId` is the purchase's own (null: `closed` needs none);
   * otherwise kept for a person. `recorded` only after the commit.
   */
  recordStatement(statement: {
    readonly statement: MachineStatement;
    readonly event: Extract<PurchaseEvent, { type: 'vend_succeeded' | 'vend_failed' | 'vend_closed' }>;
    readonly approvalId: EffectKey | null;
  }): Promise<StatementOutcome>;
  /** The machine said, in an answer, `hello` or `order.query`, that it has this approval: acceptance is inferred. */
  noteAccepted(machineId: MachineId, orderSeq: number, approvalId: EffectKey): Promise<void>;
}

/** The payer's phone as the worker sees it: one text, sent by the SMS room's policy. */
export interface NoticePort {
  send(notice: {
    readonly template: NoticeTemplate;
    readonly payer: Msisdn;
    readonly language: string | null;
    readonly view: PurchaseView;
    /** Stable name of this text, so that a repetition can be recognized. */
    readonly key: EffectKey;
    readonly tries: number;
  }): Promise<
    | { readonly kind: 'sent' }
    /** Never: refused for good, or out of its time. Shown to a person. */
    | { readonly kind: 'given_up'; readonly why: string }
    | { readonly kind: 'later'; readonly inMs: DurationMs; readonly why: string }
  >;
}

/** Word to the worker that a machine is ready: its approvals and questions are due now. */
export interface MachineWaker {
  machineReady(machineId: MachineId): void;
}
