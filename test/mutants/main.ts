/**
 * The table of mutants as a command: which mistakes were planted, what caught each, after how much.
 *
 *   node dist/test/mutants/main.js [--from-one [--keep]] [--seeds N] [--purchases M] [--nodes K] [words of a name ...]
 *
 * `--from-one` plays seeds from 1 on, so that the number of seeds is what somebody without knowledge would need; with
 * `--keep` they become the known seeds, in test/mutants/seeds.json of the checkout.
 * Exit code 0: all caught and the control run clean; 1: not.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { boundedEffort, type Effort, tryMutants, tryNothing, type Verdict } from './run.ts';
import { knownSeeds, mutants, SEEDS_FILE } from './table.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'from-one': { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    seeds: { type: 'string', default: String(boundedEffort.seeds) },
    purchases: { type: 'string', default: String(boundedEffort.purchases) },
    nodes: { type: 'string', default: String(boundedEffort.nodes) },
  },
});
const effort: Effort = {
  purchases: Number(values.purchases),
  nodes: Number(values.nodes),
  seeds: Number(values.seeds),
  prefersKnown: !values['from-one'],
  limitMs: values['from-one'] ? 600_000 : boundedEffort.limitMs,
};

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function tell({ mutant, isCaught, where, said, tookMs }: Verdict): void {
  const by = mutant.caughtBy === 'simulation' ? 'simulation' : mutant.caughtBy;
  say(`${isCaught ? 'caught' : 'MISSED'}  ${mutant.name}`);
  say(`        ${mutant.breaks}`);
  say(`        ${by}: ${where} (${(tookMs / 1000).toFixed(1)} s)`);
  if (said !== '') say(`        ${said}`);
}

const chosen = mutants.filter(
  ({ name }) => positionals.length === 0 || positionals.some((word) => name.includes(word)),
);
const control = await tryNothing(chosen, effort);
say(control.length === 0 ? 'control without a mutant: clean' : `control without a mutant: ${control.join('; ')}`);
const verdicts = await tryMutants(chosen, effort, { onVerdict: tell });
const caught = verdicts.filter(({ isCaught }) => isCaught).length;
say(`${caught} of ${verdicts.length} caught`);
if (values.keep && values['from-one']) {
  const found = verdicts.flatMap(({ mutant, seed }) => (seed === null ? [] : [[mutant.name, seed] as const]));
  writeFileSync(SEEDS_FILE, `${JSON.stringify({ ...knownSeeds(), ...Object.fromEntries(found) }, null, 2)}\n`);
}
process.exitCode = caught === verdicts.length && control.length === 0 ? 0 : 1;
