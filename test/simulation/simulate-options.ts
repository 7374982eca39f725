/**
 * The command line of `simulate`.
 */
import { parseArgs } from 'node:util';
import { ok, type Result, refuse } from '../../src/result.ts';
import { type FaultKind, faultKinds } from './faults.ts';

/** What is to be simulated. */
export type SimulateOptions = {
  /** The first seed; those that follow count up. */
  readonly seed: number;
  readonly purchases: number;
  readonly nodes: number;
  /** How many seeds, or for how long new ones are begun. */
  readonly extent: { readonly seeds: number } | { readonly soakMs: number };
  /** Processes at once. */
  readonly workers: number;
  readonly without: ReadonlySet<FaultKind>;
  /** Goes on after a violation, and lists all of them. */
  readonly isComplete: boolean;
  readonly isTraced: boolean;
  readonly isJson: boolean;
};

/** How the command is used. */
export const usage = `usage: npm run simulate -- [options]
  --seed N          first seed, 0 to 4294967295 (1)
  --purchases M     purchases of a story (200)
  --nodes K         nodes of Relais (3)
  --seeds COUNT     so many stories, seeds counted up (1)
  --soak MINUTES    new stories for so long
  --workers W       processes at once (one a core)
  --without A,B     kinds of faults switched off
  --keep-going      goes on after a violation
  --trace           every observation of one story
  --json            the result as JSON`;

const MOST = { seed: 4_294_967_295, purchases: 1_000_000, nodes: 20, seeds: 10_000_000, soak: 100_000, workers: 256 };

type Given = Partial<Record<keyof typeof MOST, string>>;

const isKind = (name: string): name is FaultKind => (faultKinds as readonly string[]).includes(name);

/** Reads the arguments. A refusal is a sentence for the person. */
export function readOptions(given: readonly string[], cores: number): Result<SimulateOptions, string> {
  const read = parse(given);
  if (typeof read === 'string') return refuse(read);
  const { without, trace = false, json = false, 'keep-going': isComplete = false, ...numbers } = read;
  const problems: string[] = [];
  const number = (name: keyof typeof MOST, usual: number): number => {
    const text = numbers[name];
    if (text === undefined) return usual;
    const least = name === 'seed' ? 0 : 1;
    if (/^\d{1,10}$/.test(text) && Number(text) >= least && Number(text) <= MOST[name]) return Number(text);
    problems.push(`--${name} takes a whole number from ${least} to ${MOST[name]}, not "${text}"`);
    return usual;
  };
  const kinds = without === undefined || without === '' ? [] : without.split(',');
  const unknown = kinds.filter((name) => !isKind(name));
  if (unknown.length > 0)
    problems.push(`--without: no such fault: ${unknown.join(', ')}. There are: ${faultKinds.join(', ')}`);
  if (numbers.soak !== undefined && numbers.seeds !== undefined) problems.push('--soak and --seeds exclude each other');
  const seeds = number('seeds', 1);
  const isMany = numbers.soak !== undefined || seeds > 1;
  if (trace && isMany) problems.push('--trace shows one story: leave --seeds and --soak out');
  const options: SimulateOptions = {
    seed: number('seed', 1),
    purchases: number('purchases', 200),
    nodes: number('nodes', 3),
    extent: numbers.soak === undefined ? { seeds } : { soakMs: number('soak', 1) * 60_000 },
    workers: number('workers', cores),
    without: new Set(kinds.filter(isKind)),
    isComplete,
    isTraced: trace,
    isJson: json,
  };
  if ('seeds' in options.extent && options.seed + seeds - 1 > MOST.seed)
    problems.push(`the last seed would be above ${MOST.seed}`);
  return problems.length > 0 ? refuse(problems.join('\n')) : ok(options);
}

function parse(
  args: readonly string[],
): (Given & { without?: string; trace?: boolean; json?: boolean; 'keep-going'?: boolean }) | string {
  const text = { type: 'string' } as const;
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        seed: text,
        purchases: text,
        nodes: text,
        seeds: text,
        soak: text,
        workers: text,
        without: text,
        'keep-going': { type: 'boolean' },
        trace: { type: 'boolean' },
        json: { type: 'boolean' },
      },
    });
    return values;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return error.message;
  }
}

/** The command that plays this story again. */
export function replayCommand(story: {
  readonly seed: number;
  readonly purchases: number;
  readonly nodes: number;
  readonly without?: ReadonlySet<FaultKind>;
}): string {
  const without = [...(story.without ?? [])];
  const rest = without.length > 0 ? ` --without ${without.join(',')}` : '';
  return `npm run simulate -- --seed ${story.seed} --purchases ${story.purchases} --nodes ${story.nodes}${rest}`;
}
