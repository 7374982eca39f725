/**
 * Which nodes live and which of them holds which machine. A node lives while its lease holds its incarnation; a route
 * counts only while its incarnation lives, so the routes of a dead node die with its lease.
 */
import { randomBytes } from 'node:crypto';
import type { Presence } from '../purchase/order-board-port.ts';
import { Fault } from '../result.ts';
import type { CancelTimer, Clock, DurationMs } from '../time.ts';
import { checkedNodeName, epochKey, leaseKey, nodeChannel, routeKey } from './keys.ts';
import type { BoardLog, RedisCommands } from './redis-client.ts';
import { textOrNull, textOrNullAt } from './redis-reply.ts';
import type { CancelListening, Subscriptions } from './subscriptions.ts';

/** What presence stands on. */
export type PresenceDeps = {
  readonly commands: RedisCommands;
  readonly subscriptions: Subscriptions;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: BoardLog;
};

/** Presence with its life: the lease is kept from `start` to `end`. */
export interface LivingPresence extends Presence {
  /** Keeps the lease from now on: at once where Redis is there, else as soon as it is. */
  start(): void;
  /** Writes the lease once more than the timer does; a wiped Redis is found by it. @throws Fault */
  renew(): Promise<void>;
  /** Gives the lease back and stops renewing it. Never rejects. */
  end(): Promise<void>;
}

const LEASE_MS: DurationMs = 15_000;
const RENEWAL_MS: DurationMs = 5_000;
/** Routes written at once after Redis was found empty. */
const ROUTES_AT_ONCE = 200;

function randomName(): string {
  return randomBytes(9).toString('base64url').replaceAll(/[-_]/g, 'x');
}

/** The lease of this node, and the routes it must write again once Redis has lost them. */
type Lease = {
  readonly join: Presence['join'];
  readonly leave: Presence['leave'];
  /** True when Redis was found new since the last renewal. */
  readonly renew: () => Promise<boolean>;
  readonly end: () => Promise<void>;
};

function createRoutes(commands: RedisCommands, node: string) {
  const sockets = new Map<string, string>();
  /** Machines whose route may not be written, because the call was not answered. */
  const owed = new Set<string>();
  const entryOf = (socket: string): string => `${node}:${socket}`;

  const join = async (machineId: string, socket: string): Promise<string | null> => {
    sockets.set(machineId, socket);
    owed.add(machineId);
    const reply = await commands.run('join_machine', routeKey(machineId), machineId, entryOf(socket));
    if (sockets.get(machineId) === socket) owed.delete(machineId);
    const before = textOrNullAt(reply, 1);
    return before === entryOf(socket) ? null : before;
  };
  const leave = async (machineId: string, socket: string): Promise<void> => {
    if (sockets.get(machineId) === socket) {
      sockets.delete(machineId);
      owed.delete(machineId);
    }
    await commands.run('leave_machine', routeKey(machineId), machineId, entryOf(socket));
  };
  const writeOwed = async (): Promise<void> => {
    for (const machineId of [...owed]) {
      const socket = sockets.get(machineId);
      if (socket !== undefined) await join(machineId, socket);
    }
  };
  const writeAll = async (): Promise<void> => {
    const all = [...sockets];
    for (let start = 0; start < all.length; start += ROUTES_AT_ONCE) {
      const some = all.slice(start, start + ROUTES_AT_ONCE);
      // NX: a machine that has reached another node since is held there.
      await Promise.all(
        some.map(([machineId, socket]) => commands.call('hsetnx', routeKey(machineId), machineId, entryOf(socket))),
      );
    }
  };
  return { join, leave, writeOwed, writeAll };
}

function createLease({ commands, log }: PresenceDeps, nodeName: string, incarnation: string): Lease {
  const routes = createRoutes(commands, `${nodeName}:${incarnation}`);
  let epoch: string | undefined;
  let isRenewed = false;
  let areRoutesLost = false;

  const renew = async (): Promise<boolean> => {
    const fresh = randomName();
    const [holder, epochThere] = await Promise.all([
      commands.call('set', leaseKey(nodeName), incarnation, 'GET', 'PX', LEASE_MS),
      commands.call('set', epochKey, fresh, 'NX', 'GET'),
    ]);
    if (isRenewed && holder !== null && holder !== incarnation) log.error({ node: nodeName }, 'node_name_used_twice');
    isRenewed = true;
    const now = textOrNull(epochThere) ?? fresh;
    if (epoch !== undefined && epoch !== now) areRoutesLost = true;
    epoch = now;
    const isWiped = areRoutesLost;
    if (isWiped) await routes.writeAll();
    areRoutesLost = false;
    await routes.writeOwed();
    return isWiped;
  };
  return {
    join: routes.join,
    leave: routes.leave,
    renew,
    end: async () => {
      await commands.run('drop_lease', leaseKey(nodeName), incarnation);
    },
  };
}

/** Tells every listener, whatever one of them throws. */
function tellAll<Word>(listeners: readonly ((word: Word) => void)[], word: Word, log: BoardLog): void {
  for (const listener of listeners) {
    try {
      listener(word);
    } catch (error) {
      log.error({ err: error }, 'board_listener_threw');
    }
  }
}

/** Where a machine is held, if the node that wrote the route still lives. */
async function findNode(commands: RedisCommands, machineId: string): Promise<string | null> {
  const entry = textOrNull(await commands.call('hget', routeKey(machineId), machineId));
  if (entry === null) return null;
  const [nodeName = '', incarnation = ''] = entry.split(':');
  const alive = textOrNull(await commands.call('get', leaseKey(nodeName)));
  return alive === incarnation ? `${nodeName}:${incarnation}` : null;
}

async function faultOrNothing(act: () => Promise<unknown>): Promise<Fault | undefined> {
  try {
    await act();
    return undefined;
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
}

/**
 * The presence of this node under a new incarnation.
 *
 * `join` answers null where the entry before was this very socket. A join that is not answered is repeated with the
 * next renewal. `whereIs` answers `node:incarnation`. `nudge` takes that or the bare name, and never rejects.
 * `onWiped` listeners are called after the lease and this node's routes were written again.
 * @throws Fault `board_unreachable` from `join`, `leave`, `whereIs`
 */
export function createPresence(deps: PresenceDeps): LivingPresence {
  const { commands, subscriptions, clock, log } = deps;
  const nodeName = checkedNodeName(deps.nodeName);
  const incarnation = randomName();
  const lease = createLease(deps, nodeName, incarnation);
  const nudgeListeners: ((message: string) => void)[] = [];
  const wipedListeners: ((nothing: undefined) => void)[] = [];
  let cancelTimer: CancelTimer | undefined;
  let cancelListening: CancelListening | undefined;
  let running: Promise<void> | undefined;

  const renewNow = async (): Promise<void> => {
    if (!(await lease.renew())) return;
    log.warn({ node: nodeName }, 'order_board_wiped');
    tellAll(wipedListeners, undefined, log);
  };
  /** One renewal at a time; whoever asks meanwhile shares it. */
  const renew = (): Promise<void> => {
    running ??= renewNow().finally(() => {
      running = undefined;
    });
    return running;
  };
  const renewQuietly = (): void => {
    // What fails here is repaired by the next renewal, and said by the connection's own lines in the log.
    faultOrNothing(renew).catch((error: unknown) => log.error({ err: error }, 'lease_renewal_failed'));
  };
  const keep = (): void => {
    renewQuietly();
    cancelTimer = clock.after(RENEWAL_MS, keep);
  };
  commands.onReady(() => {
    if (cancelTimer !== undefined) renewQuietly();
  });

  return {
    node: `${nodeName}:${incarnation}`,
    join: lease.join,
    leave: lease.leave,
    whereIs: (machineId) => findNode(commands, machineId),
    nudge: async (node, message) => {
      await faultOrNothing(() => commands.call('publish', nodeChannel(node.split(':')[0] ?? node), message));
    },
    onNudge: (listener) => {
      nudgeListeners.push(listener);
    },
    onWiped: (listener) => {
      wipedListeners.push(listener);
    },
    start: () => {
      cancelListening = subscriptions.listen(nodeChannel(nodeName), (message) => {
        if (message !== null) tellAll(nudgeListeners, message, log);
      });
      keep();
    },
    renew,
    end: async () => {
      cancelTimer?.();
      cancelTimer = undefined;
      cancelListening?.();
      await faultOrNothing(lease.end);
    },
  };
}
