/**
 * What phones and machines may ask of purchases, over coordinator, board and wallet.
 */
import { assert, Fault } from '../result.ts';
import { type Clock, type DurationMs, pause } from '../time.ts';
import { type Coordinator, leftMsOf } from './coordinator.ts';
import type { EffectKey, KeyMaker } from './effect.ts';
import type { Confirmed } from './event.ts';
import type { OrderBoard, Taken } from './order-board-port.ts';
import { eventOfValidate } from './outcome.ts';
import type { PaymentPort, Secret, Terms } from './payment-port.ts';
import { isEnded, type MachineId, type Order, type Purchase, type PurchaseId } from './purchase.ts';
import type {
  Confirmation,
  ConfirmOutcome,
  ConfirmRefusal,
  Purchases,
  PurchaseView,
  StatementOutcome,
  Validated,
} from './purchases-port.ts';
import { choosePlan, type Rules } from './rules.ts';
import type { Begun, Loaded, PurchaseStore, Subscribers } from './store-port.ts';
import { begin } from './transition.ts';
import { isTellable, viewOf } from './view.ts';

/** What purchases work with. */
export type PurchasesDeps = {
  readonly coordinator: Coordinator;
  readonly store: PurchaseStore;
  readonly board: OrderBoard;
  readonly subscribers: Subscribers;
  /** The wallet that new purchases use, and every one that old ones name. */
  readonly wallet: PaymentPort;
  readonly walletOf: (provider: string) => PaymentPort;
  readonly keyOf: KeyMaker;
  /** Six characters for people, without 0, O, 1 and I. */
  readonly newReference: () => string;
  readonly clock: Clock;
  readonly rules: Rules;
  /** True while the machine's socket is on this node, so that its word is heard here. */
  readonly holds: (machineId: MachineId) => boolean;
  readonly onTrouble: (what: string, id: PurchaseId, error: unknown) => void;
  /** A payer who heard "in progress" is told that nothing began: nothing was asked of the wallet. */
  readonly onNothingBegan: (view: PurchaseView, confirmation: Confirmation) => void;
};

/** How long a confirmation waits for the answer of commit 1 before "in progress" is said. */
const CONFIRM_BUDGET_MS: DurationMs = 6000;
const CONFIRM_RETRY_MS: DurationMs = 500;
/** Longer than any statement may run in the database. */
const STATEMENT_OVER_MS: DurationMs = 5000;
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

/** Takes the order, then commit 1; what was taken for nothing is released. */
async function confirm(
  deps: PurchasesDeps,
  confirmation: Confirmation,
  view: (loaded: Loaded) => PurchaseView,
): Promise<ConfirmOutcome> {
  const taken = await take(deps, confirmation);
  // A second yes finds the purchase of the first, whatever the board says of the order by now (edges 22, 24).
  const known = taken?.kind === 'taken' ? null : await knownOf(deps, confirmation.purchaseId);
  if (known !== null && known !== 'away') return { kind: 'exists', view: view(known) };
  if (taken === null) return { kind: 'refused', reason: 'service_down' };
  if (!('leftMs' in taken)) return { kind: 'refused', reason: refusalOfTaken(taken) };
  const event = confirmedOf(deps, confirmation, taken.leftMs);
  const begun = await beginUntilKnown(deps, { confirmation, event, startMs: deps.clock.now() }, taken.kind === 'again');
  if (begun === 'unknown') return { kind: 'unknown', reference: event.reference };
  if (begun === 'service_down' || begun === 'too_late') {
    const other = await knownOf(deps, confirmation.purchaseId);
    if (other !== null && other !== 'away') return { kind: 'exists', view: view(other) };
    if (other === 'away' && taken.kind === 'again') return { kind: 'unknown', reference: event.reference };
    await release(deps, confirmation);
    return { kind: 'refused', reason: begun };
  }
  if (begun.kind === 'begun') return { kind: 'begun', view: view(begun.loaded) };
  if (begun.kind === 'exists') {
    // Its end has freed the order once; what was taken now would keep others away until the order's deadline.
    if (isEnded(begun.loaded.purchase)) await release(deps, confirmation);
    return { kind: 'exists', view: view(begun.loaded) };
  }
  return { kind: 'refused', reason: await refusalOfBegun(deps, confirmation, begun) };
}

/** Null when the board is away. It moves no money: whatever it did lapses by itself. */
async function take(deps: PurchasesDeps, { purchaseId, machine, orderSeq }: Confirmation): Promise<Taken | null> {
  const { machineId } = machine;
  try {
    return await deps.board.takeForPayment({ machineId, purchaseId, orderSeq, minLeftMs: deps.rules.cutoffMs });
  } catch (error) {
    deps.onTrouble('board_not_told', purchaseId, error);
    return null;
  }
}

/** The purchase of another yes, earlier than this one or meanwhile, if there is one. */
async function knownOf(deps: PurchasesDeps, id: PurchaseId): Promise<Loaded | null | 'away'> {
  try {
    return await deps.coordinator.load(id);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return 'away';
  }
}

function confirmedOf(deps: PurchasesDeps, confirmation: Confirmation, leftMs: DurationMs): Confirmed {
  const { machine, order, orderSeq, productName, channel, payerId, purchaseId } = confirmation;
  const { capabilities, name } = deps.wallet;
  const { deliveryMs, orderId, item, amountMinor, currency } = order;
  const { plan, holdMs } = choosePlan({ rules: deps.rules, capabilities, leftMs, deliveryMs });
  const bought: Order = {
    machineId: machine.machineId,
    machineNumber: machine.number,
    operatorId: machine.operatorId,
    operatorAccount: machine.operatorAccount,
    orderSeq,
    orderId,
    item,
    productName,
    price: { minor: amountMinor, currency },
    deliveryMs,
  };
  return {
    type: 'confirmed',
    id: purchaseId,
    reference: deps.newReference(),
    order: bought,
    payerId,
    channel,
    plan,
    wallet: {
      provider: name,
      resendsByKey: capabilities.replay !== 'none',
      reversesByKey: capabilities.reverseByKey,
      maxPendingMs: capabilities.maxPendingMs,
    },
    holdMs,
    leftMs,
  };
}

/** One confirmation on its way into the journal. `startMs`: when its order was taken. */
type Beginning = { readonly confirmation: Confirmation; readonly event: Confirmed; readonly startMs: DurationMs };
type BegunNow = Exclude<Begun, { kind: 'begun' }> | { readonly kind: 'begun'; readonly loaded: Loaded };

/**
 * Commit 1. An absent row proves nothing while the first statement may still be running, so the same one is sent again
 * until a row or a refusal answers (edge 29); after the budget the payer is told the truth, and it goes on without him.
 * `isAgain`: an earlier confirmation of this purchase has taken the order, so that nothing is ruled out.
 */
async function beginUntilKnown(
  deps: PurchasesDeps,
  beginning: Beginning,
  isAgain: boolean,
): Promise<BegunNow | 'unknown' | 'service_down' | 'too_late'> {
  let mayHaveBegun = isAgain;
  let isUnanswered = false;
  for (;;) {
    try {
      const begun = await beginOnce(deps, beginning);
      return begun === 'too_late' && isUnanswered ? 'unknown' : begun;
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      mayHaveBegun ||= error.happened === 'unknown';
      isUnanswered = true;
    }
    if (!mayHaveBegun) return 'service_down';
    if (deps.clock.now() - beginning.startMs > CONFIRM_BUDGET_MS) {
      void findOutLater(deps, beginning);
      return 'unknown';
    }
    await pause(deps.clock, CONFIRM_RETRY_MS);
  }
}

/** What is left of the order shrinks with each repetition, and below the cut-off nothing begins any more. */
async function beginOnce(deps: PurchasesDeps, { event, startMs }: Beginning): Promise<BegunNow | 'too_late'> {
  const confirmed = { ...event, leftMs: event.leftMs - (deps.clock.now() - startMs) };
  const beginning = begin(confirmed, deps.rules);
  if (!beginning.ok) return beginning.refusal;
  const { purchase, effects, deadlineMs } = beginning.value;
  const rows = deps.coordinator.rowsOf(purchase, effects);
  const begun = await deps.store.begin({ purchase, event: confirmed, effects: rows, deadlineMs });
  if (begun.kind === 'begun') {
    const loaded: Loaded = { purchase, leftMs: deadlineMs, sinceConfirmedMs: 0, sinceEndedMs: null };
    deps.coordinator.begun(loaded, rows);
    return { kind: 'begun', loaded };
  }
  // The reference tells whose row it is: one that this confirmation wrote, its answer lost, is this node's to go on with.
  const isOwn = begun.kind === 'exists' && begun.loaded.purchase.reference === event.reference;
  if (isOwn && begun.loaded.purchase.version === 1) deps.coordinator.begun(begun.loaded, rows);
  return begun;
}

/** Goes on without the payer, who heard "in progress": what began tells its own outcome, what did not is told here. */
async function findOutLater(deps: PurchasesDeps, beginning: Beginning): Promise<void> {
  const { confirmation } = beginning;
  for (;;) {
    await pause(deps.clock, CONFIRM_RETRY_MS * 4);
    try {
      const begun = await beginOnce(deps, beginning);
      if (begun === 'too_late') await tellUnlessBegun(deps, beginning);
      else if (begun.kind !== 'begun' && begun.kind !== 'exists') {
        await refusalOfBegun(deps, confirmation, begun);
        deps.onNothingBegan(nothingBegan(beginning), confirmation);
      }
      return;
    } catch (error) {
      deps.onTrouble('confirmation_unanswered', confirmation.purchaseId, error);
    }
  }
}

/** Too late to send the statement again. After its own time limit in the database an absent row is an answer. */
async function tellUnlessBegun(deps: PurchasesDeps, beginning: Beginning): Promise<void> {
  await pause(deps.clock, STATEMENT_OVER_MS);
  if ((await deps.store.load(beginning.confirmation.purchaseId)) !== null) return;
  await release(deps, beginning.confirmation);
  deps.onNothingBegan(nothingBegan(beginning), beginning.confirmation);
}

function nothingBegan({ event }: Beginning): PurchaseView {
  const { id, reference, order, channel } = event;
  const { machineId, machineNumber, orderSeq, item, productName, price } = order;
  return {
    id,
    reference,
    state: 'declined',
    isAccepted: false,
    machineId,
    machineNumber,
    orderSeq,
    item,
    productName,
    price,
    channel,
    validation: null,
    declineCode: 'wallet_unavailable',
    reversalReason: null,
    sinceConfirmedMs: 0,
    sinceEndedMs: 0,
  };
}

function refusalOfTaken(taken: Exclude<Taken, { leftMs: DurationMs }>): ConfirmRefusal {
  switch (taken.kind) {
    case 'lost':
      return 'taken';
    case 'replaced':
    case 'closed':
      return 'order_changed';
    case 'expired':
    case 'late':
      return 'too_late';
    case 'none':
      return 'order_gone';
  }
}

/** The order goes back to the board; one that a live purchase holds is marked as being paid again (edge 24). */
async function refusalOfBegun(
  deps: PurchasesDeps,
  confirmation: Confirmation,
  begun: Exclude<BegunNow, { kind: 'begun' | 'exists' }>,
): Promise<ConfirmRefusal> {
  await release(deps, confirmation);
  switch (begun.kind) {
    case 'order_taken': {
      const { machineId } = confirmation.machine;
      const holder = begun.by?.purchase;
      if (holder !== undefined && begun.by?.leftMs !== null) {
        const take = { machineId, purchaseId: holder.id, orderSeq: confirmation.orderSeq, minLeftMs: 0 };
        await deps.board
          .takeForPayment(take)
          .catch((error: unknown) => deps.onTrouble('board_not_told', holder.id, error));
      }
      return 'taken';
    }
    case 'order_over':
      return 'order_changed';
    case 'machine_suspended':
    case 'machine_unknown':
      return 'machine_suspended';
  }
}

async function release(deps: PurchasesDeps, confirmation: Confirmation): Promise<void> {
  const { purchaseId, machine } = confirmation;
  try {
    await deps.board.release({ machineId: machine.machineId, purchaseId, fromPaying: true });
  } catch (error) {
    deps.onTrouble('board_not_told', purchaseId, error);
  }
}

/** The attempt is committed before the wallet hears the secret, and the secret is nowhere but in this call. */
async function giveValidation(
  deps: PurchasesDeps,
  id: PurchaseId,
  answer: Secret,
  view: (loaded: Loaded) => PurchaseView,
): Promise<Validated> {
  try {
    const given = await deps.coordinator.apply(id, (loaded) => ({
      type: 'validation_given',
      leftMs: leftMsOf(loaded),
    }));
    if (!('loaded' in given)) return { kind: 'service_down' };
    if (given.kind !== 'committed') return { kind: 'not_passed_on', view: view(given.loaded) };
    const { purchase } = given.loaded;
    const { walletRef } = purchase.facts;
    assert(walletRef !== null, 'the wallet that asks has given its reference');
    const payer = await deps.subscribers.msisdnOf(purchase.payerId);
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
