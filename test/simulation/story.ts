/**
 * One story: nodes, machines, payers and a wallet in simulated time, under faults, from a seed. Once enough purchases have
 * begun, faults stop, and everything must come to rest.
 */
import type { Purchase, PurchaseId } from '../../src/purchase/purchase.ts';
import type { DurationMs } from '../../src/time.ts';
import { createMemoryRedis } from '../support/memory-order-board.ts';
import { createMemoryWorld, type MemoryWorld } from '../support/memory-store.ts';
import { aRegistry, aRegistryMachine } from '../support/store-builders.ts';
import { type Books, createBooks } from './books.ts';
import { createDice, type Dice } from './chance.ts';
import { createFaultPlan, type StoryFaults } from './fault-plan.ts';
import { beginningMs } from './life.ts';
import { createSimMachine, type SimMachine } from './machine.ts';
import { createMachineNetwork } from './machine-wire.ts';
import { createPhoneNetwork } from './network.ts';
import { createSimNode, type SimNode, type World } from './node.ts';
import type { Notes } from './notes.ts';
import { createPayer, type Payer } from './payer.ts';
import { drawTraits, openAccounts } from './people.ts';
import type { StoryOptions, StoryReport, Violation } from './report.ts';
import { createTextReader } from './said-text.ts';
import { startSchedule } from './schedule.ts';
import { hotMs, simConfig, simRules, simTexts } from './settings.ts';
import { createTimeline, type Timeline } from './timeline.ts';
import { createTrace, type Trace } from './trace.ts';
import { traced } from './traced-notes.ts';
import { startTrouble } from './trouble.ts';
import { createSimWallet } from './wallet.ts';
import { watchDialogs } from './watch.ts';
import { fairWeather, type Weather } from './weather.ts';

const MACHINES = 16;
const goods = [
  { item: 3, price: 500n },
  { item: 5, price: 300n },
];
/** No story takes longer to begin its purchases, nor to come to rest after its faults. */
const LONGEST_STORY_MS: DurationMs = 10 * 86_400_000;
const LONGEST_REST_MS: DurationMs = 12 * 3_600_000;
const REST_LOOK_MS: DurationMs = 5_000;
/** Until then orders wait, machines deliver and texts are on their way; afterwards idle hours are skipped. */
const AWAKE_MS: DurationMs = 200_000;
const NOTHING_DUE_MS: DurationMs = 60_000;

/** Everything of one story. */
type Stage = {
  readonly timeline: Timeline;
  readonly faults: StoryFaults;
  readonly trace: Trace;
  readonly books: Books;
  readonly journal: MemoryWorld;
  readonly weather: Weather;
  readonly skew: { journalMs: DurationMs; boardMs: DurationMs };
  readonly nodes: readonly SimNode[];
  readonly machines: readonly SimMachine[];
  readonly payers: readonly Payer[];
  /** The end of faults. */
  readonly repair: () => void;
};

/** Plays a story. The same options give the same report. */
export async function playStory(options: StoryOptions): Promise<StoryReport> {
  const dice = createDice(options.seed);
  const timeline = createTimeline(dice.fork());
  const trace = createTrace(timeline, options.onTrace);
  const faults = createFaultPlan(dice.fork(), options.without ?? new Set(), (kind) => trace.line('fault', kind));
  trace.line('seed', `${options.seed} ${faults.temper}`);
  const bugs: string[] = [];
  const onUnhandled = (error: unknown): void => {
    bugs.push(`a rejection that nobody handles: ${wordsOf(error)}`);
  };
  process.on('unhandledRejection', onUnhandled);
  try {
    const stage = await buildStage({ options, dice, timeline, trace, faults, onBug: (words) => bugs.push(words) });
    const violation = await run(stage, options, bugs);
    return reportOf(stage, options, violation);
  } finally {
    process.removeListener('unhandledRejection', onUnhandled);
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

async function run(stage: Stage, options: StoryOptions, bugs: readonly string[]): Promise<Violation | null> {
  const { timeline, books } = stage;
  const broken: string[] = [];
  const rest = createRest(stage, options.purchases);
  const isOver = (): boolean => broken.length > 0 || rest.isOver();
  try {
    await timeline.run(isOver, () => {
      broken.push(...books.broken(), ...bugs);
      rest.look();
    });
  } catch (error) {
    broken.push(`it threw: ${wordsOf(error)}`);
  }
  if (broken.length === 0) broken.push(...rest.complaints(), ...books.brokenAtRest());
  return broken.length === 0 ? null : violationOf(stage, broken);
}

async function violationOf({ timeline, trace, journal }: Stage, broken: readonly string[]): Promise<Violation> {
  // Words by which the lines of the trace that matter are found: purchases named, and the machines and orders they are of.
  const ids = broken.flatMap(
    (words) => words.match(/[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-8[\da-f]{3}-[\da-f]{12}/g) ?? [],
  );
  const orders: string[] = [];
  for (const id of ids) {
    const purchase = journal.tables.find(id)?.purchase;
    if (purchase === undefined) continue;
    const { machineId, orderSeq } = purchase.order;
    orders.push(`${machineId}/${orderSeq} `, `machine ${machineId} `);
    orders.push(await journal.store('story').subscribers.msisdnOf(purchase.payerId));
  }
  const named = broken.flatMap((words) => words.match(/M-\d+/g) ?? []);
  const story = trace.about([...ids, ...orders, ...named]);
  return { step: timeline.steps, atMs: timeline.now(), broken, story };
}

function reportOf(
  { timeline, trace, faults, books }: Stage,
  { seed }: StoryOptions,
  violation: Violation | null,
): StoryReport {
  return {
    seed,
    purchases: books.begunCount,
    steps: timeline.steps,
    simulatedMs: timeline.now(),
    digest: trace.digest(),
    faults: faults.counts,
    edges: books.edges,
    states: books.states,
    violation,
  };
}

/** When faults end, and whether everything has come to rest since. */
function createRest(stage: Stage, purchases: number) {
  const { timeline, books, journal, skew, trace, weather } = stage;
  let endedAtMs: DurationMs | null = null;
  let nextLookMs = 0;
  let isResting = false;
  let complaint: string | null = null;

  function isAtRest(): boolean {
    const { purchases: live, effects, statements } = books.unrest();
    if (live + effects + statements + weather.walletBacklog > 0) return false;
    for (const { purchase, endedAt } of journal.tables.purchases.values()) {
      if (endedAt === null && purchase.state === 'in_doubt') return false;
    }
    return true;
  }

  /** Hours in which nothing falls due are skipped: the journal's clock is set forward. */
  function skipIdleTime(): void {
    if (weather.walletBacklog > 0) return;
    let next = Number.POSITIVE_INFINITY;
    for (const { dueAt } of journal.tables.effects.values()) next = Math.min(next, dueAt);
    for (const { deadlineAt } of journal.tables.purchases.values()) next = Math.min(next, deadlineAt ?? next);
    const idleMs = next - timeline.now() - skew.journalMs;
    if (!Number.isFinite(idleMs) || idleMs < NOTHING_DUE_MS) return;
    skew.journalMs += idleMs - 1_000;
    trace.line('world', `idle time is skipped: ${Math.round(idleMs)}`);
  }

  return {
    isOver: () => isResting,
    complaints: () => (complaint === null ? [] : [complaint]),
    look: () => {
      if (endedAtMs === null) {
        if (timeline.now() > LONGEST_STORY_MS) {
          complaint = `only ${books.begunCount} of ${purchases} purchases have begun`;
          isResting = true;
        }
        if (books.begunCount < purchases) return;
        endedAtMs = timeline.now();
        trace.line('story', 'faults end');
        stage.repair();
        // Time must go on even where nobody plans anything.
        const tick = (): void => void timeline.after(REST_LOOK_MS, tick);
        tick();
      }
      if (timeline.now() < nextLookMs) return;
      nextLookMs = timeline.now() + REST_LOOK_MS;
      const sinceMs = timeline.now() - endedAtMs;
      if (sinceMs < AWAKE_MS) return;
      isResting = isAtRest();
      if (isResting) return;
      if (sinceMs > LONGEST_REST_MS) {
        complaint = `never at rest: ${JSON.stringify(books.unrest())}`;
        isResting = true;
      } else skipIdleTime();
    },
  };
}

type StageDeps = {
  readonly options: StoryOptions;
  readonly dice: Dice;
  readonly timeline: Timeline;
  readonly trace: Trace;
  readonly faults: StoryFaults;
  readonly onBug: (words: string) => void;
};

async function buildStage({ options, dice, timeline, trace, faults, onBug }: StageDeps): Promise<Stage> {
  const skew = { journalMs: 0, boardMs: 0 };
  const clockOf = (offset: () => DurationMs) => ({
    now: () => timeline.now() + offset(),
    wall: () => beginningMs + timeline.now() + offset(),
    after: (afterMs: DurationMs, act: () => void) => timeline.after(afterMs, act),
  });
  const journal = createMemoryWorld({ clock: clockOf(() => skew.journalMs), hotMs });
  const weather = fairWeather();
  const reader = createTextReader(simTexts, simConfig.texts.wallet);
  const traits = drawTraits(dice.fork());
  const noted: { notes: Notes | null } = { notes: null };
  const wallet = createSimWallet({
    timeline,
    dice: dice.fork(),
    faults,
    traits,
    notes: {
      walletCalled: () => undefined,
      moneyMoved: (movement) => noted.notes?.moneyMoved(movement),
      funded: (payer, balance) => noted.notes?.funded(payer, balance),
    },
  });
  const { subscribers } = journal.store('setup');
  const books = createBooks({
    rules: simRules,
    ledger: wallet.ledger,
    reader,
    pseudonymOf: (payer) => subscribers.pseudonymOf(payer),
  });
  const dropped = new Map<string, number>();
  const doubtfulSinceMs = new Map<PurchaseId, DurationMs>();
  const notes = traced(books, trace, {
    dropped: (machineId, orderSeq) => {
      const name = `${machineId}/${orderSeq}`;
      dropped.set(name, (dropped.get(name) ?? 0) + 1);
    },
    doubtful: (id) => doubtfulSinceMs.set(id, timeline.now()),
  });
  noted.notes = notes;
  const board = createMemoryRedis(
    clockOf(() => skew.boardMs),
    watchDialogs(notes),
  );
  const phones = createPhoneNetwork({ timeline, dice: dice.fork(), faults, notes, trace });
  const network = createMachineNetwork({ timeline, dice: dice.fork(), faults });
  const names = Array.from({ length: MACHINES }, (_, index) => ({
    id: `M-${4560 + index}`,
    number: `${4560 + index}`,
  }));
  const registered = names.map(({ id, number }) =>
    aRegistryMachine(id, number, {
      items: goods.map(({ item }) => ({
        item,
        productName: item === 3 ? 'Coca 33 cl' : 'Eau 50 cl',
        priceMinor: null,
      })),
    }),
  );
  await journal.store('setup').applyRegistry(aRegistry(registered));
  const world: World = {
    ...{ timeline, dice: dice.fork(), faults, weather, notes, trace },
    ...{ journal, board, wallet, phones, machines: network, onBug },
  };
  const payers = openAccounts(dice.fork(), wallet).map((account) =>
    createPayer({ timeline, dice: dice.fork(), faults, notes, network: phones, wallet, reader, account }),
  );
  wallet.onPush((id, msisdn) => payers.find((payer) => payer.msisdn === msisdn)?.push(id));
  const nodes = Array.from({ length: options.nodes }, (_, index) => createSimNode(`node${index + 1}`, world));
  const maxWaitMs = dice.pick([45_000, 60_000, 90_000]);
  const machines = names.map(({ id, number }) =>
    createSimMachine({
      ...{ timeline, dice: dice.fork(), faults, network, notes, goods, number, currency: 'XOF' },
      trace: (line) => trace.line('machine', line),
      machineId: id,
      key: `key of ${id}`,
      timers: { maxWaitMs, deliveryMs: 20_000 },
      staysConnected: dice.happens(0.7),
    }),
  );
  for (const machine of machines) machine.powerOn();
  const items = goods.map(({ item }) => item);
  const schedule = startSchedule({ timeline, dice: dice.fork(), faults, machines, payers, items });
  const droppedFor = ({ order }: Purchase): number => dropped.get(`${order.machineId}/${order.orderSeq}`) ?? 0;
  const trouble = startTrouble({
    ...{ timeline, dice: dice.fork(), faults, weather, trace, notes, nodes, journal, board, skew, droppedFor },
    doubtfulSinceMs: (id) => doubtfulSinceMs.get(id),
  });
  const repair = (): void => {
    schedule.stop();
    faults.end();
    trouble.end();
    network.repair();
    for (const machine of machines) machine.repair();
    for (const payer of payers) payer.goHome();
  };
  return { timeline, faults, trace, books, journal, weather, skew, nodes, machines, payers, repair };
}
