/**
 * Child processes that play stories: one a core, each one story after the other.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { StoryOptions, StoryReport } from './report.ts';

/** What a child answers: a story's report, or how the play itself failed. `cpuMs`: used by the child since its start. */
export type Played = {
  readonly options: StoryOptions;
  readonly result: StoryReport | { readonly failed: string };
  readonly cpuMs: number;
};

/** What the crew is given to do, and tells. */
export type CrewDeps = {
  readonly workers: number;
  /** The next story, or null when there is none any more. */
  readonly next: () => StoryOptions | null;
  readonly onPlayed: (played: Played) => void;
};

type Answer = Pick<Played, 'result' | 'cpuMs'>;

function isAnswer(message: unknown): message is Answer {
  return typeof message === 'object' && message !== null && 'result' in message && 'cpuMs' in message;
}

/** Plays all stories. Resolves when the last child has ended; CPU of all children together. */
export async function playByCrew(deps: CrewDeps): Promise<{ readonly cpuMs: number }> {
  const program = fileURLToPath(new URL(`./crew-member${extname(import.meta.url)}`, import.meta.url));
  const cpuMs = await Promise.all(Array.from({ length: deps.workers }, () => employ(program, deps)));
  return { cpuMs: cpuMs.reduce((sum, each) => sum + each, 0) };
}

/** Much code, each part of it run seldom: compiling all of it early, and fewer collections, save a fifth of the time. */
const engine = ['--always-sparkplug', '--interrupt-budget=40000', '--max-semi-space-size=64', '--single-threaded-gc'];
const execArgv = [...process.execArgv, ...engine];

/** One child until there is nothing left to play; a new one in its place when it dies. */
async function employ(program: string, deps: CrewDeps): Promise<number> {
  let cpuMs = 0;
  for (;;) {
    const first = deps.next();
    if (first === null) return cpuMs;
    cpuMs += await serve(program, deps, first);
  }
}

function serve(program: string, deps: CrewDeps, first: StoryOptions): Promise<number> {
  return new Promise((resolve) => {
    const child: ChildProcess = fork(program, [], { serialization: 'advanced', execArgv });
    let playing: StoryOptions | null = first;
    let cpuMs = 0;
    const hand = (options: StoryOptions | null): void => {
      playing = options;
      if (options === null) child.disconnect();
      else child.send(options);
    };
    child.on('message', (message: unknown) => {
      if (!isAnswer(message) || playing === null) return;
      ({ cpuMs } = message);
      deps.onPlayed({ options: playing, ...message });
      hand(deps.next());
    });
    child.once('error', () => child.kill('SIGKILL'));
    // After a disconnect Node never says `close`.
    child.once('exit', (code, signal) => {
      if (playing !== null) {
        const failed = `the process that played it ended (${signal ?? `exit ${code}`})`;
        deps.onPlayed({ options: playing, result: { failed }, cpuMs });
      }
      resolve(cpuMs);
    });
    hand(first);
  });
}
