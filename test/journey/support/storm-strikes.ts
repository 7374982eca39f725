/**
 * The strikes of the storm: each kind with how often it comes, whom it hits, and how it is done and made good again.
 */
import { type DurationMs, pause, systemClock } from '../../../src/time.ts';
import type { Dice } from '../../simulation/chance.ts';
import type { Sighting } from './storm-journal.ts';
import { type Party, parties, type StormNode, type StormWorld, stopFor, type Victim } from './storm-world.ts';
import type { Wire } from './wire.ts';

/** A kind of strike. */
export type StrikeKind = {
  readonly name: string;
  /** How often it comes, beside the others. */
  readonly weight: number;
  /** A kill or a stall of a process. */
  readonly isOfProcess: boolean;
  /** What cannot be struck again before it is well: names of parts. */
  readonly parts: (world: StormWorld, target: Sighting) => readonly string[];
  /** Strikes at once; resolves when all is well again. `onStruck`: the moment of it. */
  readonly strike: (at: StrikePlace) => Promise<void>;
};

type StrikePlace = {
  readonly world: StormWorld;
  readonly target: Sighting;
  readonly dice: Dice;
  readonly onStruck: () => void;
};

/** Longer than the lease of an effect (15 s), so that somebody else has it when the stalled one wakes up. */
const BEYOND_LEASE_MS: readonly [DurationMs, DurationMs] = [15_500, 20_000];
const START_TRIES_MS: DurationMs = 500;
const MOST_TRIES = 60;

function nodeOf(world: StormWorld, target: Sighting): StormNode {
  const found = world.nodes.find(({ name }) => name === target.node) ?? world.nodes[0];
  if (found === undefined) throw new Error('a storm without nodes');
  return found;
}

function hallOf(world: StormWorld, target: Sighting): number {
  return world.payers.find(({ machineId }) => machineId === target.machineId)?.hall ?? 0;
}

/** Until it runs again: what it stands on may be struck as well. */
async function startAgain(victim: Pick<Victim, 'start'>): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await victim.start();
      return;
    } catch (error) {
      if (tries >= MOST_TRIES) throw error;
      await pause(systemClock, START_TRIES_MS);
    }
  }
}

async function kill(victim: Victim, { dice, onStruck }: StrikePlace, downMs: DurationMs): Promise<void> {
  onStruck();
  await victim.kill9();
  await pause(systemClock, dice.int(0, downMs));
  await startAgain(victim);
}

function stall(pid: number, ms: DurationMs, { world, onStruck }: StrikePlace): Promise<void> {
  onStruck();
  return stopFor(pid, Math.min(ms, world.scale.longestStallMs));
}

const gatewayKinds: readonly StrikeKind[] = [
  {
    name: 'kill gateway',
    weight: 3,
    isOfProcess: true,
    parts: (world, target) => [nodeOf(world, target).name],
    strike: (at) => kill(nodeOf(at.world, at.target), at, 1_500),
  },
  {
    name: 'stall gateway',
    weight: 2,
    isOfProcess: true,
    parts: (world, target) => [nodeOf(world, target).name],
    strike: (at) => stall(nodeOf(at.world, at.target).pid(), at.dice.int(500, 9_000), at),
  },
  {
    name: 'stall it beyond its lease',
    weight: 1,
    isOfProcess: true,
    parts: (world, target) => [nodeOf(world, target).name],
    strike: (at) => stall(nodeOf(at.world, at.target).pid(), at.dice.int(...BEYOND_LEASE_MS), at),
  },
  {
    name: 'kill both gateways',
    weight: 0.5,
    isOfProcess: true,
    parts: (world) => world.nodes.map(({ name }) => name),
    strike: async (at) => {
      at.onStruck();
      await Promise.all(at.world.nodes.map((node) => kill(node, { ...at, onStruck: () => undefined }, 1_500)));
    },
  },
];

const partyKinds: readonly StrikeKind[] = [
  {
    name: 'kill centre',
    weight: 1,
    isOfProcess: true,
    parts: () => ['centre'],
    strike: (at) => kill(at.world.centre, at, 3_000),
  },
  {
    name: 'stall centre',
    weight: 1,
    isOfProcess: true,
    parts: () => ['centre'],
    strike: (at) => stall(at.world.centre.pid(), at.dice.int(500, 14_000), at),
  },
  {
    name: 'kill machines',
    weight: 1,
    isOfProcess: true,
    parts: (world, target) => [`hall ${hallOf(world, target)}`],
    strike: async (at) => {
      const hall = at.world.halls[hallOf(at.world, at.target)];
      if (hall !== undefined) await kill(hall, at, 3_000);
    },
  },
  {
    name: 'stall machines',
    weight: 1,
    isOfProcess: true,
    parts: (world, target) => [`hall ${hallOf(world, target)}`],
    strike: async (at) => {
      const hall = at.world.halls[hallOf(at.world, at.target)];
      if (hall !== undefined) await stall(hall.pid(), at.dice.int(500, 20_000), at);
    },
  },
  {
    name: 'kill Redis',
    weight: 1,
    isOfProcess: true,
    parts: () => ['redis'],
    strike: (at) => kill(at.world.redis, at, 2_000),
  },
  {
    name: 'stall Redis',
    weight: 1,
    isOfProcess: true,
    parts: () => ['redis'],
    strike: (at) => stall(at.world.redis.pid(), at.dice.int(500, 6_000), at),
  },
  {
    name: 'kill PostgreSQL',
    weight: 1,
    isOfProcess: true,
    parts: () => ['database'],
    strike: (at) => kill(at.world.database, at, 2_000),
  },
  {
    name: 'FLUSHALL',
    weight: 1,
    isOfProcess: false,
    parts: () => ['redis'],
    strike: async ({ world, onStruck }) => {
      onStruck();
      await world.redis.wipe();
    },
  },
];

const wireFaults: Readonly<Record<string, (wire: Wire, dice: Dice) => DurationMs>> = {
  cut: (wire, dice) => {
    wire.cut();
    return dice.int(0, 3_000);
  },
  stall: (wire, dice) => {
    if (dice.happens(0.7)) wire.stall('there');
    if (dice.happens(0.7)) wire.stall('back');
    return dice.int(500, 6_000);
  },
  delay: (wire, dice) => {
    wire.delay('there', dice.int(100, 2_500));
    wire.delay('back', dice.int(100, 2_500));
    return dice.int(1_000, 5_000);
  },
  halve: (wire, dice) => {
    wire.halve(dice.pick(['there', 'back']));
    return 2_000;
  },
};

function wireKinds(party: Party): readonly StrikeKind[] {
  return Object.entries(wireFaults).map(([fault, begin]) => ({
    name: `${fault} wire to ${party}`,
    weight: 0.25,
    isOfProcess: false,
    parts: (world, target) => [`wire ${party} ${party === 'machines' ? '' : nodeOf(world, target).name}`],
    strike: async ({ world, target, dice, onStruck }) => {
      const wire = nodeOf(world, target).wires[party];
      onStruck();
      const ms = begin(wire, dice);
      await pause(systemClock, Math.min(ms, world.scale.longestStallMs));
      wire.resume();
    },
  }));
}

/**
 * Starts again what has ended by itself, as the supervisor of a real house does. Answers what that was. `busy`: parts that
 * are being struck, and meanwhile these.
 */
export async function superviseOnce(world: StormWorld, busy: Set<string>): Promise<readonly string[]> {
  const parts: readonly (readonly [string, Victim])[] = [
    ...world.nodes.map((node) => [node.name, node] as const),
    ['centre', world.centre],
    ['redis', world.redis],
    ...world.halls.map((hall, index) => [`hall ${index}`, hall] as const),
  ];
  const fallen = parts.filter(([name, victim]) => !busy.has(name) && !victim.isRunning());
  for (const [name] of fallen) busy.add(name);
  try {
    await Promise.all(fallen.map(([, victim]) => startAgain(victim)));
  } finally {
    for (const [name] of fallen) busy.delete(name);
  }
  return fallen.map(([name]) => name);
}

/** All kinds. */
export const strikeKinds: readonly StrikeKind[] = [...gatewayKinds, ...partyKinds, ...parties.flatMap(wireKinds)];
