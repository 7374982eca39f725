/**
 * Runs the suite against mutants, each in a process of its own that ends at the first catch.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { type Edit, type Mutant, placesOf } from './mutant.ts';
import type { StoriesRun } from './run-stories.ts';
import type { TestsRun } from './run-tests.ts';
import { addressOf, knownSeeds } from './table.ts';

/** What became of a mutant. */
export type Verdict = {
  readonly mutant: Mutant;
  readonly isCaught: boolean;
  /** `seed 17 (1 played)` or the title of the test; or what was tried. */
  readonly where: string;
  /** The rule that was broken, in the words of the simulation or the test. */
  readonly said: string;
  readonly tookMs: number;
  /** The seed that caught it, when the simulation did. */
  readonly seed: number | null;
};

/** How much is tried. */
export type Effort = {
  /** Purchases of a story, and nodes. */
  readonly purchases: number;
  readonly nodes: number;
  /** Seeds 1 to this, after the known one. */
  readonly seeds: number;
  /** False: the known seeds are not preferred, so that the number of seeds is a plain count from 1. */
  readonly prefersKnown: boolean;
  /** A process that takes longer is ended, and its mutant counts as not caught. */
  readonly limitMs: number;
};

/** What `npm test` tries. */
export const boundedEffort: Effort = { purchases: 150, nodes: 3, seeds: 60, prefersKnown: true, limitMs: 120_000 };

type Ended = { readonly stdout: string; readonly stderr: string; readonly isCut: boolean };

const checkout = fileURLToPath(new URL('..', addressOf('')));
const inBuild = (file: string): string => fileURLToPath(addressOf(file));

/** The program with a mutant, or, with null, as it is. No coverage is taken: an altered text has other lines. */
function start(program: readonly string[], mutant: Mutant | null, limitMs: number): Promise<Ended> {
  const { MOCHA_COUNTS_FILE: _, ...inherited } = process.env;
  const planted = mutant === null ? {} : { RELAIS_MUTANT: mutant.name };
  const plant = addressOf('test/mutants/plant.ts');
  const child = spawn(execPath, ['--import', plant, ...program], {
    cwd: checkout,
    // Named, and empty: Node hands it on by itself to a child whose environment leaves it out.
    env: { ...inherited, ...planted, NODE_V8_COVERAGE: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: limitMs,
    killSignal: 'SIGKILL',
  });
  const said = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    said.stdout += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    said.stderr += chunk;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (_code, signal) => resolve({ ...said, isCut: signal === 'SIGKILL' }));
  });
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}

type Found = Pick<Verdict, 'isCaught' | 'where' | 'said' | 'seed'>;

function missed(where: string, ended: Ended): Found {
  return { isCaught: false, seed: null, where, said: ended.isCut ? 'ended by us' : lastLine(ended.stderr) };
}

function seedsOf(mutants: readonly Mutant[], { seeds, prefersKnown }: Effort): readonly number[] {
  const byName = prefersKnown ? knownSeeds() : {};
  const known = mutants.flatMap(({ name }) => byName[name] ?? []);
  return [...new Set([...known, ...Array.from({ length: seeds }, (_, index) => index + 1)])];
}

async function playStories(mutant: Mutant | null, seeds: readonly number[], effort: Effort): Promise<Found> {
  const { purchases, nodes, limitMs } = effort;
  const program = [inBuild('test/mutants/run-stories.ts'), String(purchases), String(nodes), seeds.join()];
  const ended = await start(program, mutant, limitMs);
  const line = lastLine(ended.stdout);
  if (!line.startsWith('{')) return missed(`at most ${seeds.length} seeds`, ended);
  const { played, seed, broken } = JSON.parse(line) as StoriesRun;
  if (broken === null) return { isCaught: false, seed: null, where: `${played} seeds`, said: '' };
  return { isCaught: true, seed, where: `seed ${seed} (${played} played)`, said: broken };
}

async function runTests(mutant: Mutant | null, files: readonly string[], limitMs: number): Promise<Found> {
  if (files.length === 0) return { isCaught: false, seed: null, where: 'no tests', said: '' };
  const ended = await start([inBuild('test/mutants/run-tests.ts'), ...files], mutant, limitMs);
  const line = lastLine(ended.stdout);
  if (!line.startsWith('{')) return missed(files.join(), ended);
  const { passed, failed, said } = JSON.parse(line) as TestsRun;
  return { isCaught: failed !== null, seed: null, where: failed ?? `${passed} tests`, said };
}

/** Edits that have not exactly one place in the built text: the table has rotted, and the mutant would prove nothing. */
export function rottenEdits(mutant: Mutant): readonly Edit[] {
  return mutant.edits.filter((edit) => placesOf(readFileSync(inBuild(edit.file), 'utf8'), edit) !== 1);
}

/** Plants one mutant and lets its catcher at it. */
async function tryMutant(mutant: Mutant, effort: Effort): Promise<Verdict> {
  const startMs = performance.now();
  const [rotten] = rottenEdits(mutant);
  if (rotten !== undefined) {
    const said = `no such place any more: ${rotten.find}`;
    return { mutant, isCaught: false, seed: null, where: rotten.file, said, tookMs: 0 };
  }
  const found =
    mutant.caughtBy === 'simulation'
      ? await playStories(mutant, seedsOf([mutant], effort), effort)
      : await runTests(mutant, [mutant.caughtBy], effort.limitMs);
  return { mutant, ...found, tookMs: performance.now() - startMs };
}

/** Seeds of the control beside the known ones. */
const CONTROL_SEEDS = 3;

/**
 * The control: nothing planted, same stories and tests as for these mutants. What fails there is no mutant's doing, and
 * would make every catch worthless.
 *
 * @returns what failed, or did not run; empty when all is well
 */
export async function tryNothing(mutants: readonly Mutant[], effort: Effort): Promise<readonly string[]> {
  const files = [...new Set(mutants.map(({ caughtBy }) => caughtBy))].filter((catcher) => catcher !== 'simulation');
  const seeds = seedsOf(mutants, { ...effort, seeds: CONTROL_SEEDS, prefersKnown: true });
  const [stories, tests] = await Promise.all([playStories(null, seeds, effort), runTests(null, files, effort.limitMs)]);
  const areStoriesFine = !stories.isCaught && stories.where === `${seeds.length} seeds`;
  const areTestsFine = !tests.isCaught && tests.where.endsWith(' tests');
  return [
    ...(areStoriesFine ? [] : [`${stories.where}: ${stories.said}`]),
    ...(areTestsFine ? [] : [`${tests.where}: ${tests.said}`]),
  ];
}

/** Tries them all, so many at a time; `onVerdict` hears each as it comes. In the order of the table. */
export async function tryMutants(
  mutants: readonly Mutant[],
  effort: Effort,
  { workers = 2, onVerdict = (_verdict: Verdict): void => undefined } = {},
): Promise<readonly Verdict[]> {
  const verdicts = new Map<Mutant, Verdict>();
  const waiting = [...mutants];
  async function work(): Promise<void> {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const verdict = await tryMutant(next, effort);
      verdicts.set(next, verdict);
      onVerdict(verdict);
    }
  }
  await Promise.all(Array.from({ length: workers }, work));
  return mutants.flatMap((mutant) => verdicts.get(mutant) ?? []);
}
