/**
 * The order board in memory, for unit tests and the simulation only: every node of it shares one memory, and one clock
 * that is handed in decides everything. Held to the same contract suite as the board over Redis.
 */
import type { Board } from '../../src/order-board/board.ts';
import { createRendezvous } from '../../src/order-board/rendezvous.ts';
import type {
  BoardOrder,
  BoardState,
  Claimed,
  OrderBoard,
  Presence,
  Taken,
} from '../../src/purchase/order-board-port.ts';
import { Fault } from '../../src/result.ts';
import type { CancelTimer, Clock, DurationMs } from '../../src/time.ts';
import { createDialogs, type DialogMemory, type DialogWatch } from './memory-dialog-board.ts';
import { type BoardLine, createChannels, createShelf, type Shelf } from './memory-shelf.ts';

/** A Redis that is none: shared by the boards of several nodes. */
export interface MemoryRedis {
  /** The board of one node, as `createBoard` gives it. `line`: how that node is connected, at once and for ever by default. */
  board(node: string, line?: BoardLine): Board;
  /** Forgets everything, as FLUSHALL or a restart does; nodes find it with their next renewal, 5 s apart. */
  wipe(): void;
  /** False: every call is rejected with Fault `board_unreachable`, happened `no`. */
  setReachable(isReachable: boolean): void;
  /** The next calls are carried out, but their replies are lost: Fault, happened `unknown`. */
  cutReplies(count: number): void;
}

type Kept = {
  readonly seq: number;
  readonly print: string;
  readonly order: BoardOrder;
  state: BoardState;
  deadlineMs: number;
  holder: string | null;
  untilMs: number;
  why: string | null;
};

const GRACE_MS: DurationMs = 300_000;
const LEASE_MS: DurationMs = 15_000;
const RENEWAL_MS: DurationMs = 5_000;
const MOST_WAITERS = 5_000;

type Memory = DialogMemory & {
  readonly clock: Clock;
  readonly orders: Shelf<Kept>;
  readonly channels: Pick<ReturnType<typeof createChannels>, 'listen' | 'publish'>;
};

function ifHeldByOther(kept: Kept, purchaseId: string, nowMs: number): boolean {
  if (kept.state === 'paying') return kept.holder !== purchaseId;
  return kept.state === 'claimed' && kept.holder !== purchaseId && kept.untilMs > nowMs;
}

function placeOrder(memory: Memory): OrderBoard['place'] {
  const { orders, nowMs, channels } = memory;
  return ({ machineId, orderSeq, print, order, ...wanted }) =>
    memory.over(() => {
      const waitMs = Math.floor(wanted.waitMs);
      if (waitMs <= 0) return { kind: 'late' };
      const deadlineMs = nowMs() + waitMs;
      const there = orders.get(machineId);
      if (there !== undefined && there.seq > orderSeq) return { kind: 'stale', seq: there.seq };
      if (there?.seq === orderSeq) {
        if (there.print !== print) return { kind: 'conflict' };
        there.deadlineMs = Math.min(there.deadlineMs, deadlineMs);
        orders.set(machineId, there, there.deadlineMs + GRACE_MS);
        const leftMs = Math.max(there.deadlineMs - nowMs(), 0);
        return { kind: 'same', state: there.state, leftMs, order: there.order, holder: there.holder, why: there.why };
      }
      const kept: Kept = {
        seq: orderSeq,
        print,
        order,
        state: 'open',
        deadlineMs,
        holder: null,
        untilMs: 0,
        why: null,
      };
      orders.set(machineId, kept, deadlineMs + GRACE_MS);
      channels.publish(`wake:${machineId}`, String(orderSeq));
      const replaced = there === undefined ? null : { state: there.state, holder: there.holder };
      return { kind: 'placed', leftMs: waitMs, replaced };
    });
}

function claimOrder({ orders, nowMs, over }: Memory): OrderBoard['claim'] {
  return ({ machineId, purchaseId, holdMs, minLeftMs }) =>
    over((): Claimed => {
      const kept = orders.get(machineId);
      if (kept === undefined) return { kind: 'none' };
      if (kept.state === 'closed') return { kind: 'closed', why: kept.why ?? '' };
      const leftMs = kept.deadlineMs - nowMs();
      if (leftMs <= 0) return { kind: 'expired' };
      if (kept.state === 'paying' && kept.holder === purchaseId) {
        return { kind: 'paying', orderSeq: kept.seq, order: kept.order, leftMs };
      }
      if (ifHeldByOther(kept, purchaseId, nowMs())) {
        const holdLeftMs = kept.state === 'paying' ? leftMs : kept.untilMs - nowMs();
        return { kind: 'taken', state: kept.state, holdLeftMs };
      }
      if (leftMs < Math.floor(minLeftMs)) return { kind: 'late', leftMs };
      kept.state = 'claimed';
      kept.holder = purchaseId;
      kept.untilMs = Math.min(nowMs() + Math.floor(holdMs), kept.deadlineMs);
      return { kind: 'claimed', orderSeq: kept.seq, order: kept.order, leftMs };
    });
}

function takeOrder({ orders, nowMs, over }: Memory): OrderBoard['takeForPayment'] {
  return ({ machineId, purchaseId, orderSeq, minLeftMs }) =>
    over((): Taken => {
      const kept = orders.get(machineId);
      if (kept === undefined) return { kind: 'none' };
      if (kept.seq !== orderSeq) return { kind: 'replaced', orderSeq: kept.seq };
      if (kept.state === 'closed') return { kind: 'closed', why: kept.why ?? '' };
      const leftMs = kept.deadlineMs - nowMs();
      if (leftMs <= 0) return { kind: 'expired' };
      if (kept.state === 'paying' && kept.holder === purchaseId) return { kind: 'again', leftMs };
      if (ifHeldByOther(kept, purchaseId, nowMs())) return { kind: 'lost', state: kept.state };
      if (leftMs < Math.floor(minLeftMs)) return { kind: 'late' };
      kept.state = 'paying';
      kept.holder = purchaseId;
      kept.untilMs = kept.deadlineMs;
      return { kind: 'taken', leftMs };
    });
}

function releaseAndClose({ orders, nowMs, channels, over }: Memory): Pick<OrderBoard, 'release' | 'close' | 'look'> {
  return {
    release: ({ machineId, purchaseId, fromPaying }) =>
      over(() => {
        const kept = orders.get(machineId);
        if (kept === undefined || kept.holder !== purchaseId || kept.state === 'closed') return 'not_held';
        if (kept.state === 'paying' && !fromPaying) return 'paying';
        kept.state = 'open';
        kept.holder = null;
        channels.publish(`wake:${machineId}`, String(kept.seq));
        return 'released';
      }),
    close: ({ machineId, orderSeq, why }) =>
      over(() => {
        const kept = orders.get(machineId);
        if (kept === undefined) return { kind: 'none' };
        if (kept.seq !== orderSeq) return { kind: 'other', orderSeq: kept.seq };
        if (kept.state === 'closed') return { kind: 'again', why: kept.why ?? '' };
        const stateBefore = kept.state;
        kept.state = 'closed';
        kept.why = why;
        return { kind: 'closed', stateBefore, holder: kept.holder };
      }),
    look: (machineId) =>
      over(() => {
        const kept = orders.get(machineId);
        if (kept === undefined) return null;
        const { seq, state, order, holder } = kept;
        return { orderSeq: seq, state, leftMs: Math.max(kept.deadlineMs - nowMs(), 0), order, holder };
      }),
  };
}

type LivingPresence = Presence & { start(): Promise<void>; end(): void };

function createPresence(memory: Memory, name: string, incarnation: string): LivingPresence {
  const { texts, channels, nowMs, over, clock } = memory;
  const node = `${name}:${incarnation}`;
  const sockets = new Map<string, string>();
  const nudgeListeners: ((message: string) => void)[] = [];
  const wipedListeners: (() => void)[] = [];
  let epoch: string | undefined;
  let cancelTimer: CancelTimer = () => undefined;
  let cancelListening = (): void => undefined;

  const renew = async (): Promise<void> => {
    const isWiped = await over(() => {
      texts.set(`node:${name}`, incarnation, nowMs() + LEASE_MS);
      const there = texts.get('epoch') ?? `${node}:${nowMs()}`;
      texts.set('epoch', there, Number.POSITIVE_INFINITY);
      const isNew = epoch !== undefined && epoch !== there;
      epoch = there;
      if (!isNew) return false;
      for (const [machineId, socket] of sockets) {
        if (texts.get(`route:${machineId}`) === undefined) {
          texts.set(`route:${machineId}`, `${node}:${socket}`, Number.POSITIVE_INFINITY);
        }
      }
      return true;
    });
    if (isWiped) for (const listener of wipedListeners) listener();
  };
  const keep = (): void => {
    cancelTimer = clock.after(RENEWAL_MS, keep);
    renew().catch((error: unknown) => {
      if (!(error instanceof Fault)) throw error;
    });
  };
  return {
    node,
    join: (machineId, socket) => {
      sockets.set(machineId, socket);
      return over(() => {
        const before = texts.get(`route:${machineId}`) ?? null;
        texts.set(`route:${machineId}`, `${node}:${socket}`, Number.POSITIVE_INFINITY);
        return before === `${node}:${socket}` ? null : before;
      });
    },
    leave: (machineId, socket) => {
      if (sockets.get(machineId) === socket) sockets.delete(machineId);
      return over(() => {
        if (texts.get(`route:${machineId}`) === `${node}:${socket}`) texts.delete(`route:${machineId}`);
      });
    },
    whereIs: (machineId) =>
      over(() => {
        const [holder = '', living = ''] = (texts.get(`route:${machineId}`) ?? '').split(':');
        return holder !== '' && texts.get(`node:${holder}`) === living ? `${holder}:${living}` : null;
      }),
    nudge: async (to, message) => {
      await over(() => channels.publish(`node:${to.split(':')[0] ?? to}`, message)).catch(() => undefined);
    },
    onNudge: (listener) => {
      nudgeListeners.push(listener);
    },
    onWiped: (listener) => {
      wipedListeners.push(listener);
    },
    start: async () => {
      cancelListening = channels.listen(`node:${name}`, (message) => {
        if (message !== null) for (const listener of nudgeListeners) listener(message);
      });
      cancelTimer = clock.after(RENEWAL_MS, keep);
      await renew();
    },
    end: () => {
      cancelTimer();
      cancelListening();
      if (texts.get(`node:${name}`) === incarnation) texts.delete(`node:${name}`);
    },
  };
}

/** The same memory as one node reaches it: over its line. */
function connected(server: Memory, { clock, carry, hear }: BoardLine): Memory {
  return {
    ...server,
    clock,
    over: (act) => carry(() => server.over(act)),
    channels: {
      publish: server.channels.publish,
      listen: (channel, listener) => server.channels.listen(channel, (message) => hear(() => listener(message))),
    },
  };
}

/**
 * A memory shared by any number of boards, on the clock handed in. Same calls, same clock: same replies.
 *
 * @param watch  sees what is kept of dialogs, whether or not anybody hears the reply
 */
export function createMemoryRedis(clock: Clock, watch: DialogWatch | null = null): MemoryRedis {
  const nowMs = (): number => Math.floor(clock.now());
  let isReachable = true;
  let repliesToCut = 0;
  let [starts, tokens] = [0, 0];
  const server: Memory = {
    clock,
    nowMs,
    orders: createShelf<Kept>(nowMs),
    texts: createShelf<string>(nowMs),
    dialogs: createShelf<{ turn: number; body: string }>(nowMs),
    parts: createShelf<{ readonly total: number; readonly texts: Map<number, string> }>(nowMs),
    counters: createShelf<{ count: number }>(nowMs),
    channels: createChannels(),
    watch,
    newToken: () => {
      tokens += 1;
      return `token${tokens}`;
    },
    over: async (act) => {
      if (!isReachable) throw new Fault('board_unreachable', 'no');
      const reply = act();
      if (repliesToCut === 0) return reply;
      repliesToCut -= 1;
      throw new Fault('board_unreachable', 'unknown');
    },
  };
  const boardOf = (node: string, line?: BoardLine): Board => {
    starts += 1;
    const memory = line === undefined ? server : connected(server, line);
    const { listen } = memory.channels;
    const rendezvous = createRendezvous({ clock: memory.clock, listen, maxWaiters: MOST_WAITERS });
    const presence = createPresence(memory, node, `start${starts}`);
    const claim = claimOrder(memory);
    return {
      orders: {
        place: placeOrder(memory),
        claim,
        claimWhenPlaced: ({ waitMs, ...wanted }) =>
          rendezvous.claimWhenPlaced({ channel: `wake:${wanted.machineId}`, waitMs, claim: () => claim(wanted) }),
        takeForPayment: takeOrder(memory),
        ...releaseAndClose(memory),
      },
      dialogs: createDialogs(memory, () => isReachable),
      presence,
      start: () => presence.start(),
      ping: () => memory.over(() => undefined),
      close: async () => {
        rendezvous.end();
        presence.end();
      },
    };
  };
  return {
    board: boardOf,
    wipe: () => {
      for (const shelf of [server.orders, server.texts, server.dialogs, server.parts, server.counters]) shelf.clear();
    },
    setReachable: (reachable) => {
      isReachable = reachable;
    },
    cutReplies: (count) => {
      repliesToCut = count;
    },
  };
}
