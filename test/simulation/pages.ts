/**
 * What the books know of each purchase, order and payer: one page a purchase, written by the rules that watch it.
 */
import { keyOf } from '../../src/composition/names.ts';
import {
  type Effect,
  type EffectKey,
  keyPartsOf,
  type NoticeTemplate,
  type Operation,
} from '../../src/purchase/effect.ts';
import type { Evidence } from '../../src/purchase/invariant.ts';
import {
  type Attention,
  isEnded,
  type MachineId,
  type Msisdn,
  type PayerId,
  type Purchase,
  type PurchaseId,
} from '../../src/purchase/purchase.ts';
import type { MachineStatement } from '../../src/purchase/store-port.ts';
import type { TextKey } from '../../src/ussd/phrases.ts';

/** A final word of the machine that the journal keeps for a purchase. */
export type Word = {
  readonly kind: MachineStatement['kind'];
  /** It says what happened: a success without a result says nothing. */
  readonly isProof: boolean;
  /** Null where the statement names none. */
  readonly approvalId: EffectKey | null;
};

/** All that was seen of one purchase. */
export type Page = {
  purchase: Purchase;
  hasDeadline: boolean;
  /** Who made the last commit. */
  lastNode: string;
  /** Keys that were made for it, by operation and number: a hash each. */
  readonly keys: Map<string, EffectKey>;
  /** Effects that are still planned. */
  readonly effects: Map<EffectKey, Effect>;
  /** Every key of an intention that was ever committed, with how often. */
  readonly intentions: Map<EffectKey, number>;
  /** How often the wallet was asked to authorize or validate under each key. */
  readonly called: Map<EffectKey, number>;
  readonly openCases: Set<Attention>;
  /** In the order in which they came; each but once. */
  readonly machineWords: Word[];
  securedMinor: bigint;
  returnedMinor: bigint;
  refundedMinor: bigint;
  collectedMinor: bigint;
  authorizes: number;
  reversals: number;
  isHoldLapsed: boolean;
  delivered: number;
  isConfirmedByPerson: boolean;
  /** Phrases about this purchase that the network took. */
  readonly words: Set<TextKey>;
  /** A notice about it was given up: refused for good. */
  hasGivenUp: boolean;
};

/** Money of a purchase that is with neither side's free balance: secured, and not gone back. */
export function keptMinor(page: Page): bigint {
  return page.securedMinor - page.returnedMinor;
}

/** The money went back on a person's word, or since the doubt was over, whatever the hardware did: no rule is broken. */
export function isGivenUp({ purchase }: Page): boolean {
  const { reversalReason } = purchase.facts;
  return reversalReason === 'doubt_expired' || reversalReason === 'refunded_by_operator';
}

/** What ledger and hardware show of it. */
export function evidenceOf(page: Page): Evidence {
  const { securedMinor, returnedMinor, refundedMinor, authorizes, reversals, delivered } = page;
  return { securedMinor, returnedMinor, refundedMinor, authorizes, reversals, delivered };
}

/** All pages, and what was found wrong. */
export interface Pages {
  readonly all: ReadonlyMap<PurchaseId, Page>;
  /** Purchases that wait for somebody. */
  readonly live: ReadonlySet<Page>;
  /** Effects of all purchases that are still planned. */
  plannedEffects(): number;
  find(id: PurchaseId): Page | undefined;
  ofReference(reference: string): Page | undefined;
  /** The purchase that holds an order: the latest that is not declined. */
  holderOf(machineId: MachineId, orderSeq: number): Page | undefined;
  ofPayer(payer: Msisdn): readonly Page[];
  payerOf(payerId: PayerId): Msisdn | undefined;
  meet(payerId: PayerId, payer: Msisdn): void;
  open(purchase: Purchase, node: string): Page;
  /** A purchase was moved on. */
  turn(page: Page, purchase: Purchase, node: string): void;
  plan(page: Page, key: EffectKey, effect: Effect): void;
  drop(page: Page, key: EffectKey): boolean;
  /** Its invariants are to be looked at after this step. */
  touch(page: Page): void;
  /** A rule is broken; the sentence may name the purchase's reference in front. */
  complain(page: Page | null, sentence: string): void;
  /** What was touched since the last call. */
  takeTouched(): readonly Page[];
  /** What was complained of since the last call. */
  takeComplaints(): readonly string[];
}

/** Name of an order. */
export function orderName(machineId: MachineId, orderSeq: number): string {
  return `${machineId}/${orderSeq}`;
}

/** Key of an operation of a purchase, made anew from what it is. */
export function keyIn(page: Page, operation: Operation, n: number | NoticeTemplate): EffectKey {
  const name = `${operation}/${n}`;
  const known = page.keys.get(name);
  if (known !== undefined) return known;
  const key = keyOf(page.purchase.id, operation, n);
  page.keys.set(name, key);
  return key;
}

/** Likewise of an effect. */
export function keyOfEffect(page: Page, effect: Effect): EffectKey {
  const { operation, n } = keyPartsOf(effect);
  return keyIn(page, operation, n);
}

/** A purchase in a sentence: reference, id and state. */
function nameOf({ purchase }: Page): string {
  return `${purchase.reference} ${purchase.id} (${purchase.state})`;
}

/** No pages yet. */
export function createPages(): Pages {
  const all = new Map<PurchaseId, Page>();
  const live = new Set<Page>();
  const byReference = new Map<string, Page>();
  const byOrder = new Map<string, Page>();
  const byPayer = new Map<PayerId, Page[]>();
  const payers = new Map<PayerId, Msisdn>();
  const ids = new Map<Msisdn, PayerId>();
  let touched = new Set<Page>();
  let complaints: string[] = [];
  let effects = 0;

  function holderOf(machineId: MachineId, orderSeq: number): Page | undefined {
    const page = byOrder.get(orderName(machineId, orderSeq));
    return page?.purchase.state === 'declined' ? undefined : page;
  }

  function open(purchase: Purchase, node: string): Page {
    const page: Page = {
      purchase,
      hasDeadline: true,
      lastNode: node,
      keys: new Map(),
      effects: new Map(),
      intentions: new Map(),
      called: new Map(),
      openCases: new Set(),
      machineWords: [],
      securedMinor: 0n,
      returnedMinor: 0n,
      refundedMinor: 0n,
      collectedMinor: 0n,
      authorizes: 0,
      reversals: 0,
      isHoldLapsed: false,
      delivered: 0,
      isConfirmedByPerson: false,
      words: new Set(),
      hasGivenUp: false,
    };
    all.set(purchase.id, page);
    live.add(page);
    byReference.set(purchase.reference, page);
    byOrder.set(orderName(purchase.order.machineId, purchase.order.orderSeq), page);
    byPayer.set(purchase.payerId, [...(byPayer.get(purchase.payerId) ?? []), page]);
    touched.add(page);
    return page;
  }

  return {
    all,
    live,
    plannedEffects: () => effects,
    find: (id) => all.get(id),
    ofReference: (reference) => byReference.get(reference),
    holderOf,
    ofPayer: (payer) => {
      const id = ids.get(payer);
      return id === undefined ? [] : (byPayer.get(id) ?? []);
    },
    payerOf: (payerId) => payers.get(payerId),
    meet: (payerId, payer) => {
      payers.set(payerId, payer);
      ids.set(payer, payerId);
    },
    open,
    turn: (page, purchase, node) => {
      page.purchase = purchase;
      page.lastNode = node;
      if (isEnded(purchase)) live.delete(page);
      touched.add(page);
    },
    plan: (page, key, effect) => {
      if (!page.effects.has(key)) effects += 1;
      page.effects.set(key, effect);
      page.intentions.set(key, (page.intentions.get(key) ?? 0) + 1);
    },
    drop: (page, key) => {
      const wasThere = page.effects.delete(key);
      if (wasThere) effects -= 1;
      return wasThere;
    },
    touch: (page) => {
      touched.add(page);
    },
    complain: (page, sentence) => {
      complaints.push(page === null ? sentence : `${nameOf(page)}: ${sentence}`);
    },
    takeTouched: () => {
      if (touched.size === 0) return [];
      const taken = [...touched];
      touched = new Set();
      return taken;
    },
    takeComplaints: () => {
      if (complaints.length === 0) return [];
      const taken = complaints;
      complaints = [];
      return taken;
    },
  };
}
