/**
 * Purchases as the phones see them, over a scripted wallet and machine; takes orders on the board as the coordinator does.
 */
import type { NoticeTemplate } from '../../../src/purchase/effect.ts';
import type { OrderBoard } from '../../../src/purchase/order-board-port.ts';
import type { Check } from '../../../src/purchase/payment-port.ts';
import type { PayerId } from '../../../src/purchase/purchase.ts';
import type {
  Confirmation,
  ConfirmOutcome,
  ConfirmRefusal,
  Purchases,
  PurchaseView,
} from '../../../src/purchase/purchases-port.ts';
import { Fault } from '../../../src/result.ts';
import { type Clock, pause } from '../../../src/time.ts';

type Kept = { view: PurchaseView; readonly payerId: PayerId; readonly atMs: number };

export type Script = {
  /** What the purchase has become when its outcome is asked for. */
  afterConfirm: Partial<PurchaseView>;
  /** What the wallet makes of the payer's answer; given the plain answer. */
  onAnswer: (
    answer: string,
    view: PurchaseView,
  ) => Partial<PurchaseView> | 'unanswered' | 'not_passed_on' | 'service_down';
  refusal: ConfirmRefusal | null;
  isConfirmUnanswered: boolean;
  advice: Check | 'silent' | 'broken';
  /** The outcome does not come within any time. */
  isSlow: boolean;
  isJournalAway: boolean;
  isConfirmBroken: boolean;
};

export interface FakePurchases extends Purchases {
  readonly script: Script;
  readonly confirmed: Confirmation[];
  readonly toldOf: { readonly id: string; readonly template: NoticeTemplate }[];
  readonly answers: string[];
  /** Purchases that were begun, by name. */
  count(): number;
  change(id: string, change: Partial<PurchaseView>): void;
  only(): PurchaseView;
}

export function someView(of: Partial<PurchaseView> = {}): PurchaseView {
  return {
    id: 'purchase-1',
    reference: '7K3F9Q',
    state: 'authorizing',
    isAccepted: false,
    machineId: 'machine-4567',
    machineNumber: '4567',
    orderSeq: 1,
    item: 12,
    productName: 'Café long',
    price: { minor: 500n, currency: 'XOF' },
    channel: 'ussd',
    validation: null,
    declineCode: null,
    reversalReason: null,
    sinceConfirmedMs: 0,
    sinceEndedMs: null,
    ...of,
  };
}

const notForPhones = async (): Promise<never> => {
  throw new Error('not asked by phones');
};

export function createFakePurchases(clock: Clock, orders: OrderBoard): FakePurchases {
  const kept = new Map<string, Kept>();
  const script: Script = {
    afterConfirm: { state: 'vending', isAccepted: true },
    onAnswer: () => ({ state: 'vending', isAccepted: true, validation: null }),
    refusal: null,
    isConfirmUnanswered: false,
    advice: { account: 'available', affordable: 'yes', validation: 'none' },
    isSlow: false,
    isJournalAway: false,
    isConfirmBroken: false,
  };
  const confirmed: Confirmation[] = [];
  const toldOf: { id: string; template: NoticeTemplate }[] = [];
  const answers: string[] = [];
  const viewOf = (id: string): PurchaseView | null => {
    const there = kept.get(id);
    return there === undefined ? null : { ...there.view, sinceConfirmedMs: clock.now() - there.atMs };
  };
  const mustBeThere = (): void => {
    if (script.isJournalAway) throw new Fault('journal_unreachable', 'unknown');
  };
  const change = (id: string, by: Partial<PurchaseView>): void => {
    const there = kept.get(id);
    if (there !== undefined) there.view = { ...there.view, ...by };
  };
  const begin = async (confirmation: Confirmation): Promise<ConfirmOutcome> => {
    const { purchaseId, machine, orderSeq, order, productName, payerId, channel } = confirmation;
    const there = viewOf(purchaseId);
    if (there !== null) return { kind: 'exists', view: there };
    if (script.refusal !== null) return { kind: 'refused', reason: script.refusal };
    const taken = await orders.takeForPayment({
      machineId: machine.machineId,
      purchaseId,
      orderSeq,
      minLeftMs: 20_000,
    });
    switch (taken.kind) {
      case 'taken':
      case 'again':
        break;
      case 'lost':
        return { kind: 'refused', reason: 'taken' };
      case 'replaced':
      case 'closed':
        return { kind: 'refused', reason: 'order_changed' };
      case 'expired':
      case 'late':
        return { kind: 'refused', reason: 'too_late' };
      case 'none':
        return { kind: 'refused', reason: 'order_gone' };
    }
    if (script.isConfirmUnanswered) return { kind: 'unknown', reference: '7K3F9Q' };
    const view = someView({
      id: purchaseId,
      machineId: machine.machineId,
      machineNumber: machine.number,
      orderSeq,
      item: order.item,
      productName,
      price: { minor: order.amountMinor, currency: order.currency },
      channel,
    });
    kept.set(purchaseId, { view, payerId, atMs: clock.now() });
    return { kind: 'begun', view };
  };

  return {
    script,
    confirmed,
    toldOf,
    answers,
    count: () => kept.size,
    change,
    only: () => {
      const [one] = [...kept.keys()].map(viewOf);
      if (kept.size !== 1 || one === undefined || one === null) throw new Error(`${kept.size} purchases`);
      return one;
    },
    check: async () => {
      if (script.advice === 'broken') throw new Fault('wallet_unreachable', 'no');
      if (script.advice !== 'silent') return script.advice;
      await pause(clock, 60_000);
      return { account: 'unknown', affordable: 'unknown', validation: 'unknown' };
    },
    confirm: async (confirmation) => {
      confirmed.push(confirmation);
      if (script.isConfirmBroken) throw new Fault('journal_unreachable', 'unknown');
      return script.isJournalAway ? { kind: 'refused', reason: 'service_down' } : begin(confirmation);
    },
    giveValidation: async (id, secret) => {
      const answer = secret.read();
      answers.push(answer);
      const before = viewOf(id) ?? someView();
      const after = script.onAnswer(answer, before);
      if (after === 'service_down') return { kind: after };
      if (typeof after === 'object') change(id, after);
      return { kind: typeof after === 'object' ? 'passed_on' : after, view: viewOf(id) ?? before };
    },
    outcome: async (id, withinMs) => {
      mustBeThere();
      if (script.isSlow) await pause(clock, withinMs);
      else if (viewOf(id)?.state === 'authorizing') change(id, script.afterConfirm);
      return viewOf(id);
    },
    view: async (id) => {
      mustBeThere();
      return viewOf(id);
    },
    recentOf: async (payerId, withinMs) => {
      mustBeThere();
      const own = [...kept].filter(([, { payerId: whose }]) => whose === payerId).reverse();
      return own
        .map(([id]) => viewOf(id))
        .filter((view) => view !== null && view.sinceConfirmedMs <= withinMs) as PurchaseView[];
    },
    told: async (id, template) => {
      toldOf.push({ id, template });
    },
    ofOrder: notForPhones,
    liveOfMachine: notForPhones,
    seqFloorOf: notForPhones,
    approvalIdOf: () => 'approval',
    recordStatement: notForPhones,
    noteAccepted: notForPhones,
  };
}
