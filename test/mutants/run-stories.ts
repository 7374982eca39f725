/**
 * Plays stories of the simulation, seed after seed, until one is broken: what a mutant's process runs. Beside the
 * mutant nothing differs from `simulate`.
 *
 *   node --import ./dist/test/mutants/plant.js dist/test/mutants/run-stories.js 120 3 17,1,2,3
 *
 * Arguments: purchases, nodes, seeds. Writes a line of JSON: a `StoriesRun`.
 */
import { argv, stdout } from 'node:process';
import { playStory } from '../simulation/story.ts';

/** What became of the stories. `broken`: the rule that the last of them broke; null when every rule held in all. */
export type StoriesRun = { readonly played: number; readonly seed: number; readonly broken: string | null };

async function play(seed: number, purchases: number, nodes: number): Promise<string | null> {
  try {
    const { violation } = await playStory({ seed, purchases, nodes });
    return violation === null ? null : (violation.broken[0] ?? 'a rule without words');
  } catch (error) {
    // Our own guards (`assert`) are rules too.
    return `threw: ${error instanceof Error ? error.message : String(error)}`;
  }
}

const [purchases, nodes, seeds] = argv.slice(2);
let run: StoriesRun = { played: 0, seed: 0, broken: null };
for (const seed of (seeds ?? '').split(',').map(Number)) {
  run = { played: run.played + 1, seed, broken: await play(seed, Number(purchases), Number(nodes)) };
  if (run.broken !== null) break;
}
stdout.write(`${JSON.stringify(run)}\n`);
