/**
 * What the server answers to a `vend.request`: prices checked against the directory, the order put on the board.
 */
import type { BoardOrder, OrderBoard, Placed } from '../../purchase/order-board-port.ts';
import type { Purchases, PurchaseView } from '../../purchase/purchases-port.ts';
import type { Directory, RegisteredMachine } from '../../purchase/store-port.ts';
import { assertNever, ok, type Result, refuse } from '../../result.ts';
import type { DurationMs } from '../../time.ts';
import type { Reply } from '../exchange.ts';
import type { CallOf, ResultOf } from '../messages.ts';
import { displayTextOf, type MachineLinkConfig } from './link-config.ts';

/** What the intake needs. */
export type IntakeDeps = {
  readonly config: MachineLinkConfig;
  readonly board: OrderBoard;
  readonly purchases: Purchases;
  readonly directory: Directory;
  readonly newOrderId: () => string;
};

type Denial = Extract<ResultOf<'vend.request'>, { status: 'denied' }>['reason'];

/** A request with what is known of its sender. */
export type Intake = {
  readonly machine: RegisteredMachine;
  readonly request: CallOf<'vend.request'>;
  /** Since the request was heard: the machine's time runs on while it is looked at. */
  readonly sinceHeardMs: () => DurationMs;
  /** Highest order number that this connection has heard of; nothing needs to be looked up above it. */
  readonly seqFloor: number;
  readonly deliveryMs: DurationMs;
};

/** What is there already under an order's number. `usedUpTo`: an order up to it that is not known cannot be new. */
type Known = {
  readonly isOnBoard: boolean;
  readonly isPaying: boolean;
  readonly purchase: PurchaseView | null;
  readonly usedUpTo: number;
};

const nothingKnown: Known = { isOnBoard: false, isPaying: false, purchase: null, usedUpTo: 0 };

function denied(reason: Denial): Reply<'vend.request'> {
  return { kind: 'result', result: { status: 'denied', reason } };
}

function isLive(view: PurchaseView): boolean {
  return view.state !== 'completed' && view.state !== 'declined' && view.state !== 'reversed';
}

async function lookUp(deps: IntakeDeps, intake: Intake): Promise<Known> {
  const { request } = intake;
  const { machineId } = intake.machine;
  if (request.orderSeq > intake.seqFloor) return nothingKnown;
  // The floor told with `hello` may have come from a board that was wiped meanwhile: asked anew.
  const [onBoard, view, ofPurchases] = await Promise.all([
    deps.board.look(machineId),
    deps.purchases.ofOrder(machineId, request.orderSeq),
    deps.purchases.seqFloorOf(machineId),
  ]);
  const isOnBoard = onBoard?.orderSeq === request.orderSeq;
  return {
    isOnBoard,
    isPaying: isOnBoard && onBoard.state === 'paying',
    purchase: view !== null && isLive(view) ? view : null,
    usedUpTo: Math.max(ofPurchases, onBoard?.orderSeq ?? 0),
  };
}

/** The price by the machine's mode: the machine's own, the catalog's, or both and equal. */
async function priceOf(deps: IntakeDeps, intake: Intake): Promise<Result<bigint, Denial>> {
  const { machine, request } = intake;
  let price = request.amount;
  if (machine.priceMode !== 'machine') {
    const item = await deps.directory.itemOf(machine.machineId, request.item);
    const catalog = item?.priceMinor ?? null;
    if (catalog === null) return refuse('price_mismatch');
    if (price === null && machine.priceMode === 'both') return refuse('price_mismatch');
    if (price !== null && price !== catalog) return refuse('price_mismatch');
    price = catalog;
  }
  if (price === null) return refuse('price_mismatch');
  if (price < machine.minMinor || price > machine.maxMinor) return refuse('amount_out_of_bounds');
  return ok(price);
}

async function orderOf(deps: IntakeDeps, intake: Intake, known: Known): Promise<Result<BoardOrder, Denial>> {
  const { machine, request } = intake;
  const rest = { orderId: deps.newOrderId(), item: request.item, deliveryMs: intake.deliveryMs };
  if (known.purchase !== null) {
    const { minor, currency } = known.purchase.price;
    return ok({ ...rest, amountMinor: minor, currency });
  }
  // An order that somebody is paying for is never denied: the machine would close it under the payer's hands.
  if (machine.isSuspended && !known.isPaying) return refuse('suspended');
  const price = await priceOf(deps, intake);
  if (!price.ok) return price;
  return ok({ ...rest, amountMinor: price.value, currency: request.currency });
}

function waiting(deps: IntakeDeps, intake: Intake, order: BoardOrder, leftMs: DurationMs): Reply<'vend.request'> {
  return {
    kind: 'result',
    result: {
      status: 'waiting',
      orderId: order.orderId,
      amount: order.amountMinor,
      currency: order.currency,
      payBeforeMs: Math.max(0, Math.floor(leftMs - deps.config.cutoffMs)),
      text: displayTextOf(deps.config, intake.machine.number),
    },
  };
}

function staleSeq(seqFloor: number): Reply<'vend.request'> {
  return { kind: 'error', code: 'stale_seq', what: 'this number has been used', details: { seqFloor } };
}

function replyTo(deps: IntakeDeps, intake: Intake, order: BoardOrder, placed: Placed): Reply<'vend.request'> {
  switch (placed.kind) {
    case 'placed':
      return waiting(deps, intake, order, placed.leftMs);
    case 'same':
      return placed.state === 'closed' ? denied('closed') : waiting(deps, intake, placed.order, placed.leftMs);
    case 'conflict':
      return { kind: 'error', code: 'order_conflict', what: 'this number is on another order' };
    case 'stale':
      return staleSeq(Math.max(placed.seq, intake.seqFloor));
    case 'late':
      return denied('wait_too_short');
    default:
      return assertNever(placed);
  }
}

/**
 * Places the order and says what the machine is to hear. Idempotent by `orderSeq`: a repetition gets the same answer,
 * and one that a live purchase holds is put back on a wiped board as `paying`.
 * @throws Fault when board, journal or directory is away: answer `busy`, the machine says it again.
 */
export async function takeRequest(deps: IntakeDeps, intake: Intake): Promise<Reply<'vend.request'>> {
  const { machine, request } = intake;
  if (request.currency !== machine.currency) {
    return { kind: 'error', code: 'config_mismatch', what: 'currency is not the registered one' };
  }
  const known = await lookUp(deps, intake);
  const isNew = !known.isOnBoard && known.purchase === null;
  if (isNew && request.orderSeq <= known.usedUpTo) return staleSeq(known.usedUpTo);
  const order = await orderOf(deps, intake, known);
  if (!order.ok) return denied(order.refusal);
  const waitMs = request.maxWaitMs - request.ageMs - intake.sinceHeardMs() - deps.config.marginMs;
  if (isNew && waitMs <= deps.config.cutoffMs) return denied('wait_too_short');
  const placed = await deps.board.place({
    machineId: machine.machineId,
    orderSeq: request.orderSeq,
    print: `${request.item}|${request.amount}|${request.currency}`,
    order: order.value,
    waitMs: Math.max(0, waitMs),
  });
  if (known.purchase !== null) {
    await deps.board.takeForPayment({
      machineId: machine.machineId,
      purchaseId: known.purchase.id,
      orderSeq: request.orderSeq,
      minLeftMs: 0,
    });
  }
  return replyTo(deps, intake, order.value, placed);
}
