/**
 * What phones and machines may ask of purchases, over coordinator, board and wallet.
 */
import { assert, Fault } from '../result.ts';
import type { DurationMs } from '../time.ts';
import { type ConfirmDeps, confirm } from './confirm.ts';
import { leftMsOf } from './coordinator.ts';
import type { EffectKey, KeyMaker } from './effect.ts';
import { eventOfValidate } from './outcome.ts';
import type { PaymentPort, Secret, Terms } from './payment-port.ts';
import type { MachineId, Purchase, PurchaseId } from './purchase.ts';
import type { Purchases, PurchaseView, StatementOutcome, Validated } from './purchases-port.ts';
import { PASS_ON_WITHIN_MS } from './rules.ts';
import type { Loaded, Subscribers } from './store-port.ts';
import { isTellable, viewOf } from './view.ts';

/** What purchases work with. */
export type PurchasesDeps = ConfirmDeps & {
  readonly subscribers: Subscribers;
  /** Every wallet that a purchase names. */
  readonly walletOf: (provider: string) => PaymentPort;
  readonly keyOf: KeyMaker;
  /** True while the machine's socket is on this node, so that its word is heard here. */
  readonly holds: (machineId: MachineId) => boolean;
};

/** How often a purchase whose machine is elsewhere is read again while a dialog waits for it. */
const ELSEWHERE_MS: DurationMs = 1000;

/** Money, terms and text of a purchase, the same in every call to the wallet. */
export function termsOf(purchase: Purchase, payer: string): Terms {
  const { order } = purchase;
  return {
    purchaseId: purchase.id,
    payer,
    operator: order.operatorAccount,
    machineNumber: order.machineNumber,
    price: order.price,
    plan: purchase.plan,
  };
}

/** The face of the purchases of one node. */
export function createPurchases(deps: PurchasesDeps): Purchases {
  const view = (loaded: Loaded): PurchaseView => viewOf(loaded, deps.coordinator.isAccepted(loaded.purchase.id));
  return {
    check: (payer, price) => deps.wallet.check({ payer, price }),
    confirm: (confirmation) => confirm(deps, confirmation, view),
    giveValidation: (id, answer) => giveValidation(deps, id, answer, view),
    outcome: (id, withinMs) => outcome(deps, id, withinMs, view),
    view: async (id) => {
      // From the journal: what this node remembers may be an old state of a purchase that another node moved on.
      const loaded = await deps.coordinator.reload(id);
      return loaded === null ? null : view(loaded);
    },
    recentOf: async (payerId, withinMs) => (await deps.store.recentOfPayer(payerId, withinMs, 5)).map(view),
    told: (id, template) => deps.store.finish(id, deps.keyOf(id, 'notify', template)),
    ofOrder: async (machineId, orderSeq) => {
      const loaded = await deps.store.ofOrder(machineId, orderSeq);
      return loaded === null ? null : view(loaded);
    },
    liveOfMachine: async (machineId) => (await deps.store.liveOfMachine(machineId)).map(view),
    seqFloorOf: (machineId) => deps.store.seqFloorOf(machineId),
    approvalIdOf: (id) => deps.keyOf(id, 'approve', 1),
    recordStatement: (statement) => recordStatement(deps, statement),
    noteAccepted: (machineId, orderSeq, approvalId) => noteAccepted(deps, machineId, orderSeq, approvalId),
  };
}

/** The attempt is committed before the wallet hears the secret, and the secret is nowhere but in this call. */
async function giveValidation(
  deps: PurchasesDeps,
  id: PurchaseId,
  answer: Secret,
  view: (loaded: Loaded) => PurchaseView,
): Promise<Validated> {
  const sentAtMs = deps.clock.now();
  try {
    const given = await deps.coordinator.apply(id, (loaded) => ({
      type: 'validation_given',
      leftMs: leftMsOf(loaded),
    }));
    if (!('loaded' in given)) return { kind: 'service_down' };
    if (given.kind !== 'committed') return { kind: 'not_passed_on', view: view(given.loaded) };
    const { purchase } = given.loaded;
    const committedAtMs = deps.clock.now();
    const { walletRef } = purchase.facts;
    assert(walletRef !== null, 'the wallet that asks has given its reference');
    const payer = await deps.subscribers.msisdnOf(purchase.payerId);
    const nowMs = deps.clock.now();
    // A node that stalled meanwhile would pass on an answer whose question is over, or is asked about already.
    const isInTime = leftMsOf(given.loaded) - (nowMs - committedAtMs) >= deps.rules.cutoffMs;
    if (!isInTime || nowMs - sentAtMs > PASS_ON_WITHIN_MS) return { kind: 'not_passed_on', view: view(given.loaded) };
    const result = await deps.walletOf(purchase.wallet.provider).validate({
      key: deps.keyOf(id, 'validate', purchase.facts.validateAttempts),
      terms: termsOf(purchase, payer),
      ref: walletRef,
      answer,
    });
    const applied = await deps.coordinator.apply(id, (loaded) => eventOfValidate(result, leftMsOf(loaded)));
    if (applied.kind === 'refund_due') await queryAgain(deps, purchase);
    const isOpen = result.kind === 'pending' || result.kind === 'unknown' || result.kind === 'not_found';
    const after = 'loaded' in applied ? applied.loaded : given.loaded;
    return { kind: isOpen ? 'unanswered' : 'passed_on', view: view(after) };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const loaded = await deps.coordinator.load(id).catch(() => null);
    return loaded === null ? { kind: 'service_down' } : { kind: 'unanswered', view: view(loaded) };
  }
}

/** Money secured after the end: the worker asks the wallet once more, and gives back what it finds (edge 26). */
async function queryAgain({ store, keyOf }: PurchasesDeps, { id }: Purchase): Promise<void> {
  const key = keyOf(id, 'query_payment', 1);
  await store.planQuery(id, { effect: { kind: 'query_payment' }, key, dueInMs: 0, isOwn: false });
}

async function outcome(
  deps: PurchasesDeps,
  id: PurchaseId,
  withinMs: DurationMs,
  view: (loaded: Loaded) => PurchaseView,
): Promise<PurchaseView | null> {
  const untilMs = deps.clock.now() + withinMs;
  for (;;) {
    const loaded = await deps.coordinator.load(id);
    if (loaded === null) return null;
    const seen = view(loaded);
    const leftMs = untilMs - deps.clock.now();
    if (isTellable(seen) || leftMs <= 0) return seen;
    const isHere = deps.holds(loaded.purchase.order.machineId);
    await deps.coordinator.changed(id, isHere ? leftMs : Math.min(leftMs, ELSEWHERE_MS));
    if (!isHere) await deps.coordinator.reload(id);
  }
}

/** Stored once, applied when it is about this purchase's approval, kept for a person when it contradicts. */
async function recordStatement(
  deps: PurchasesDeps,
  said: Parameters<Purchases['recordStatement']>[0],
): Promise<StatementOutcome> {
  const { statement, event, approvalId } = said;
  try {
    const loaded = await deps.store.ofOrder(statement.machineId, statement.orderSeq);
    if (loaded === null) {
      await deps.store.keepStatement(statement, null, []);
      return { kind: 'recorded', hasLivePurchase: false };
    }
    const { id } = loaded.purchase;
    const hasLivePurchase = loaded.leftMs !== null;
    if (approvalId !== null && approvalId !== deps.keyOf(id, 'approve', 1)) {
      await deps.store.keepStatement(statement, id, ['contradicting_result']);
      return { kind: 'recorded', hasLivePurchase };
    }
    const applied = await deps.coordinator.apply(id, event, statement);
    if (applied.kind === 'busy') return { kind: 'busy' };
    if (applied.kind !== 'committed') {
      const isOdd = applied.kind === 'noted' || applied.kind === 'refused';
      await deps.store.keepStatement(statement, id, isOdd ? ['contradicting_result'] : []);
    }
    return { kind: 'recorded', hasLivePurchase };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { kind: 'busy' };
  }
}

async function noteAccepted(
  deps: PurchasesDeps,
  machineId: MachineId,
  orderSeq: number,
  approvalId: EffectKey,
): Promise<void> {
  const loaded = await deps.store.ofOrder(machineId, orderSeq);
  if (loaded === null || loaded.purchase.state !== 'approving') return;
  if (approvalId === deps.keyOf(loaded.purchase.id, 'approve', 1)) deps.coordinator.accepted(loaded.purchase.id);
}
