import { expect } from 'chai';
import { playByCrew } from './crew.ts';
import type { StoryOptions, StoryReport } from './report.ts';
import { replayCommand } from './simulate-options.ts';
import { playStory } from './story.ts';

const SEEDS = 24;
const PURCHASES = 40;
/** No more seeds are begun after this: a slow machine plays fewer. */
const ENOUGH_MS = 10_000;
/** Where other programs take the cores, the last story may take long. */
const DEADLINE_MS = 60_000;

/** What a person needs to see of a story that went wrong; empty when nothing did. */
function said(options: StoryOptions, { violation }: StoryReport): readonly string[] {
  return violation === null ? [] : [...violation.broken, `step ${violation.step}: ${replayCommand(options)}`];
}

describe('the whole house under faults', () => {
  it('breaks no rule in any of these stories', async () => {
    const beganMs = performance.now();
    const wrong: string[] = [];
    let played = 0;
    for (let seed = 1; seed <= SEEDS && performance.now() - beganMs < ENOUGH_MS; seed += 1) {
      const options = { seed, purchases: PURCHASES, nodes: 1 + (seed % 3) };
      wrong.push(...said(options, await playStory(options)));
      played += 1;
    }
    expect(wrong).to.deep.equal([]);
    expect(played).to.be.greaterThan(0);
  }).timeout(DEADLINE_MS);

  it('goes the same way with the same seed, step by step', async () => {
    const options = { seed: 4711, purchases: 15, nodes: 3 };
    const lines: string[][] = [[], []];
    for (const each of lines) await playStory({ ...options, onTrace: (line) => each.push(line) });
    const [one = [], other = []] = lines;
    expect(one.length).to.be.greaterThan(100);
    const at = one.findIndex((line, index) => line !== other[index]);
    expect([one[at], one.length]).to.deep.equal([other[at], other.length]);
  }).timeout(DEADLINE_MS);

  it('goes another way with another seed', async () => {
    const reports = [
      await playStory({ seed: 1, purchases: 5, nodes: 2 }),
      await playStory({ seed: 2, purchases: 5, nodes: 2 }),
    ];
    expect(reports[0]?.digest).to.not.equal(reports[1]?.digest);
  });

  it('goes the same way in a child process', async () => {
    const options = { seed: 7, purchases: 10, nodes: 2, without: new Set(['jam'] as const) };
    const waiting: StoryOptions[] = [options, { ...options, seed: 8 }];
    const digests = new Map<number, string>();
    await playByCrew({
      workers: 1,
      next: () => waiting.shift() ?? null,
      onPlayed: ({ options: { seed }, result }) =>
        digests.set(seed, 'failed' in result ? result.failed : result.digest),
    });
    expect([digests.get(7), digests.size]).to.deep.equal([(await playStory(options)).digest, 2]);
  }).timeout(DEADLINE_MS);
});
