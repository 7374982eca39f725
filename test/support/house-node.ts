/**
 * One node of the house in memory: coordinator, purchases and workers, whose every call goes through a life that can end.
 */
import type { Board } from '../../src/order-board/board.ts';
import { type Coordinator, createCoordinator, type StateChange } from '../../src/purchase/coordinator.ts';
import type { KeyMaker } from '../../src/purchase/effect.ts';
import type { PurchaseId } from '../../src/purchase/purchase.ts';
import { createPurchases } from '../../src/purchase/purchases.ts';
import type { NoticePort, Purchases } from '../../src/purchase/purchases-port.ts';
import type { Rules } from '../../src/purchase/rules.ts';
import { Fault } from '../../src/result.ts';
import type { Store } from '../../src/store/store.ts';
import type { Clock, DurationMs } from '../../src/time.ts';
import { createCarryOut } from '../../src/worker/carry-out.ts';
import { createDeadlineWorker } from '../../src/worker/deadline-worker.ts';
import { createEffectWorker, type EffectWorker } from '../../src/worker/effect-worker.ts';
import type { FakeClock } from './fake-clock.ts';
import type { FakeMachine, MachineHost } from './fake-machine.ts';
import type { FakeWallet } from './fake-wallet.ts';
import type { MemoryRedis } from './memory-order-board.ts';
import type { MemoryWorld } from './memory-store.ts';

/** What a call to the journal meets next. `isDone`: it is carried out all the same, and only its answer is lost. */
export type JournalFault = {
  /** Happens while the call is on its way. */
  readonly meanwhile?: () => void;
  readonly on: 'begin' | 'commit' | 'load';
  /** `lost_race`: no fault; another node's commit came first. `bug`: ours. */
  readonly happened: 'no' | 'unknown' | 'lost_race' | 'bug';
  readonly isDone: boolean;
};

/** One node of the house. */
export interface HouseNode extends MachineHost {
  readonly board: Board;
  readonly store: Store;
  readonly coordinator: Coordinator;
  readonly purchases: Purchases;
  readonly effects: EffectWorker;
  readonly changes: readonly StateChange[];
  /** What was reported as trouble, by name. */
  readonly troubles: readonly string[];
  /** Dies as by kill -9: nothing that it has begun is ever heard of again. */
  kill(): void;
  /** Stands still as by SIGSTOP: answers, timers and calls that are addressed to it wait, in order, until it wakes. */
  stall(): void;
  /** Likewise at its n-th commit, counted from 1: executed, and its answer waits. */
  stallAtCommit(n: number): void;
  wake(): void;
  /** Dies at its n-th commit, counted from 1: before it is executed, or after it and before its answer. */
  dieAtCommit(n: number, when: 'before' | 'after'): void;
  failJournal(...faults: readonly JournalFault[]): void;
  readonly isDead: boolean;
}

/** A text sent to a phone. */
export type Notice = { readonly template: string; readonly id: PurchaseId; readonly payer: string };

/** Lease of an effect. */
export const LEASE_MS: DurationMs = 15_000;
/** A wait of this odd length is a poll's: the house ends it when something is due, so that idle hours cost nothing. */
const POLL_MS: DurationMs = 1000.5;

/** Keys that can be read: a wallet's call names purchase, operation and number. */
export const keyOf: KeyMaker = (id, operation, n) => `${id}/${operation}/${n}`;

/** A port whose answers are heard only while its owner lives. `around` may fail or end a call. */
function mortal<Port extends object>(port: Port, around: (name: string, run: () => unknown) => unknown): Port {
  return new Proxy(port, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => around(String(name), () => Reflect.apply(value, target, args));
    },
  });
}

const never = new Promise<never>(() => undefined);

/** What the nodes of a house share. */
export type Shared = {
  readonly clock: FakeClock;
  readonly world: MemoryWorld;
  readonly redis: MemoryRedis;
  readonly wallet: FakeWallet;
  readonly machine: FakeMachine;
  readonly notices: Notice[];
  readonly polls: Set<() => void>;
  readonly rules: Rules;
};

/** How a node lives and dies: everything it calls goes through here. */
function createLife(clock: FakeClock, polls: Set<() => void>) {
  const faults: JournalFault[] = [];
  const waiting: (() => void)[] = [];
  let isDead = false;
  let isStalled = false;
  let commits = 0;
  let death: { readonly n: number; readonly when: 'before' | 'after' } | null = null;
  let stallsAt = 0;

  /** At once, or when the node wakes. */
  function whenAwake(run: () => void): void {
    if (isStalled) waiting.push(() => whenAwake(run));
    else if (!isDead) run();
  }
  const awake = (): Promise<void> => new Promise(whenAwake);

  /** The answer, or the fault, unless its hearer is dead by then. */
  async function listen(answer: Promise<unknown>): Promise<unknown> {
    try {
      const value = await answer;
      await awake();
      return value;
    } catch (error) {
      await awake();
      throw error;
    }
  }
  const heard = (answer: unknown): unknown => (answer instanceof Promise ? listen(answer) : answer);
  const around = (_name: string, run: () => unknown): unknown => {
    if (isDead) return never;
    return isStalled ? awake().then(() => heard(run())) : heard(run());
  };
  const aroundJournal = (name: string, run: () => unknown): Promise<unknown> => listen(askJournal(name, run));

  async function askJournal(name: string, run: () => unknown): Promise<unknown> {
    if (isDead) return never;
    const isCommit = name === 'begin' || name === 'commit';
    if (isCommit) commits += 1;
    const isLast = isCommit && death?.n === commits;
    if (isLast && death?.when === 'before') isDead = true;
    if (isDead) return never;
    const index = faults.findIndex((fault) => fault.on === name);
    const [fault] = index < 0 ? [] : faults.splice(index, 1);
    fault?.meanwhile?.();
    if (fault?.happened === 'lost_race') return { kind: 'lost_race' };
    if (fault?.happened === 'bug') throw new Error('a bug of the journal');
    if (fault !== undefined && !fault.isDone) throw new Fault('journal_unreachable', fault.happened);
    const answer = await run();
    if (isLast) isDead = true;
    if (isDead) return never;
    if (isCommit && commits === stallsAt) isStalled = true;
    if (fault !== undefined) throw new Fault('journal_unreachable', fault.happened);
    return answer;
  }

  const own: Clock = {
    now: () => clock.now(),
    wall: () => clock.wall(),
    after: (ms, run) => {
      const live = (): void => whenAwake(run);
      if (ms !== POLL_MS) return clock.after(ms, live);
      polls.add(live);
      return () => {
        polls.delete(live);
      };
    },
  };
  return {
    around,
    aroundJournal,
    clock: own,
    faults,
    isDead: () => isDead,
    whenAwake,
    kill: () => {
      isDead = true;
    },
    stall: () => {
      isStalled = true;
    },
    stallAt: (n: number) => {
      stallsAt = commits + n;
    },
    wake: () => {
      isStalled = false;
      for (const run of waiting.splice(0)) run();
    },
    dieAt: (n: number, when: 'before' | 'after') => {
      death = { n: commits + n, when };
    },
  };
}

/** Builds a node, its workers started. `host`: the node that holds a machine's socket. */
export function createNode(name: string, shared: Shared, host: (id: string) => HouseNode | undefined): HouseNode {
  const { redis, world, rules, notices } = shared;
  const life = createLife(shared.clock, shared.polls);
  const bare = world.store(name);
  const store: Store = { ...bare, purchases: mortal(bare.purchases, life.aroundJournal) };
  const bareBoard = redis.board(name);
  const board: Board = { ...bareBoard, orders: mortal(bareBoard.orders, life.around) };
  const wallet = mortal(shared.wallet, life.around);
  const machines = mortal(shared.machine.portOf(name), life.around);
  const subscribers = mortal(store.subscribers, life.around);
  const changes: StateChange[] = [];
  const troubles: string[] = [];
  const onTrouble = (what: string): void => {
    troubles.push(what);
  };
  const send: NoticePort['send'] = async ({ template, view, payer: to }) => {
    notices.push({ template, id: view.id, payer: to });
    return { kind: 'sent' };
  };
  const ports = { store: store.purchases, clock: life.clock, rules, keyOf, onTrouble };

  const coordinator = createCoordinator({
    ...ports,
    board: board.orders,
    machines,
    leaseMs: LEASE_MS,
    run: (own) => effects.run(own),
    nudge: (machineId) => host(machineId)?.machineReady(machineId),
    onChange: (change) => changes.push(change),
  });
  const walletOf = (): FakeWallet => wallet;
  const carryOut = createCarryOut({
    ...ports,
    coordinator,
    walletOf,
    machines,
    subscribers,
    leaseMs: LEASE_MS,
    budgets: { authorizeMs: 12_000, otherMs: 10_000 },
    notices: { send },
    languageOf: async () => null,
  });
  const polling = { clock: life.clock, pollMs: POLL_MS, random: () => 0.5, onTrouble };
  const effects = createEffectWorker({
    ...polling,
    store: store.purchases,
    coordinator,
    machines,
    carryOut,
    leaseMs: LEASE_MS,
  });
  const deadlines = createDeadlineWorker({ ...polling, store: store.purchases, coordinator });
  const purchases = createPurchases({
    ...ports,
    coordinator,
    board: board.orders,
    subscribers,
    wallet,
    walletOf,
    newReference: () => `${name.toUpperCase()}-${changes.length}`,
    holds: (machineId) => machines.holds(machineId),
    onNothingBegan: ({ id }, { payerId }) => {
      void store.subscribers.msisdnOf(payerId).then((to) => notices.push({ template: 'declined', id, payer: to }));
    },
  });
  effects.start();
  deadlines.start();
  return {
    name,
    board,
    store,
    coordinator,
    purchases: mortal(purchases, life.around),
    effects,
    changes,
    troubles,
    machineReady: (machineId) => life.whenAwake(() => effects.machineReady(machineId)),
    kill: life.kill,
    stall: life.stall,
    stallAtCommit: life.stallAt,
    wake: life.wake,
    dieAtCommit: life.dieAt,
    failJournal: (...more) => life.faults.push(...more),
    get isDead() {
      return life.isDead();
    },
  };
}
