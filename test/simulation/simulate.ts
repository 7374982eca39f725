/**
 * The command behind `simulate`: plays stories, adds them up, and shows the first violation as short as it can be made.
 */
import { type Played, playByCrew } from './crew.ts';
import type { PlayStory, StoryOptions, StoryReport, Violation } from './report.ts';
import { type Failure, findShortest } from './shortest.ts';
import { replayCommand, type SimulateOptions } from './simulate-options.ts';
import { addReport, counted, createTally, lasted, sayTally, type Tally, tallyJson } from './tally.ts';

/** What the command stands on. */
export type SimulateDeps = {
  readonly play: PlayStory;
  /** For people, or the JSON. */
  readonly print: (line: string) => void;
  /** Signs of life. */
  readonly say: (line: string) => void;
  /** Monotonic milliseconds, real ones. */
  readonly now: () => number;
  /** CPU of this process, in milliseconds. */
  readonly cpuMs: () => number;
  /** True when a person has broken off. */
  readonly isBrokenOff: () => boolean;
};

const PROGRESS_MS = 15_000;
const SEARCH_MS = 60_000;
const SEARCH_TRIES = 150;
const MOST_LISTED = 20;
const MOST_STORY_LINES = 60;

/** A story that went wrong: by a rule, or because the play itself failed. */
type Wrong = { readonly options: StoryOptions; readonly report: StoryReport | null; readonly failed: string | null };

type Run = {
  readonly tally: Tally;
  readonly wrong: Wrong[];
  cpuMs: number;
};

/** Runs it. @returns the exit code: 0 without a violation, 1 with one, 130 broken off. */
export async function simulate(options: SimulateOptions, deps: SimulateDeps): Promise<number> {
  const beganMs = deps.now();
  const run: Run = { tally: createTally(), wrong: [], cpuMs: 0 };
  const isOne = 'seeds' in options.extent && options.extent.seeds === 1;
  if (isOne) await playOne(run, options, deps);
  else await playMany(run, options, deps, beganMs);
  const spent = { wallMs: deps.now() - beganMs, cpuMs: run.cpuMs + deps.cpuMs() };
  const [first] = run.wrong;
  const shortest = first === undefined ? null : await shorten(first, deps);
  if (options.isJson) deps.print(JSON.stringify(jsonOf(run, spent, shortest)));
  else {
    for (const line of sayTally(run.tally, spent)) deps.print(line);
    for (const line of sayWrong(run.wrong, shortest)) deps.print(line);
  }
  if (first !== undefined) return 1;
  return deps.isBrokenOff() ? 130 : 0;
}

function storyOf(options: SimulateOptions, seed: number): StoryOptions {
  const { purchases, nodes, without } = options;
  return { seed, purchases, nodes, without };
}

function take(run: Run, options: StoryOptions, result: Played['result']): void {
  if ('failed' in result) run.wrong.push({ options, report: null, failed: result.failed });
  else {
    addReport(run.tally, result);
    if (result.violation !== null) run.wrong.push({ options, report: result, failed: null });
  }
}

async function playOne(run: Run, options: SimulateOptions, deps: SimulateDeps): Promise<void> {
  const story = storyOf(options, options.seed);
  const traced = options.isTraced ? { ...story, onTrace: deps.print } : story;
  const result = await deps.play(traced).catch((error: unknown) => ({ failed: wordsOf(error) }));
  if (!('failed' in result)) deps.say(`digest ${result.digest}`);
  take(run, story, result);
}

async function playMany(run: Run, options: SimulateOptions, deps: SimulateDeps, beganMs: number): Promise<void> {
  const { extent } = options;
  let given = 0;
  let saidMs = beganMs;
  const isOver = (): boolean => {
    if (deps.isBrokenOff() || (run.wrong.length > 0 && !options.isComplete)) return true;
    if ('seeds' in extent) return given >= extent.seeds;
    return deps.now() - beganMs >= extent.soakMs || options.seed + given > 4_294_967_295;
  };
  const next = (): StoryOptions | null => {
    if (isOver()) return null;
    given += 1;
    return storyOf(options, options.seed + given - 1);
  };
  const workers = 'seeds' in extent ? Math.min(options.workers, extent.seeds) : options.workers;
  const onPlayed = (played: Played): void => {
    const before = run.wrong.length;
    take(run, played.options, played.result);
    for (const wrong of run.wrong.slice(before)) deps.say(`  broken: ${lineOf(wrong)}`);
    if (deps.now() - saidMs < PROGRESS_MS) return;
    saidMs = deps.now();
    deps.say(progressOf(run, options, saidMs - beganMs));
  };
  ({ cpuMs: run.cpuMs } = await playByCrew({ workers, next, onPlayed }));
}

function progressOf({ tally, wrong }: Run, { extent }: SimulateOptions, tookMs: number): string {
  const of = 'seeds' in extent ? ` of ${counted(extent.seeds)}` : '';
  const rate = counted((tally.purchases * 1000) / Math.max(1, tookMs));
  const bad = wrong.length > 0 ? `, ${wrong.length} violations` : '';
  return `  ${lasted(tookMs)}: ${counted(tally.stories)}${of} stories, ${rate} purchases/s${bad}`;
}

/** The shortest story that was found to break the same rule; null when the play itself failed. */
async function shorten(wrong: Wrong, deps: SimulateDeps): Promise<Failure | null> {
  if (wrong.report === null) return null;
  deps.say(
    `  seed ${wrong.options.seed} breaks a rule; looking for a shorter story that does, at most ${lasted(SEARCH_MS)}`,
  );
  const untilMs = deps.now() + SEARCH_MS;
  const isOver = (): boolean => deps.now() >= untilMs || deps.isBrokenOff();
  return findShortest({ options: wrong.options, report: wrong.report }, deps.play, { maxTries: SEARCH_TRIES, isOver });
}

function sayViolation(violation: Violation): readonly string[] {
  const story = violation.story.slice(-MOST_STORY_LINES);
  return [
    `  step ${counted(violation.step)}, ${lasted(violation.atMs)} after the beginning`,
    ...violation.broken.map((sentence) => `  - ${sentence}`),
    ...(story.length > 0 ? ['', '  Its story:', ...story.map((line) => `    ${line}`)] : []),
  ];
}

function lineOf({ options, report, failed }: Wrong): string {
  const [sentence = ''] = report?.violation?.broken ?? [failed?.split('\n')[0] ?? ''];
  return `seed ${options.seed}, step ${counted(report?.violation?.step ?? 0)}: ${sentence}`;
}

/** One line a violation; the first of them in full, and its replay. */
function sayWrong(wrong: readonly Wrong[], shortest: Failure | null): readonly string[] {
  const [first] = wrong;
  if (first === undefined) return ['', 'No rule was broken.'];
  const list = wrong.slice(0, MOST_LISTED).map((each) => `  ${lineOf(each)}`);
  const more = wrong.length > MOST_LISTED ? [`  and ${wrong.length - MOST_LISTED} more`] : [];
  const shown = shortest ?? first;
  const violation = shortest?.report.violation ?? first.report?.violation ?? null;
  return [
    '',
    wrong.length === 1 ? 'VIOLATION' : `${wrong.length} VIOLATIONS`,
    ...list,
    ...more,
    '',
    violation === null ? 'The play itself failed:' : 'The shortest found:',
    ...(violation === null ? [`  ${first.failed}`] : sayViolation(violation)),
    '',
    'To see it again:',
    `  ${replayCommand(shown.options)}`,
  ];
}

function jsonOf(
  run: Run,
  spent: { readonly wallMs: number; readonly cpuMs: number },
  shortest: Failure | null,
): Record<string, unknown> {
  const violations = run.wrong.map(({ options, report, failed }) => ({
    seed: options.seed,
    step: report?.violation?.step ?? null,
    broken: report?.violation?.broken ?? [failed],
    replay: replayCommand(options),
  }));
  const found = shortest === null ? null : { replay: replayCommand(shortest.options), ...shortest.report.violation };
  return { ...tallyJson(run.tally), ...spent, violations, shortest: found };
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
