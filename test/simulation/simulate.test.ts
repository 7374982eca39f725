import { expect } from 'chai';

import { type FaultKind, faultKinds } from './faults.ts';
import type { PlayStory, StoryOptions, StoryReport } from './report.ts';
import { findShortest } from './shortest.ts';
import { simulate } from './simulate.ts';
import { readOptions, replayCommand } from './simulate-options.ts';
import { createTally } from './tally.ts';

/** A report of a story in which each kind of fault struck once. */
function reportOf(options: StoryOptions, broken: readonly string[] = []): StoryReport {
  const { seed, purchases, without = new Set() } = options;
  const none = createTally();
  const faults = Object.fromEntries(faultKinds.map((kind) => [kind, without.has(kind) ? 0 : 1]));
  return {
    seed,
    purchases,
    steps: purchases * 100,
    simulatedMs: purchases * 1000,
    digest: `digest of ${seed}`,
    faults: { ...Object.fromEntries(none.faults), ...faults } as Record<FaultKind, number>,
    edges: Object.fromEntries(none.edges),
    states: Object.fromEntries(none.states) as StoryReport['states'],
    violation: broken.length === 0 ? null : { step: 17, atMs: 1234, broken, story: ['a line'] },
  };
}

async function run(given: readonly string[], play: PlayStory): Promise<{ code: number; printed: string }> {
  const options = readOptions(given, 2);
  if (!options.ok) throw new Error(options.refusal);
  const lines: string[] = [];
  const code = await simulate(options.value, {
    play,
    print: (line) => lines.push(line),
    say: () => undefined,
    now: () => 0,
    cpuMs: () => 0,
    isBrokenOff: () => false,
  });
  return { code, printed: lines.join('\n') };
}

describe('the command line of simulate', () => {
  it('plays one story of 200 purchases on 3 nodes if nothing is said', () => {
    expect(readOptions([], 2)).to.deep.equal({
      ok: true,
      value: {
        ...{ seed: 1, purchases: 200, nodes: 3, extent: { seeds: 1 }, workers: 2, without: new Set() },
        ...{ isComplete: false, isTraced: false, isJson: false },
      },
    });
  });

  const refused: readonly (readonly [string, string])[] = [
    ['--seed -1', "Option '--seed' argument is ambiguous"],
    ['--seed 4294967296', '--seed takes a whole number from 0 to 4294967295, not "4294967296"'],
    ['--purchases 0', '--purchases takes a whole number from 1'],
    ['--nodes x', '--nodes takes a whole number from 1 to 20, not "x"'],
    ['--without jam,typhoon', '--without: no such fault: typhoon. There are: pdu_lost'],
    ['--soak 5 --seeds 3', '--soak and --seeds exclude each other'],
    ['--seeds 3 --trace', '--trace shows one story'],
    ['--seed 4294967295 --seeds 2', 'the last seed would be above 4294967295'],
    ['--frobnicate', "Unknown option '--frobnicate'"],
    ['17', "Unexpected argument '17'"],
  ];
  for (const [given, sentence] of refused) {
    it(`refuses ${given}`, () => {
      const read = readOptions(given.split(' '), 2);
      expect(read.ok ? 'taken' : read.refusal).to.contain(sentence);
    });
  }

  it('is what a replay command says', () => {
    const story = { seed: 9, purchases: 12, nodes: 1, without: new Set<FaultKind>(['jam', 'power_cut']) };
    const read = readOptions(replayCommand(story).split(' ').slice(4), 2);
    expect(read.ok && { ...read.value }).to.include({ seed: 9, purchases: 12, nodes: 1 });
    expect(read.ok && read.value.without).to.deep.equal(story.without);
  });
});

describe('the command simulate', () => {
  it('ends with 0 and marks what was never reached', async () => {
    const { code, printed } = await run([], async (options) => reportOf(options));
    expect([code, /approving +0 {2}<- none/.test(printed), /jam +1\n/.test(printed)]).to.deep.equal([0, true, true]);
  });

  it('ends with 1 and shows the rule, the step and the shortest replay', async () => {
    const { code, printed } = await run(['--seed', '7'], async (options) => reportOf(options, ['a rule']));
    expect(code).to.equal(1);
    expect(printed).to.contain('step 17').and.to.contain('- a rule');
    expect(printed).to.contain('npm run simulate -- --seed 7 --purchases 1 --nodes 1 --without pdu_lost,');
  });

  it('ends with 1 when the play itself fails', async () => {
    const { code, printed } = await run([], () => Promise.reject(new Error('a bug')));
    expect([code, printed.includes('The play itself failed') && printed.includes('a bug')]).to.deep.equal([1, true]);
  });

  it('gives programs the same as JSON', async () => {
    const { printed } = await run(['--json'], async (options) => reportOf(options));
    expect(JSON.parse(printed)).to.include({ stories: 1, purchases: 200, steps: 20_000 });
  });
});

describe('the shortest replay', () => {
  const effort = { maxTries: 200, isOver: () => false };
  const first: StoryOptions = { seed: 3, purchases: 200, nodes: 3 };

  it('keeps only what the failure needs', async () => {
    const play: PlayStory = async (options) => {
      const has = (kind: FaultKind): boolean => options.without?.has(kind) !== true;
      const isWrong = options.purchases >= 12 && options.nodes >= 2 && has('jam') && has('node_killed');
      return reportOf(options, isWrong ? [`ABC234 (vending): ${options.purchases} too many`] : []);
    };
    const { options } = await findShortest({ options: first, report: await play(first) }, play, effort);
    const kept = faultKinds.filter((kind) => options.without?.has(kind) !== true);
    expect([options.purchases, options.nodes, kept]).to.deep.equal([13, 2, ['jam', 'node_killed']]);
  });

  it('is not found in a story that breaks another rule', async () => {
    const play: PlayStory = async (options) =>
      reportOf(options, [
        options.purchases === 200 ? 'K7M2QX (vending): dropped twice' : 'K7M2QX (vending): never came to rest',
      ]);
    const { options } = await findShortest({ options: first, report: await play(first) }, play, effort);
    expect(options.purchases).to.equal(200);
  });

  it('is looked for no longer than allowed', async () => {
    let plays = 0;
    const play: PlayStory = async (options) => {
      plays += 1;
      return reportOf(options, ['a rule']);
    };
    await findShortest({ options: first, report: reportOf(first, ['a rule']) }, play, {
      maxTries: 2,
      isOver: () => false,
    });
    expect(plays).to.equal(2);
  });
});
