/**
 * The order board over Redis: one script a call, and every reply turned into a value of the port.
 */
import { createHash } from 'node:crypto';
import type { Claimed, OrderBoard, Placed, Taken } from '../purchase/order-board-port.ts';
import { assert, Bug } from '../result.ts';
import type { DurationMs } from '../time.ts';
import { orderKey, wakeChannel } from './keys.ts';
import type { RedisCommands } from './redis-client.ts';
import { numberAt, orderAt, stateAt, textAt, textOrNullAt, writeOrder } from './redis-reply.ts';
import type { Rendezvous } from './rendezvous.ts';

/** How long an order's record outlives its deadline, so that late callers hear `expired` rather than `none`. */
const GRACE_MS: DurationMs = 300_000;
/** Redis packs a hash into one block only while every field is at most this long. */
const LONGEST_FIELD = 64;
/** SPUBLISH in a cluster. */
const PUBLISH = 'PUBLISH';

/** What the board stands on. */
export type OrderBoardDeps = { readonly commands: RedisCommands; readonly rendezvous: Rendezvous };

/** What the machine sent, in 43 characters: told apart as surely, and never long enough to unpack the hash. */
function shortPrint(print: string): string {
  return createHash('sha256').update(print).digest('base64url');
}

/** Whole milliseconds: the caller's clock may count fractions, Redis does not. */
function wholeMs(durationMs: DurationMs): number {
  return Math.floor(durationMs);
}

function readPlaced(reply: readonly unknown[]): Placed {
  const kind = textAt(reply, 0);
  switch (kind) {
    case 'placed': {
      const wasThere = textAt(reply, 2) !== '';
      const replaced = wasThere ? { state: stateAt(reply, 2), holder: textOrNullAt(reply, 3) } : null;
      return { kind, leftMs: numberAt(reply, 1), replaced };
    }
    case 'same':
      return {
        kind,
        state: stateAt(reply, 1),
        leftMs: numberAt(reply, 2),
        order: orderAt(reply, 3),
        holder: textOrNullAt(reply, 4),
        why: textOrNullAt(reply, 5),
      };
    case 'stale':
      return { kind, seq: numberAt(reply, 1) };
    case 'conflict':
    case 'late':
      return { kind };
    default:
      throw new Bug(`place_order answered ${kind}`);
  }
}

function readClaimed(reply: readonly unknown[]): Claimed {
  const kind = textAt(reply, 0);
  switch (kind) {
    case 'claimed':
    case 'paying':
      return { kind, orderSeq: numberAt(reply, 1), order: orderAt(reply, 2), leftMs: numberAt(reply, 3) };
    case 'taken':
      return { kind, state: stateAt(reply, 1), holdLeftMs: numberAt(reply, 2) };
    case 'closed':
      return { kind, why: textAt(reply, 1) };
    case 'late':
      return { kind, leftMs: numberAt(reply, 1) };
    case 'expired':
    case 'none':
      return { kind };
    default:
      throw new Bug(`claim_order answered ${kind}`);
  }
}

function readTaken(reply: readonly unknown[]): Taken {
  const kind = textAt(reply, 0);
  switch (kind) {
    case 'taken':
    case 'again':
      return { kind, leftMs: numberAt(reply, 1) };
    case 'lost':
      return { kind, state: stateAt(reply, 1) };
    case 'replaced':
      return { kind, orderSeq: numberAt(reply, 1) };
    case 'closed':
      return { kind, why: textAt(reply, 1) };
    case 'expired':
    case 'late':
    case 'none':
      return { kind };
    default:
      throw new Bug(`take_for_payment answered ${kind}`);
  }
}

function readReleased(reply: readonly unknown[]): Awaited<ReturnType<OrderBoard['release']>> {
  const kind = textAt(reply, 0);
  if (kind === 'released' || kind === 'not_held' || kind === 'paying') return kind;
  throw new Bug(`release_claim answered ${kind}`);
}

function readClosed(reply: readonly unknown[]): Awaited<ReturnType<OrderBoard['close']>> {
  const kind = textAt(reply, 0);
  switch (kind) {
    case 'closed':
      return { kind, stateBefore: stateAt(reply, 1), holder: textOrNullAt(reply, 2) };
    case 'again':
      return { kind, why: textAt(reply, 1) };
    case 'other':
      return { kind, orderSeq: numberAt(reply, 1) };
    case 'none':
      return { kind };
    default:
      throw new Bug(`close_order answered ${kind}`);
  }
}

function readLook(reply: readonly unknown[]): Awaited<ReturnType<OrderBoard['look']>> {
  if (textAt(reply, 0) === 'none') return null;
  return {
    orderSeq: numberAt(reply, 1),
    state: stateAt(reply, 2),
    leftMs: numberAt(reply, 3),
    order: orderAt(reply, 4),
    holder: textOrNullAt(reply, 5),
  };
}

/**
 * The order board over one connection. Every call may be repeated.
 * @throws Fault `board_unreachable` from every method; Bug for a `why` of more than 64 bytes
 */
export function createRedisOrderBoard({ commands, rendezvous }: OrderBoardDeps): OrderBoard {
  const claim: OrderBoard['claim'] = async ({ machineId, purchaseId, holdMs, minLeftMs }) =>
    readClaimed(
      await commands.run('claim_order', orderKey(machineId), purchaseId, wholeMs(holdMs), wholeMs(minLeftMs)),
    );

  return {
    place: async ({ machineId, orderSeq, print, order, waitMs }) => {
      const wake = wakeChannel(machineId);
      const what = [orderSeq, shortPrint(print), writeOrder(order)];
      const key = orderKey(machineId);
      return readPlaced(await commands.run('place_order', key, ...what, wholeMs(waitMs), GRACE_MS, wake, PUBLISH));
    },
    claim,
    claimWhenPlaced: ({ waitMs, ...wanted }) =>
      rendezvous.claimWhenPlaced({ channel: wakeChannel(wanted.machineId), waitMs, claim: () => claim(wanted) }),
    takeForPayment: async ({ machineId, purchaseId, orderSeq, minLeftMs }) =>
      readTaken(await commands.run('take_for_payment', orderKey(machineId), purchaseId, orderSeq, wholeMs(minLeftMs))),
    release: async ({ machineId, purchaseId, fromPaying }) => {
      const wake = wakeChannel(machineId);
      const from = fromPaying ? 1 : 0;
      return readReleased(await commands.run('release_claim', orderKey(machineId), purchaseId, from, wake, PUBLISH));
    },
    close: async ({ machineId, orderSeq, why }) => {
      assert(why !== '' && Buffer.byteLength(why) <= LONGEST_FIELD, 'the reason of a close has 1 to 64 bytes');
      return readClosed(await commands.run('close_order', orderKey(machineId), orderSeq, why));
    },
    look: async (machineId) => readLook(await commands.run('look_order', orderKey(machineId))),
  };
}
