/**
 * The house in memory: coordinator, purchases and workers of one or two nodes over one journal, one board, one wallet
 * and one machine, all of them with named faults, on a clock that is moved by hand. The same steps give the same run.
 */
import { brokenInvariants, type Evidence } from '../../src/purchase/invariant.ts';
import type { BoardOrder } from '../../src/purchase/order-board-port.ts';
import type { Capabilities } from '../../src/purchase/payment-port.ts';
import { type Channel, isEnded, type Purchase, type PurchaseId } from '../../src/purchase/purchase.ts';
import type { ConfirmOutcome } from '../../src/purchase/purchases-port.ts';
import { defaultRules, type Rules } from '../../src/purchase/rules.ts';
import type { RegisteredMachine } from '../../src/purchase/store-port.ts';
import type { DurationMs } from '../../src/time.ts';
import { createFakeClock, type FakeClock } from './fake-clock.ts';
import { createFakeMachine, type FakeMachine } from './fake-machine.ts';
import { createFakeWallet, type FakeWallet } from './fake-wallet.ts';
import { createNode, type HouseNode, keyOf, LEASE_MS, type Notice, type Shared } from './house-node.ts';
import { createMemoryRedis, type MemoryRedis } from './memory-order-board.ts';
import { createMemoryWorld, type MemoryWorld } from './memory-store.ts';
import { aRegistry } from './store-builders.ts';

/** The house. */
export interface House {
  readonly clock: FakeClock;
  readonly world: MemoryWorld;
  readonly redis: MemoryRedis;
  readonly wallet: FakeWallet;
  readonly machine: FakeMachine;
  readonly notices: readonly Notice[];
  /** A node by its name; made at first use. */
  node(name: string): HouseNode;
  /** A customer selects the drink: on the machine, and on the board. */
  select(orderSeq?: number, waitMs?: DurationMs): Promise<void>;
  /** The payer's yes, on a node. */
  confirm(yes?: Partial<Yes>): Promise<ConfirmOutcome>;
  /** Moves the clock; every poll finds what is due at the moment it falls due. */
  advance(ms: DurationMs): Promise<void>;
  /** Runs until every purchase has ended and nothing is due, or `limitMs` are over (3 days). */
  rest(limitMs?: DurationMs): Promise<void>;
  purchase(id?: PurchaseId): Purchase;
  /** Open cases, and the state: `reversing reversal_overdue`. */
  stateOf(id?: PurchaseId): string;
  evidenceOf(id?: PurchaseId): Evidence;
  /** Rules that the money and the goods break, over all purchases; empty when all is well. */
  broken(): readonly string[];
}

/** A yes: by whom, for what, where. */
export type Yes = {
  readonly purchaseId: PurchaseId;
  readonly node: string;
  readonly payer: string;
  readonly orderSeq: number;
  readonly channel: Channel;
};

/** What differs from the usual house. */
export type HouseDeps = {
  readonly capabilities?: Partial<Capabilities>;
  readonly rules?: Partial<Rules>;
  /** False: the machine is away at first. */
  readonly isConnected?: boolean;
  /** How far the journal's clock has been set forward; 0 when left out. */
  readonly journalAheadMs?: () => DurationMs;
};

/** The payer of the usual house, and the first purchase. */
export const payer = '221771234501';
/** The first purchase of a house. */
export const firstId: PurchaseId = '00000000-0000-7000-8000-000000000001';
/** The price of the drink. */
export const priceMinor = 500n;

const MACHINE = 'M-4567';
const MOST_IDLE_ROUNDS = 8;
const DAY_MS: DurationMs = 86_400_000;
const order: BoardOrder = { orderId: 'o', item: 3, amountMinor: priceMinor, currency: 'XOF', deliveryMs: 30_000 };

/** Time of the next thing that falls due in the journal after now, and whether something is due already. */
function dueIn({ tables }: MemoryWorld, nowMs: number): { readonly nextMs: number | null; readonly isDue: boolean } {
  const times = [
    ...[...tables.effects.values()].map(({ dueAt }) => dueAt),
    ...[...tables.purchases.values()].flatMap(({ deadlineAt }) => (deadlineAt === null ? [] : [deadlineAt])),
  ];
  const later = times.filter((at) => at > nowMs);
  return { nextMs: later.length === 0 ? null : Math.min(...later) - nowMs, isDue: later.length < times.length };
}

function createTime(shared: Shared): Pick<House, 'advance' | 'rest'> {
  const { clock, world, polls } = shared;
  let idleRounds = 0;
  let commitsSeen = 0;

  async function poll(): Promise<void> {
    const due = [...polls];
    polls.clear();
    for (const run of due) run();
    await clock.settle();
    const commits = world.commits.flushed + world.commits.lazy;
    idleRounds = commits === commitsSeen ? idleRounds + 1 : 0;
    commitsSeen = commits;
  }

  /** To the next timer, or to what falls due next; what is due but taken by nobody is looked at a few times more. */
  function stepMs(mostMs: DurationMs): DurationMs {
    const { nextMs, isDue } = dueIn(world, clock.now());
    const again = isDue && idleRounds < MOST_IDLE_ROUNDS ? 1000 : mostMs;
    return Math.max(0, Math.min(mostMs, clock.untilNextMs() ?? mostMs, nextMs ?? mostMs, again));
  }

  async function begin(): Promise<void> {
    idleRounds = 0;
    await clock.settle();
    await poll();
  }

  async function step(untilMs: DurationMs): Promise<void> {
    await clock.advance(stepMs(untilMs - clock.now()));
    await poll();
  }

  async function advance(ms: DurationMs): Promise<void> {
    const untilMs = clock.now() + ms;
    await begin();
    while (clock.now() < untilMs) await step(untilMs);
  }

  async function rest(limitMs: DurationMs = 3 * DAY_MS): Promise<void> {
    const untilMs = clock.now() + limitMs;
    const isQuiet = (): boolean =>
      [...world.tables.purchases.values()].every(({ purchase }) => isEnded(purchase)) &&
      world.tables.effects.size === 0 &&
      clock.untilNextMs() === null;
    await begin();
    while (!isQuiet() && clock.now() < untilMs) await step(untilMs);
  }
  return { advance, rest };
}

/** Builds a house: payer with 5,000, a machine connected to node `a`, a drink for 500. */
export async function buildHouse(deps: HouseDeps = {}): Promise<House> {
  const clock = createFakeClock();
  const journalNow = (): number => clock.now() + (deps.journalAheadMs?.() ?? 0);
  const world = createMemoryWorld({ clock: { ...clock, now: journalNow }, leaseMs: LEASE_MS });
  const redis = createMemoryRedis(clock);
  const wallet = createFakeWallet({ clock, capabilities: deps.capabilities ?? {} });
  const machine = createFakeMachine({ clock, machineId: MACHINE });
  const rules = { ...defaultRules, ...deps.rules };
  const shared: Shared = { clock, world, redis, wallet, machine, notices: [], polls: new Set(), rules };
  const nodes = new Map<string, HouseNode>();
  const holder = (): HouseNode | undefined =>
    [...nodes.values()].find((one) => machine.portOf(one.name).holds(MACHINE));

  function node(name: string): HouseNode {
    const made = nodes.get(name) ?? createNode(name, shared, holder);
    nodes.set(name, made);
    return made;
  }
  await world.store('setup').applyRegistry(aRegistry());
  if (deps.isConnected !== false) machine.connect(node('a'));

  async function registered(): Promise<RegisteredMachine> {
    const found = await world.store('setup').directory.machineById(MACHINE);
    if (found === null) throw new Error('the machine is registered');
    return found;
  }
  async function confirm(yes: Partial<Yes> = {}): Promise<ConfirmOutcome> {
    const { purchaseId = firstId, orderSeq = 17, channel = 'ussd' } = yes;
    const { payerId } = await world.store('setup').subscribers.meet(yes.payer ?? payer);
    const confirmation = {
      purchaseId,
      machine: await registered(),
      orderSeq,
      order,
      productName: 'Coca 33 cl',
      payerId,
      channel,
    };
    return node(yes.node ?? 'a').purchases.confirm(confirmation);
  }
  function purchase(id: PurchaseId = firstId): Purchase {
    const kept = world.tables.find(id);
    if (kept === undefined) throw new Error(`no purchase ${id}`);
    return kept.purchase;
  }
  function evidenceOf(id: PurchaseId = firstId): Evidence {
    return { ...wallet.evidenceOf(id), delivered: machine.droppedUnder(keyOf(id, 'approve', 1)) };
  }
  return {
    ...shared,
    ...createTime(shared),
    node,
    select: async (orderSeq = 17, waitMs = 65_000) => {
      machine.select(orderSeq, priceMinor, waitMs);
      // The board's deadline is earlier by the margin of the machine link.
      const placing = { machineId: MACHINE, orderSeq, print: String(orderSeq), order, waitMs: waitMs - 5000 };
      await node('a').board.orders.place(placing);
    },
    confirm,
    purchase,
    stateOf: (id = firstId) => {
      const open = [...world.tables.cases.values()].filter((one) => one.purchaseId === id && one.isOpen);
      return [purchase(id).state, ...open.map(({ kind }) => kind)].join(' ');
    },
    evidenceOf,
    broken: () =>
      [...world.tables.purchases.values(), ...world.tables.past.values()].flatMap((kept) =>
        brokenInvariants(kept.purchase, evidenceOf(kept.purchase.id)),
      ),
  };
}
