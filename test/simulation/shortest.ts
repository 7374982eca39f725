/**
 * Looks for a shorter story that breaks the same rule: fewer purchases, fewer nodes, fewer kinds of faults.
 */
import { type FaultKind, faultKinds } from './faults.ts';
import type { PlayStory, StoryOptions, StoryReport } from './report.ts';

/** A story that fails, and how. */
export type Failure = { readonly options: StoryOptions; readonly report: StoryReport };

/** How much is spent on the search. */
export type Effort = { readonly maxTries: number; readonly isOver: () => boolean };

/** The rule in a sentence, without whom it is about: names of purchases and numbers are taken out. */
function ruleOf(sentence: string): string {
  return sentence
    .replace(/^[0-9A-Z]{6} (?:[0-9a-f-]{36} )?\(\w+\): /, '')
    .replace(/^[A-Za-z0-9._-]+\/\d+(?:\/\w+)?: /, '')
    .replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'ID')
    .replace(/-?\d+(?:\.\d+)?/g, 'N');
}

function rulesOf(report: StoryReport): ReadonlySet<string> {
  return new Set((report.violation?.broken ?? []).map(ruleOf));
}

/** Numbers of purchases worth trying below `most`: those that a short story has, then what the failure had seen. */
function fewerPurchases(most: number, seen: number): readonly number[] {
  const doubling = [1, 2, 3, 5, 8, 13, 20, 30, 50, 80, 130].filter((count) => count < most);
  return [...new Set([...doubling, Math.max(1, seen), Math.max(1, seen + 1)])]
    .filter((count) => count < most)
    .sort((a, b) => a - b);
}

/**
 * The shortest failure found that breaks one of the rules that this one breaks; at worst itself. The same seed all
 * along, so the answer replays.
 */
export async function findShortest(failure: Failure, play: PlayStory, effort: Effort): Promise<Failure> {
  const rules = rulesOf(failure.report);
  let best = failure;
  let tries = 0;

  async function isStillWrong(
    change: Partial<Pick<StoryOptions, 'purchases' | 'nodes' | 'without'>>,
  ): Promise<boolean> {
    if (tries >= effort.maxTries || effort.isOver()) return false;
    tries += 1;
    const { onTrace: _, ...plain } = best.options;
    const options: StoryOptions = { ...plain, ...change };
    const report = await play(options).catch(() => null);
    if (report === null || ![...rulesOf(report)].some((rule) => rules.has(rule))) return false;
    best = { options, report };
    return true;
  }

  async function withFewerPurchases(): Promise<void> {
    for (const purchases of fewerPurchases(best.options.purchases, best.report.purchases)) {
      if (await isStillWrong({ purchases })) return;
    }
  }

  /** Halves of what struck first, then quarters, down to single kinds. */
  async function withFewerKinds(): Promise<void> {
    const off = (): ReadonlySet<FaultKind> => best.options.without ?? new Set();
    const struck = (): FaultKind[] => faultKinds.filter((kind) => best.report.faults[kind] > 0 && !off().has(kind));
    for (let size = Math.ceil(struck().length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      const kinds = struck();
      for (let from = 0; from < kinds.length; from += size) {
        await isStillWrong({ without: new Set([...off(), ...kinds.slice(from, from + size)]) });
      }
    }
  }

  await withFewerPurchases();
  for (let nodes = 1; nodes < best.options.nodes; nodes += 1) if (await isStillWrong({ nodes })) break;
  await withFewerKinds();
  await withFewerPurchases();
  return best;
}
