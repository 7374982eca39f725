/**
 * The storm: payers buy without pause while processes are killed and stopped, servers restarted and wires cut, each at a
 * purchase that was seen in a certain state. Afterwards the books must agree.
 */
import { setMaxListeners } from 'node:events';
import { type DurationMs, pause, systemClock } from '../../../src/time.ts';
import { createDice, type Dice } from '../../simulation/chance.ts';
import { checkAll, checkEnded, type Disagreement, isAtRest, unclearOnes } from './storm-books.ts';
import { accounts, liveStates, type Sighting, sight, tellStory, timelines } from './storm-journal.ts';
import { buyOnAndOn } from './storm-payer.ts';
import { type Ending, endingsOf, type Struck, type StruckAt } from './storm-report.ts';
import { type StrikeKind, strikeKinds, superviseOnce } from './storm-strikes.ts';
import type { StormWorld } from './storm-world.ts';

/** How long and how hard it storms. */
export type StormPlan = {
  readonly seed: number;
  /** Kills and stalls of processes; what else is struck comes on top. */
  readonly strikes: number;
  readonly kinds: readonly StrikeKind[];
  /** True: every kind in every state as often as its weight says. False: every kind once, in whatever state. */
  readonly isByState: boolean;
  /** Between two strikes, at least and at most. */
  readonly gapMs: readonly [DurationMs, DurationMs];
  /** How long purchases may take to come to rest once all is well. */
  readonly restMs: DurationMs;
  readonly say: (line: string) => void;
};

/** What came of it. */
export type StormOutcome = {
  readonly seed: number;
  readonly tookMs: DurationMs;
  readonly struck: readonly Struck[];
  readonly endings: readonly Ending[];
  readonly disagreements: readonly Disagreement[];
  /** Processes that ended by themselves, and were started again. */
  readonly fallen: readonly string[];
};

const LOOK_MS: DurationMs = 25;
const SUPERVISE_MS: DurationMs = 500;
const CHECK_MS: DurationMs = 10_000;
/** A purchase that stands still for longer waits for a lease already: another strike would tell nothing of this one. */
const FRESH_MS: DurationMs = 2_500;
/** No purchase worth a strike for so long: something has stopped for good. */
const STANDSTILL_MS: DurationMs = 100_000;
const PATIENCE_MS: DurationMs = 2_500;
/** Weighted strikes ahead of the rarest that are taken at once. */
const AHEAD = 0.4;

/** Chooses where to strike, so that the rarest pair of kind and state comes first. */
class Aim {
  readonly #plan: StormPlan;
  readonly #counts = new Map<string, number>();
  /** Purchases struck and not yet moved on, by the version they were struck at. */
  readonly #pending = new Map<string, number>();
  readonly #doubted = new Set<string>();
  #waitingSinceMs = systemClock.now();

  constructor(plan: StormPlan) {
    this.#plan = plan;
  }

  /** The next strike, or null while none fits. */
  choose(
    world: StormWorld,
    seen: readonly Sighting[],
    busy: ReadonlySet<string>,
    dice: Dice,
  ): { readonly kind: StrikeKind; readonly target: Sighting } | null {
    this.#forget(seen);
    const fitting = seen.filter((each) => this.#isTarget(each));
    const possible = this.#plan.kinds.flatMap((kind) =>
      fitting
        .filter((target) => !kind.parts(world, target).some((part) => busy.has(part)))
        .map((target) => ({ kind, target, score: this.#score(kind, target.state) })),
    );
    const best = Math.min(...possible.map(({ score }) => score));
    const isPatient = systemClock.now() - this.#waitingSinceMs < PATIENCE_MS;
    if (possible.length === 0 || (isPatient && best > this.#floor() + AHEAD)) return null;
    if (!this.#plan.isByState && best > 0) return null;
    const { kind, target } = dice.pick(possible.filter(({ score }) => score === best));
    const key = this.#keyOf(kind, target.state);
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    this.#pending.set(target.id, target.version);
    if (target.state === 'in_doubt') this.#doubted.add(target.id);
    this.#waitingSinceMs = systemClock.now();
    return { kind, target };
  }

  #isTarget({ id, state, ageMs }: Sighting): boolean {
    if (this.#pending.has(id)) return false;
    if (state === 'in_doubt') return !this.#doubted.has(id);
    return ageMs < (state === 'validating' ? 2 * FRESH_MS : FRESH_MS);
  }

  #forget(seen: readonly Sighting[]): void {
    const versions = new Map(seen.map(({ id, version }) => [id, version]));
    for (const [id, version] of this.#pending) if (versions.get(id) !== version) this.#pending.delete(id);
  }

  #keyOf(kind: StrikeKind, state: string): string {
    return this.#plan.isByState ? `${kind.name}/${state}` : kind.name;
  }

  #score(kind: StrikeKind, state: string): number {
    return (this.#counts.get(this.#keyOf(kind, state)) ?? 0) / kind.weight;
  }

  #floor(): number {
    return Math.min(...this.#plan.kinds.flatMap((kind) => liveStates.map((state) => this.#score(kind, state))));
  }
}

/** Lets it storm over this world, and looks at the books when it is over. */
export async function runStorm(world: StormWorld, plan: StormPlan): Promise<StormOutcome> {
  const startMs = systemClock.now();
  const dice = createDice(plan.seed);
  const ending = new AbortController();
  setMaxListeners(0, ending.signal);
  const payers = world.payers.map((payer) => buyOnAndOn(world, payer, dice.fork(), ending.signal));
  const found: Disagreement[] = [];
  const note = async (wrong: readonly Disagreement[]): Promise<void> => {
    for (const each of wrong) {
      found.push(each);
      plan.say(`DISAGREES ${each.id ?? ''} ${each.what}`);
      if (each.id !== null) for (const line of await tellStory(world.journal, world.ledger, each.id)) plan.say(line);
    }
  };
  const watch = watchBooks(world, ending.signal, note);
  const busy = new Set<string>();
  const fallen: string[] = [];
  const supervisor = supervise(world, busy, ending.signal, (name) => {
    fallen.push(name);
    plan.say(`${name} has ended by itself`);
  });
  let struck: readonly StruckAt[];
  try {
    struck = await strikeOnAndOn(world, plan, busy, dice.fork());
  } finally {
    ending.abort();
  }
  await Promise.all([...payers, watch, supervisor]);
  plan.say(`the storm is over after ${seconds(systemClock.now() - startMs)}; waiting for rest`);
  await comeToRest(world, plan.restMs);
  await note(await checkAll(world));
  const happenings = await timelines(world.journal, [...new Set(struck.map(({ id }) => id))]);
  return {
    seed: plan.seed,
    tookMs: systemClock.now() - startMs,
    struck: struck.map((each) => ({ ...each, ...whatFollowed(happenings.get(each.id) ?? [], each.atMs) })),
    endings: await endingsOf(world),
    disagreements: found,
    fallen,
  };
}

function seconds(ms: DurationMs): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** The state a purchase was in at that moment, and how long it took until something happened to it. */
function whatFollowed(
  happenings: readonly { readonly atMs: number; readonly state: string; readonly event: string }[],
  atMs: number,
): Pick<Struck, 'state' | 'recoveryMs' | 'next'> {
  const before = happenings.filter((each) => each.atMs <= atMs).at(-1);
  const after = happenings.find((each) => each.atMs > atMs);
  return {
    state: before?.state ?? 'unknown',
    recoveryMs: after === undefined ? null : after.atMs - atMs,
    next: after?.event ?? null,
  };
}

async function strikeOnAndOn(
  world: StormWorld,
  plan: StormPlan,
  busy: Set<string>,
  dice: Dice,
): Promise<readonly StruckAt[]> {
  const struck: StruckAt[] = [];
  const healing = new Set<Promise<void>>();
  const failures: unknown[] = [];
  const aim = new Aim(plan);
  let lastMs = systemClock.now();
  const isOver = (): boolean => {
    if (!plan.isByState) return struck.length >= plan.kinds.length;
    return struck.filter(({ isOfProcess }) => isOfProcess).length >= plan.strikes;
  };
  while (!isOver() && failures.length === 0) {
    const seen = await sight(world.journal).catch(() => []);
    const next = aim.choose(world, seen, busy, dice);
    if (next === null) {
      if (systemClock.now() - lastMs > STANDSTILL_MS) throw new Error('nobody buys any more');
      await pause(systemClock, LOOK_MS);
      continue;
    }
    const { kind, target } = next;
    lastMs = systemClock.now();
    const parts = kind.parts(world, target);
    for (const part of parts) busy.add(part);
    const onStruck = (): void => {
      struck.push({ kind: kind.name, isOfProcess: kind.isOfProcess, id: target.id, atMs: Date.now() });
      plan.say(`${struck.length} ${kind.name} at ${target.id}, ${target.state}`);
    };
    const healed = kind.strike({ world, target, dice: dice.fork(), onStruck });
    const done: Promise<void> = healed
      .catch((error: unknown) => {
        failures.push(error);
      })
      .finally(() => {
        for (const part of parts) busy.delete(part);
        healing.delete(done);
      });
    healing.add(done);
    await pause(systemClock, dice.int(...plan.gapMs));
  }
  await Promise.all(healing);
  if (failures.length > 0) throw failures[0];
  return struck;
}

async function supervise(
  world: StormWorld,
  busy: Set<string>,
  signal: AbortSignal,
  onFallen: (name: string) => void,
): Promise<void> {
  while (!signal.aborted) {
    await pause(systemClock, SUPERVISE_MS);
    // What cannot be started at all is found by the next look, and in the end by the books.
    const fallen = await superviseOnce(world, busy).catch(() => []);
    for (const name of fallen) onFallen(name);
  }
}

/** Ended purchases are looked at soon, so that what went wrong is found near the strike that did it. */
async function watchBooks(
  world: StormWorld,
  signal: AbortSignal,
  note: (wrong: readonly Disagreement[]) => Promise<void>,
): Promise<void> {
  const checked = new Set<string>();
  while (!signal.aborted) {
    await pause(systemClock, CHECK_MS, signal);
    try {
      await note(await checkEnded(world, checked));
    } catch {
      // A database is away: the next look sees the same purchases.
    }
  }
}

async function comeToRest(world: StormWorld, restMs: DurationMs): Promise<void> {
  const untilMs = systemClock.now() + restMs;
  while (systemClock.now() < untilMs) {
    const unclear = await unclearOnes(world);
    if ((await accounts(world.journal)).every((each) => isAtRest(each, unclear))) return;
    await pause(systemClock, 500);
  }
}

/** The kinds by name, or all. */
export function kindsNamed(names: readonly string[] | null): readonly StrikeKind[] {
  return names === null ? strikeKinds : strikeKinds.filter(({ name }) => names.includes(name));
}
