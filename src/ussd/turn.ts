/**
 * One turn of a dialog: what a step is given, and what it gives back.
 */
import type { NoticeTemplate } from '../purchase/effect.ts';
import type { DialogBoard, OrderBoard } from '../purchase/order-board-port.ts';
import type { Msisdn, PurchaseId } from '../purchase/purchase.ts';
import type { Purchases, PurchaseView } from '../purchase/purchases-port.ts';
import type { Directory, Subscribers } from '../purchase/store-port.ts';
import { Fault } from '../result.ts';
import type { SmppLog } from '../smpp/bind.ts';
import type { Clock, DurationMs } from '../time.ts';
import type { DialogRecord } from './dialog-record.ts';
import type { Phrases, PhraseValues } from './phrases.ts';
import type { Screen } from './screens.ts';

/** What an operator may set of the dialogs; all durations in milliseconds. In parentheses: the defaults of `config.ts`. */
export interface UssdSettings {
  /** The code that payers dial, without `*` and `#`; inner stars where it is shared: `384*77` (`123`). */
  readonly serviceCode: string;
  /** How long a dial waits for the order that may still be on its way (4000). */
  readonly rendezvousMs: DurationMs;
  /** How long a claim lives after the last step (60 000). */
  readonly claimMs: DurationMs;
  /** How long an interrupted dialog can be taken up again, and how far back a redial looks for purchases (300 000). */
  readonly resumeMs: DurationMs;
  /** Within this time after a paid vend the same thing is not offered again without asking (60 000). */
  readonly paidAgainMs: DurationMs;
  /** From the arrival of a dial or key to the last moment at which an answer is of use (8000). */
  readonly replyDeadlineMs: DurationMs;
  /** Without a key for so long, the dialog is over (90 000). */
  readonly dialogIdleMs: DurationMs;
  /** A repetition within this time is the network's, not the payer's (5000). */
  readonly dedupeMs: DurationMs;
  /** How long the quote waits for the wallet's advice, ST10 (1000). */
  readonly checkWaitMs: DurationMs;
  /** Dialogs open at once in this node; beyond it a new one hears `try_later` (20 000). */
  readonly maxDialogs: number;
}

/** What the dialog needs of the other rooms. */
export interface DialogDeps {
  readonly settings: UssdSettings;
  /** `payment.cutoffMs`: with less left of the machine's wait nothing is begun. */
  readonly cutoffMs: number;
  readonly phrases: Phrases;
  readonly dialogs: DialogBoard;
  readonly orders: OrderBoard;
  readonly directory: Directory;
  readonly subscribers: Subscribers;
  readonly purchases: Purchases;
  /** A new UUIDv7. */
  readonly newPurchaseId: () => PurchaseId;
  /** A new name, unlike any other, by which a node knows the turn that it has taken. */
  readonly newId: () => string;
  readonly clock: Clock;
  readonly log: SmppLog;
}

/** What a step is given. The record is already saved with this turn's number: no other node answers it. */
export type Turn = {
  readonly deps: DialogDeps;
  readonly account: string;
  readonly msisdn: Msisdn;
  /** The payer's pseudonym: the key of boards and rate limits. */
  readonly payer: string;
  readonly number: number;
  readonly record: DialogRecord;
  /** A yes was given for `purchaseId` before this turn: its purchase may live, whatever is refused now. */
  readonly wasConfirmed: boolean;
  /** Moment on the clock after which an answer is of no use. */
  readonly replyByMs: number;
  /** As keyed, folded; empty for a PIN. */
  readonly input: string;
  /** The payer's purchases where this turn has asked for them; null when it has not. */
  readonly views: readonly PurchaseView[] | null;
};

/** What a step gives back: a screen, and what the record keeps from now on. */
export type Next = {
  readonly screen: Screen;
  readonly values: PhraseValues;
  /** The text, where it is not the one named as the screen. */
  readonly text?: string;
  /** The same screen as before, under a line that says why: the record keeps the text without that line. */
  readonly isRepeat?: true;
  readonly changes: Partial<DialogRecord>;
  /** The outcome that the screen shows; its SMS need not go out once the gateway has taken it. */
  readonly tells?: { readonly id: PurchaseId; readonly template: NoticeTemplate };
};

/** A screen without values and without a change. */
export function show(screen: Screen, values: PhraseValues = {}, changes: Partial<DialogRecord> = {}): Next {
  return { screen, values, changes };
}

/** What is left of the reply's time after `reserveMs`, never negative. */
export function leftOf(turn: Turn, reserveMs: number): number {
  return Math.max(0, turn.replyByMs - turn.deps.clock.now() - reserveMs);
}

/**
 * Asks the board, and once more when the answer was lost: each of its calls may be repeated.
 *
 * @throws Fault when the second answer is lost too
 */
export async function askBoard<Answer>(call: () => Promise<Answer>): Promise<Answer> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof Fault) || error.happened === 'no') throw error;
    return call();
  }
}
