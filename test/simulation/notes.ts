/**
 * What the parts of a simulation tell the books. Each note is made at the moment at which the thing is true: at the
 * server that executes, at the phone that shows, at the hardware that drops; never when somebody only hears of it.
 */
import type { Money } from '../../src/money.ts';
import type { EffectKey, NoticeTemplate } from '../../src/purchase/effect.ts';
import type { Attention, MachineId, Msisdn, PayerId, PurchaseId } from '../../src/purchase/purchase.ts';
import type {
  BeginCommit,
  Begun,
  Commit,
  Committed,
  EffectRow,
  MachineStatement,
  RefundCommit,
} from '../../src/purchase/store-port.ts';
import type { DurationMs } from '../../src/time.ts';

/** What the journal has executed, whether or not anybody hears the answer. `watchStore` of watch.ts makes these notes. */
export interface JournalNotes {
  begun(node: string, commit: BeginCommit, answer: Begun): void;
  committed(node: string, commit: Commit, answer: Committed): void;
  /** `keepStatement`: a statement that moves nothing. */
  statementKept(
    node: string,
    statement: MachineStatement,
    purchaseId: PurchaseId | null,
    opened: readonly Attention[],
  ): void;
  queryPlanned(node: string, purchaseId: PurchaseId, row: EffectRow): void;
  refundRecorded(node: string, commit: RefundCommit, answer: 'recorded' | 'exists' | 'above_price'): void;
  refundSettled(node: string, purchaseId: PurchaseId, n: number): void;
  caseOpened(node: string, purchaseId: PurchaseId, attention: Attention): void;
  /** An effect that ends without an event. */
  effectFinished(node: string, purchaseId: PurchaseId, key: EffectKey): void;
}

/** A call to the wallet as the connector was asked for it, before a byte of it leaves the node. */
export type WalletCall = {
  readonly verb: 'authorize' | 'validate' | 'settle' | 'reverse' | 'query';
  readonly key: EffectKey;
  readonly purchaseId: PurchaseId;
  /** `reverse` alone. */
  readonly authorizeKey?: EffectKey;
};

/** Money that moved at the wallet. `amountMinor` is above 0. */
export type Movement = {
  readonly purchaseId: PurchaseId;
  readonly payer: Msisdn;
  /**
   * `secured`: held, or debited, out of the payer's balance. `returned`: back to the payer, a reversal of what was
   * secured. `refunded`: back to the payer by a refund after the end. `collected`: from what is secured to the
   * operator's credit. `hold_lapsed`: back to the payer since the hold ended before it was captured.
   */
  readonly kind: 'secured' | 'returned' | 'refunded' | 'collected' | 'hold_lapsed';
  readonly amountMinor: bigint;
};

/** What the wallet's ledger says at the moment. */
export interface Ledger {
  /** A payer's balance in minor units. */
  balanceOf(payer: Msisdn): bigint;
  /** The operators' credit together. */
  readonly operatorMinor: bigint;
  /** What is secured, and neither collected nor given back, of all purchases together. */
  readonly pendingMinor: bigint;
}

/** Money and calls. */
export interface WalletNotes {
  /** In the node, at the very call of the port. `watchWallet` notes it. */
  walletCalled(node: string, call: WalletCall): void;
  /** At the wallet's ledger. */
  moneyMoved(movement: Movement): void;
}

/** A good that left the machine. Times are on the machine's own monotonic clock. */
export type Drop = {
  readonly machineId: MachineId;
  readonly orderSeq: number;
  /** The approval under which it was delivered; null where the hardware does not know. */
  readonly approvalId: EffectKey | null;
  readonly selectedAtMs: DurationMs;
  readonly goAheadAtMs: DurationMs;
  readonly droppedAtMs: DurationMs;
  readonly maxWaitMs: DurationMs;
};

/** Name of a machine's statement. */
export type StatementName = Pick<MachineStatement, 'machineId' | 'orderSeq' | 'kind'>;

/** Hardware and agent. */
export interface MachineNotes {
  dropped(drop: Drop): void;
  /** The controller was told to deliver (whether or not something then comes out). */
  goAhead(drop: Omit<Drop, 'droppedAtMs'>): void;
  /** An approval reached the machine's agent. */
  approvalPut(machineId: MachineId, orderSeq: number, approvalId: EffectKey): void;
  /** The machine's journal holds a statement of its own, on disk. */
  stated(statement: StatementName): void;
  /** The machine's agent heard that this statement is acknowledged (it drops it from its list of what is owed). */
  acknowledged(statement: StatementName): void;
  /** The machine's journal is gone, with every statement it still owed. */
  machineJournalLost(machineId: MachineId): void;
}

/** A text of ours on its way to a phone. */
export type Saying = {
  readonly payer: Msisdn;
  readonly by: 'ussd' | 'sms';
  readonly text: string;
  /** USSD: the dialog ends with this screen. */
  readonly isEnd: boolean;
};

/** Which text is due to whom. */
export type NoticeName = { readonly purchaseId: PurchaseId; readonly template: NoticeTemplate };

/** What a payer is about to be quoted, as his record on the board holds it: his yes is about this. */
export type Offer = {
  readonly purchaseId: PurchaseId;
  readonly machineNumber: string;
  readonly orderSeq: number;
  readonly item: number | null;
  readonly productName: string;
  readonly price: Money;
};

/** What a payer's record on the board is about. */
export type HeldOffer = {
  readonly purchaseId: PurchaseId;
  /** A yes was given under this name. */
  readonly isConfirmed: boolean;
  /** That yes was the key, or the text, that this record is of. */
  readonly isYes: boolean;
  /** What an earlier record was about counts no more. */
  readonly isNewTurn: boolean;
  /** The answer that is kept with it, and said afterwards; null while it is owed. */
  readonly text: string | null;
};

/** Phones. */
export interface PhoneNotes {
  /** In the node, as the account is asked to send: truth is judged now. Answers a name for the notes that follow. */
  said(node: string, saying: Saying): number;
  /** The network answered that it took the text: the node may hold it for told. */
  taken(saying: number): void;
  /** It appeared on the display, or arrived as a message. */
  shown(saying: number): void;
  /** The payer's row, as the journal numbered it. `watchStore` notes it. */
  payerMet(payerId: PayerId, payer: Msisdn): void;
  /** A dialog's record was saved on the board, or a text's quote was taken: whose answer is next, it is about this. `watchDialogs` notes it. */
  offerHeld(payerMac: string, held: HeldOffer): void;
  /** A quote was saved on the board, before its text is said. `payerMac` as in `offerHeld`. `watchDialogs` notes it. */
  quoted(payerMac: string, offer: Offer): void;
  /** A notice is handed to the notifier, and what became of it. `watchNotices` notes it. */
  noticed(node: string, notice: NoticeName, outcome: 'asked' | 'sent' | 'given_up' | 'later'): void;
  /** The payer broke off, or the network did; his dialog is over. */
  hungUp(payer: Msisdn): void;
}

/** What hits everybody. */
export interface WorldNotes {
  /** A payer's balance before anything is bought. */
  funded(payer: Msisdn, balanceMinor: bigint): void;
  nodeKilled(node: string): void;
  boardWiped(): void;
  /** A row of the table of edges that only its maker can see (30: a key delivered again after its answer went out). */
  reached(edge: number): void;
}

/** Everything that can be noted. Node names are incarnations: a restarted node has a new one. */
export interface Notes extends JournalNotes, WalletNotes, MachineNotes, PhoneNotes, WorldNotes {}
