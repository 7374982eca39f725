/**
 * How often each kind of fault strikes in one story: every seed has a temper of its own, from calm to everything at once,
 * so that long chains of one kind and mixtures both occur.
 */
import type { Dice } from './chance.ts';
import { type FaultKind, type FaultPlan, faultKinds } from './faults.ts';

/** The plan of one story. */
export interface StoryFaults extends FaultPlan {
  readonly counts: Record<FaultKind, number>;
  /** Name of the seed's temper, for the trace. */
  readonly temper: string;
  /** How strongly a kind strikes: 1 as its maker has it, 0 never. */
  factorOf(kind: FaultKind): number;
  /** Nothing strikes any more. */
  end(): void;
}

/** However strong a kind is, some things go well. */
const MOST_PROBABLE = 0.4;
const STRONG = 15;

const tempers = ['calm', 'usual', 'usual', 'one', 'one', 'few', 'few', 'mixed', 'mixed', 'rough'] as const;

function factorsOf(dice: Dice): { readonly temper: string; readonly factors: ReadonlyMap<FaultKind, number> } {
  const temper = dice.pick(tempers);
  const strong = new Set<FaultKind>();
  if (temper === 'one') strong.add(dice.pick(faultKinds));
  if (temper === 'few') for (let n = 0; n < 4; n += 1) strong.add(dice.pick(faultKinds));
  const factors = new Map<FaultKind, number>();
  for (const kind of faultKinds) {
    const drawn = dice.pick([0, 0.3, 0.6, 1, 2, 8]);
    const usual: Readonly<Record<string, number>> = {
      calm: 0.2,
      usual: 1,
      one: 0.4,
      few: 0.4,
      mixed: drawn,
      rough: 2.5,
    };
    factors.set(kind, strong.has(kind) ? STRONG : (usual[temper] ?? 1));
  }
  return { temper: [temper, ...strong].join(' '), factors };
}

/** The plan of a seed. `onStrike` hears each fault as it is counted. */
export function createFaultPlan(
  dice: Dice,
  without: ReadonlySet<FaultKind>,
  onStrike: (kind: FaultKind) => void,
): StoryFaults {
  const { temper, factors } = factorsOf(dice);
  const counts = Object.fromEntries(faultKinds.map((kind) => [kind, 0])) as Record<FaultKind, number>;
  let isOver = false;

  function note(kind: FaultKind): void {
    counts[kind] += 1;
    onStrike(kind);
  }
  const factorOf = (kind: FaultKind): number => (isOver || without.has(kind) ? 0 : (factors.get(kind) ?? 0));

  return {
    counts,
    temper,
    factorOf,
    strikes: (kind, probability) => {
      const factor = factorOf(kind);
      if (factor === 0 || !dice.happens(Math.min(MOST_PROBABLE, probability * factor))) return false;
      note(kind);
      return true;
    },
    note,
    end: () => {
      isOver = true;
    },
  };
}
