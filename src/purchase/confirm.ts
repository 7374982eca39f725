/**
 * The payer's yes: the order is taken, commit 1 is made, and what cannot be known at once is found out.
 */
import { Fault } from '../result.ts';
import { type Clock, type DurationMs, pause } from '../time.ts';
import { type Coordinator, leftMsOf } from './coordinator.ts';
import type { Confirmed } from './event.ts';
import type { OrderBoard, Taken } from './order-board-port.ts';
import type { PaymentPort } from './payment-port.ts';
import { isEnded, type Order, type PurchaseId } from './purchase.ts';
import type { Confirmation, ConfirmOutcome, ConfirmRefusal, PurchaseView } from './purchases-port.ts';
import { choosePlan, type Rules } from './rules.ts';
import type { Begun, Loaded, PurchaseStore } from './store-port.ts';
import { begin } from './transition.ts';

/** What a confirmation works with. */
export type ConfirmDeps = {
  readonly coordinator: Coordinator;
  readonly store: PurchaseStore;
  readonly board: OrderBoard;
  /** The wallet that new purchases use. */
  readonly wallet: PaymentPort;
  /** Six characters for people, without 0, O, 1 and I. */
  readonly newReference: () => string;
  readonly clock: Clock;
  readonly rules: Rules;
  readonly onTrouble: (what: string, id: PurchaseId, error: unknown) => void;
  /** A payer who heard "in progress" is told that nothing began: nothing was asked of the wallet. */
  readonly onNothingBegan: (view: PurchaseView, confirmation: Confirmation) => void;
};

/** How long a confirmation waits for the answer of commit 1 before "in progress" is said. */
const CONFIRM_BUDGET_MS: DurationMs = 6000;
const CONFIRM_RETRY_MS: DurationMs = 500;
/** Longer than any statement may run in the database. */
const STATEMENT_OVER_MS: DurationMs = 5000;

/** Takes the order, then commit 1; what was taken for nothing is released. */
export async function confirm(
  deps: ConfirmDeps,
  confirmation: Confirmation,
  view: (loaded: Loaded) => PurchaseView,
): Promise<ConfirmOutcome> {
  // What is left of the order is counted from before the board is asked: a node that stalls finds too little, never too much.
  const startMs = deps.clock.now();
  const taken = await take(deps, confirmation);
  // A second yes finds the purchase of the first, whatever the board says of the order by now (edges 22, 24).
  const known = taken?.kind === 'taken' ? null : await knownOf(deps, confirmation.purchaseId);
  if (known !== null && known !== 'away') return { kind: 'exists', view: view(known) };
  if (taken === null) return { kind: 'refused', reason: 'service_down' };
  if (!('leftMs' in taken)) return { kind: 'refused', reason: refusalOfTaken(taken) };
  const event = confirmedOf(deps, confirmation, taken.leftMs);
  const begun = await beginUntilKnown(deps, { confirmation, event, startMs }, taken.kind === 'again');
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
async function take(deps: ConfirmDeps, { purchaseId, machine, orderSeq }: Confirmation): Promise<Taken | null> {
  const { machineId } = machine;
  try {
    return await deps.board.takeForPayment({ machineId, purchaseId, orderSeq, minLeftMs: deps.rules.cutoffMs });
  } catch (error) {
    deps.onTrouble('board_not_told', purchaseId, error);
    return null;
  }
}

/** The purchase of another yes, earlier than this one or meanwhile, if there is one. */
async function knownOf(deps: ConfirmDeps, id: PurchaseId): Promise<Loaded | null | 'away'> {
  try {
    return await deps.coordinator.load(id);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return 'away';
  }
}

function confirmedOf(deps: ConfirmDeps, confirmation: Confirmation, leftMs: DurationMs): Confirmed {
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

/** One confirmation on its way into the journal. `startMs`: when the board was asked for its order. */
type Beginning = { readonly confirmation: Confirmation; readonly event: Confirmed; readonly startMs: DurationMs };
type BegunNow = Exclude<Begun, { kind: 'begun' }> | { readonly kind: 'begun'; readonly loaded: Loaded };

/**
 * Commit 1. An absent row proves nothing while the first statement may still be running, so the same one is sent again
 * until a row or a refusal answers (edge 29); after the budget the payer is told the truth, and it goes on without him.
 * `isAgain`: an earlier confirmation of this purchase has taken the order, so that nothing is ruled out.
 */
async function beginUntilKnown(
  deps: ConfirmDeps,
  beginning: Beginning,
  isAgain: boolean,
): Promise<BegunNow | 'unknown' | 'service_down' | 'too_late'> {
  let mayHaveBegun = isAgain;
  let isUnanswered = false;
  for (;;) {
    try {
      const begun = await beginOnce(deps, beginning);
      if (begun !== 'too_late' || !isUnanswered) return begun;
      void findOutLater(deps, beginning);
      return 'unknown';
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
async function beginOnce(deps: ConfirmDeps, { event, startMs }: Beginning): Promise<BegunNow | 'too_late'> {
  const sentAtMs = deps.clock.now();
  const confirmed = { ...event, leftMs: event.leftMs - (sentAtMs - startMs) };
  const beginning = begin(confirmed, deps.rules);
  if (!beginning.ok) return beginning.refusal;
  const { purchase, effects, deadlineMs } = beginning.value;
  const rows = deps.coordinator.rowsOf(purchase, effects);
  const begun = await deps.store.begin({ purchase, event: confirmed, effects: rows, deadlineMs });
  const tookMs = deps.clock.now() - sentAtMs;
  if (begun.kind === 'begun') {
    const loaded: Loaded = { purchase, leftMs: deadlineMs - tookMs, sinceConfirmedMs: 0, sinceEndedMs: null };
    deps.coordinator.begun(loaded, rows, sentAtMs);
    return { kind: 'begun', loaded };
  }
  // The reference tells whose row it is: one that this confirmation wrote, its answer lost, is this node's to go on with.
  const isOwn = begun.kind === 'exists' && begun.loaded.purchase.reference === event.reference;
  if (isOwn && begun.loaded.purchase.version === 1) {
    const loaded = { ...begun.loaded, leftMs: leftMsOf(begun.loaded) - tookMs };
    deps.coordinator.begun(loaded, rows, sentAtMs);
  }
  return begun;
}

/** Goes on without the payer, who heard "in progress": what began tells its own outcome, what did not is told here. */
async function findOutLater(deps: ConfirmDeps, beginning: Beginning): Promise<void> {
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
async function tellUnlessBegun(deps: ConfirmDeps, beginning: Beginning): Promise<void> {
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
  deps: ConfirmDeps,
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

async function release(deps: ConfirmDeps, confirmation: Confirmation): Promise<void> {
  const { purchaseId, machine } = confirmation;
  try {
    await deps.board.release({ machineId: machine.machineId, purchaseId, fromPaying: true });
  } catch (error) {
    deps.onTrouble('board_not_told', purchaseId, error);
  }
}
