/**
 * One simulated node of Relais: the real core and the real phone rooms over simulated lines. It is killed, stopped and
 * started anew; its name stays, its memory does not.
 */
import { buildCore, type Core } from '../../src/composition/core.ts';
import type { Rooms } from '../../src/composition/edges.ts';
import type { Chance } from '../../src/composition/names.ts';
import { answerPhones } from '../../src/composition/phones.ts';
import type { Log } from '../../src/log.ts';
import type { Metrics } from '../../src/metrics.ts';
import type { PurchaseStore } from '../../src/purchase/store-port.ts';
import { Fault } from '../../src/result.ts';
import type { Store } from '../../src/store/store.ts';
import type { DurationMs } from '../../src/time.ts';
import type { MemoryRedis } from '../support/memory-order-board.ts';
import type { MemoryWorld } from '../support/memory-store.ts';
import type { Dice } from './chance.ts';
import type { StoryFaults } from './fault-plan.ts';
import { createLife, type Life } from './life.ts';
import { createLines, type Lines } from './line.ts';
import type { MachineNetwork } from './machine-wire.ts';
import type { PhoneNetwork } from './network.ts';
import type { Notes } from './notes.ts';
import { simConfig, simPhrases, simRules } from './settings.ts';
import type { Timeline } from './timeline.ts';
import type { Trace } from './trace.ts';
import type { SimWallet } from './wallet.ts';
import { watchNotices, watchStore, watchWallet } from './watch.ts';
import type { Weather } from './weather.ts';

/** Everything around the nodes. */
export type World = {
  readonly timeline: Timeline;
  readonly dice: Dice;
  readonly faults: StoryFaults;
  readonly weather: Weather;
  readonly notes: Notes;
  readonly trace: Trace;
  readonly journal: MemoryWorld;
  readonly board: MemoryRedis;
  readonly wallet: SimWallet;
  readonly phones: PhoneNetwork;
  readonly machines: MachineNetwork;
  /** Something that cannot be: a bug of ours, in words. */
  readonly onBug: (words: string) => void;
};

/** A node, through all its lives. */
export interface SimNode {
  readonly name: string;
  /** The core of the present life; null while it is down. */
  core(): Core | null;
  kill(downMs?: DurationMs): void;
  stall(forMs: DurationMs): void;
  jumpWall(byMs: DurationMs): void;
  /** The end of faults: up, and awake. */
  repair(): void;
}

/** Chance at each moment of a node: before each call, and before each answer. */
const KILLED = 1 / 6_000;
const STALLED = 1 / 6_000;
const HOUSEKEEPING_MS: DurationMs = 30_000;
const MOST_MOVED = 1_000;

const noFigures: Metrics = { count: () => undefined, observe: () => undefined, read: () => ({}) };

function createChance(dice: Dice, life: Life): Chance {
  return {
    random: () => dice.float(),
    newId: () => dice.uuid(4, 0),
    newPurchaseId: () => dice.uuid(7, life.clock.wall()),
    newCode: () => String(dice.int(0, 999)).padStart(3, '0'),
  };
}

/** The journal over the node's line; what is asked again and again in vain costs no steps. */
function overLine(store: Store, lines: Lines, dice: Dice): Store {
  const journal = <Answer>(statement: () => Promise<Answer>): Promise<Answer> => lines.journal(statement);
  const poll = <Answer>(look: () => Promise<readonly Answer[]>): Promise<readonly Answer[]> => lines.poll(look);
  const { purchases, subscribers, directory } = store;
  const far: PurchaseStore = {
    begin: (commit) => journal(() => purchases.begin(commit)),
    load: (id) => journal(() => purchases.load(id)),
    commit: (commit) => journal(() => purchases.commit(commit)),
    keepStatement: (...given) => journal(() => purchases.keepStatement(...given)),
    planQuery: (...given) => journal(() => purchases.planQuery(...given)),
    refund: (commit) => journal(() => purchases.refund(commit)),
    refundSettled: (...given) => journal(() => purchases.refundSettled(...given)),
    openCase: (...given) => journal(() => purchases.openCase(...given)),
    takeDue: (...given) => poll(() => purchases.takeDue(...given)),
    takeForMachines: (...given) => poll(() => purchases.takeForMachines(...given)),
    reschedule: (...given) => journal(() => purchases.reschedule(...given)),
    keepLease: (...given) => journal(() => purchases.keepLease(...given)),
    finish: (...given) => journal(() => purchases.finish(...given)),
    pastDeadline: (limit) => poll(() => purchases.pastDeadline(limit)),
    putOffDeadline: (...given) => journal(() => purchases.putOffDeadline(...given)),
    effectsOf: (id) => journal(() => purchases.effectsOf(id)),
    ofOrder: (...given) => journal(() => purchases.ofOrder(...given)),
    liveOfMachine: (id) => journal(() => purchases.liveOfMachine(id)),
    seqFloorOf: (id) => journal(() => purchases.seqFloorOf(id)),
    recentOfPayer: (...given) => journal(() => purchases.recentOfPayer(...given)),
  };
  // Nodes remember machines and payers; now and then they must ask.
  const maybe = <Answer>(ask: () => Promise<Answer>): Promise<Answer> => (dice.happens(0.1) ? journal(ask) : ask());
  return {
    ...store,
    purchases: far,
    directory: {
      machineByNumber: (number) => maybe(() => directory.machineByNumber(number)),
      machineById: (id) => maybe(() => directory.machineById(id)),
      itemOf: (...given) => maybe(() => directory.itemOf(...given)),
    },
    subscribers: {
      meet: (msisdn) => journal(() => subscribers.meet(msisdn)),
      msisdnOf: (payerId) => maybe(() => subscribers.msisdnOf(payerId)),
      setLanguage: (...given) => journal(() => subscribers.setLanguage(...given)),
      pseudonymOf: (msisdn) => subscribers.pseudonymOf(msisdn),
    },
    movePast: (limit) => journal(() => store.movePast(limit)),
  };
}

/** A Fault is the world's; anything else that is logged as an error is ours, and a violation. */
function createLog(name: string, { trace, onBug }: World): Log {
  return {
    info: () => undefined,
    warn: () => undefined,
    error: (event, fields, error) => {
      const what = typeof fields['what'] === 'string' ? fields['what'] : '';
      trace.line(name, `error ${event} ${what} ${error instanceof Error ? error.message : ''}`);
      if (error instanceof Error && !(error instanceof Fault)) {
        onBug(`${name}: ${event} ${what}: ${error.stack ?? error.message}`);
      }
    },
  };
}

/** What is alive of a node. */
type Living = { readonly life: Life; readonly core: Core };

/** A node that is up from now on. */
export function createSimNode(name: string, world: World): SimNode {
  const { timeline, faults, notes, trace } = world;
  const dice = world.dice.fork();
  let living: Living | null = null;
  let starts = 0;
  let cancelStart = (): void => undefined;
  let cancelWake = (): void => undefined;

  function moment(of: Life): void {
    if (of.isDead || of.isStalled) return;
    if (faults.strikes('node_killed', KILLED)) kill();
    else if (faults.strikes('node_stalled', STALLED)) stall(dice.latency(dice.pick([500, 5_000, 20_000, 40_000])));
  }

  function start(): void {
    starts += 1;
    const life = createLife(`${name}.${starts}`, timeline, dice.int(1_000, 100_000_000));
    trace.line(life.name, 'starts');
    living = { life, core: buildNode(name, life, { ...world, dice: dice.fork() }, () => moment(life)) };
  }

  function kill(downMs: DurationMs = dice.latency(5_000)): void {
    if (living === null) return;
    const { life } = living;
    trace.line(life.name, 'killed');
    life.kill();
    living = null;
    cancelWake();
    notes.nodeKilled(life.name);
    cancelStart = timeline.after(downMs, start);
  }

  function stall(forMs: DurationMs): void {
    if (living === null || living.life.isStalled) return;
    const { life } = living;
    trace.line(life.name, `stopped for ${Math.round(forMs)}`);
    life.stall();
    cancelWake = timeline.after(forMs, () => {
      trace.line(life.name, 'goes on');
      life.wake();
    });
  }

  start();
  return {
    name,
    core: () => living?.core ?? null,
    kill,
    stall,
    jumpWall: (byMs) => living?.life.jumpWall(byMs),
    repair: () => {
      cancelStart();
      if (living === null) start();
      living?.life.wake();
    },
  };
}

/** Builds and starts what `start.ts` builds and starts, but for sockets and ports. */
function buildNode(name: string, life: Life, world: World, moment: () => void): Core {
  const { timeline, dice, faults, weather, notes, machines, phones } = world;
  const { clock } = life;
  const lines = createLines({ timeline, dice, faults, life, weather, moment });
  const store = overLine(watchStore(world.journal.store(life.name), life.name, notes), lines, dice);
  const board = world.board.board(name, {
    clock,
    carry: (command) => lines.board(command),
    hear: (run) => timeline.after(dice.latency(1), () => life.deliver(run)),
  });
  const rooms: Rooms = {
    config: { ...simConfig, node: name },
    log: createLog(life.name, world),
    clock,
    rules: simRules,
    store,
    board,
    chance: createChance(dice, life),
    wallet: { ...watchWallet(lines.wallet(world.wallet), life.name, notes), close: () => Promise.resolve() },
    openDoor: machines.doorOf(life, () => true),
  };
  const core = buildCore(rooms);
  const shown = {
    purchases: core.purchases,
    setNotices: (notices: Parameters<Core['setNotices']>[0]): void =>
      core.setNotices(watchNotices(notices, life.name, notes)),
  };
  answerPhones(rooms, shown, [phones.accountOf(life, moment)], noFigures, simPhrases);
  board.start().catch(() => undefined);
  const keepHouse = (): void => {
    clock.after(HOUSEKEEPING_MS, () => {
      store.movePast(MOST_MOVED).then(keepHouse, keepHouse);
    });
  };
  keepHouse();
  core.worker.start();
  core.deadlines.start();
  return core;
}
