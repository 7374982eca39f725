/**
 * Books with hand-made notes: one machine, one payer, and purchases moved by the real rules as a coordinator would.
 */
import { keyOf } from '../../src/composition/names.ts';
import { loadTexts } from '../../src/config.ts';
import { displayMoney } from '../../src/money.ts';
import { type Effect, keyPartsOf, type PlannedEffect } from '../../src/purchase/effect.ts';
import type { PurchaseEvent } from '../../src/purchase/event.ts';
import type { Attention, Purchase } from '../../src/purchase/purchase.ts';
import type { BeginCommit, Commit, EffectRow, MachineStatement } from '../../src/purchase/store-port.ts';
import { begin, transition } from '../../src/purchase/transition.ts';
import { aConfirmation, order, purchaseId, rules } from '../support/purchase-builders.ts';
import { type Books, createBooks } from './books.ts';
import type { Drop, HeldOffer, Ledger, Movement, Offer } from './notes.ts';
import { createTextReader } from './said-text.ts';

/** The payer of every purchase here, who has 5,000. */
const payer = '221770000001';
/** The payer's name on the boards. */
export const payerMac = `mac of ${payer}`;
/** What his record is about once he has said yes. */
export const heldOffer: HeldOffer = { purchaseId, isConfirmed: true, isYes: true, isNewTurn: true, text: null };
/** The only node. */
export const node = 'n-1:a';
const START = 5000n;
const PRICE = order.price.minor;

function keyOfPlanned(effect: Effect): string {
  const { operation, n } = keyPartsOf(effect);
  return keyOf(purchaseId, operation, n);
}

/** The bench. */
export interface BooksBench {
  readonly books: Books;
  readonly purchase: () => Purchase;
  /** The order is quoted to the payer, but for these changes; he reads it as `text`, or as it is. */
  quote(changes?: Partial<Offer>, text?: string): void;
  /** The quote, and commit 1, as the rules make it but for these changes. */
  begin(changes?: Partial<BeginCommit>): void;
  /** A later commit, as the rules make it but for these changes. */
  apply(event: PurchaseEvent, changes?: Partial<Commit>): void;
  /** Commit 1 alone. */
  beginUnquoted(changes?: Partial<BeginCommit>): void;
  /** A statement of the machine is kept beside the path. */
  keep(kind: MachineStatement['kind'], content: MachineStatement['content'], opened?: readonly Attention[]): void;
  move(kind: Movement['kind'], amountMinor?: bigint): void;
  /** The wallet is called under the key of an operation. */
  call(verb: 'authorize' | 'settle' | 'reverse' | 'validate', n?: number): void;
  drop(changes?: Partial<Drop>): void;
  /** A text that the network takes. */
  say(text: string, by?: 'ussd' | 'sms'): void;
  finish(kind: 'notify', template: 'receipt' | 'declined' | 'refunded'): void;
  /** The ledger says something else than what was moved. */
  forge(balanceMinor: bigint): void;
  /** Everything up to the delivered good, well and truly. */
  sell(): void;
}

/** Empty books over a ledger that follows what is moved. */
export function createBooksBench(): BooksBench {
  let balance = START;
  let pending = 0n;
  let operator = 0n;
  const ledger: Ledger = {
    balanceOf: () => balance,
    get operatorMinor() {
      return operator;
    },
    get pendingMinor() {
      return pending;
    },
  };
  const reader = createTextReader(loadTexts(new URL('../../config/texts/', import.meta.url)), 'Kash');
  const books = createBooks({ rules, ledger, reader, pseudonymOf: () => payerMac });
  let now: Purchase | null = null;
  const purchase = (): Purchase => {
    if (now === null) throw new Error('nothing has begun');
    return now;
  };
  const rowsOf = (planned: readonly PlannedEffect[]): readonly EffectRow[] =>
    planned.map(({ effect, dueInMs }) => ({ effect, dueInMs, key: keyOfPlanned(effect), isOwn: true }));

  books.funded(payer, START);
  books.payerMet(7n, payer);

  function apply(event: PurchaseEvent, changes: Partial<Commit> = {}): void {
    const before = purchase();
    const decision = transition(before, event, rules);
    if (decision.kind !== 'step') throw new Error(`${event.type} is no step in ${before.state}`);
    const { after, deadline, planned, dropped, rescheduled, opened, closed, isLazy, onlyIfUnsent } = decision.step;
    const keyOfName = (name: { kind: Commit['planned'][number]['effect']['kind']; n?: number }): string =>
      keyOf(purchaseId, name.kind, name.n ?? 1);
    const commit: Commit = {
      before: { id: before.id, version: before.version, state: before.state },
      after,
      event,
      deadline,
      planned: rowsOf(planned),
      dropped: dropped.map(keyOfName),
      rescheduled: rescheduled.map(({ effect, dueInMs }) => ({ key: keyOfName(effect), dueInMs })),
      onlyIfUnsent: onlyIfUnsent ? keyOf(purchaseId, 'approve', 1) : null,
      statement: null,
      opened,
      closed,
      isLazy,
      ...changes,
    };
    now = commit.after;
    books.committed(node, commit, { kind: 'committed' });
  }

  function move(kind: Movement['kind'], amountMinor = PRICE): void {
    const isBack = kind === 'returned' || kind === 'refunded' || kind === 'hold_lapsed';
    balance += kind === 'secured' ? -amountMinor : isBack ? amountMinor : 0n;
    if (kind === 'collected') operator += amountMinor;
    if (kind === 'secured') pending += amountMinor;
    else if (isBack && operator > 0n) operator -= amountMinor;
    else pending -= amountMinor;
    books.moneyMoved({ purchaseId, payer, kind, amountMinor });
  }

  function drop(changes: Partial<Drop> = {}): void {
    const { machineId, orderSeq } = order;
    const times = { selectedAtMs: 0, goAheadAtMs: 20_000, droppedAtMs: 25_000, maxWaitMs: 60_000 };
    books.dropped({ machineId, orderSeq, approvalId: keyOf(purchaseId, 'approve', 1), ...times, ...changes });
  }

  function quote(changes: Partial<Offer> = {}, text?: string): void {
    const { machineNumber, orderSeq, item, productName, price } = order;
    const offer = { purchaseId, machineNumber, orderSeq, item, productName, price, ...changes };
    const named = `Distributeur ${offer.machineNumber}\n${offer.productName}: ${displayMoney(offer.price)}`;
    books.quoted(payerMac, offer);
    say(text ?? `${named}\n1 Payer\n2 Autre produit\n0 Annuler`);
  }

  function say(text: string, by: 'ussd' | 'sms' = 'ussd'): void {
    books.taken(books.said(node, { payer, by, text, isEnd: true }));
  }

  function beginUnquoted(changes: Partial<BeginCommit> = {}): void {
    const event = aConfirmation();
    const begun = begin(event, rules);
    if (!begun.ok) throw new Error(begun.refusal);
    const { purchase: first, effects, deadlineMs } = begun.value;
    now = first;
    books.begun(node, { purchase: first, event, effects: rowsOf(effects), deadlineMs, ...changes }, { kind: 'begun' });
  }

  function beginIt(changes: Partial<BeginCommit> = {}): void {
    quote();
    beginUnquoted(changes);
  }

  const call: BooksBench['call'] = (verb, n = 1) =>
    books.walletCalled(node, { verb, purchaseId, key: keyOf(purchaseId, verb, n) });

  return {
    books,
    purchase,
    quote,
    begin: beginIt,
    beginUnquoted,
    keep: (kind, content, opened = []) =>
      books.statementKept(
        node,
        { machineId: order.machineId, orderSeq: order.orderSeq, kind, content },
        purchaseId,
        opened,
      ),
    apply,
    move,
    call,
    drop,
    say,
    finish: (kind, template) => books.effectFinished(node, purchaseId, keyOf(purchaseId, kind, template)),
    forge: (balanceMinor) => {
      balance = balanceMinor;
    },
    sell: () => {
      beginIt();
      call('authorize');
      move('secured');
      apply({ type: 'authorized', ref: 'W-1', holdExpiresInMs: 90_000_000, leftMs: 50_000 });
      books.approvalPut(order.machineId, order.orderSeq, keyOf(purchaseId, 'approve', 1));
      apply({ type: 'approval_accepted' });
      drop();
      apply({ type: 'vend_succeeded', basis: null });
    },
  };
}
