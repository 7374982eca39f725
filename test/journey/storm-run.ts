/**
 * The long storm, by command: `node dist/test/journey/storm-run.js`. RELAIS_STORM_SEED, RELAIS_STORM_STRIKES (300),
 * RELAIS_STORM_MACHINES (16), RELAIS_STORM_LOGS (a folder for the logs of the processes). Exit code 1 when anything
 * disagrees, or a process ended by itself.
 */
import { randomInt } from 'node:crypto';
import { mochaHooks } from '../support/servers.ts';
import { kindsNamed, runStorm } from './support/storm.ts';
import { tableOfRecovery, tableOfStrikes } from './support/storm-report.ts';
import { openStormWorld } from './support/storm-world.ts';

const numberOf = (name: string, byDefault: number): number => Number(process.env[name] ?? byDefault);
const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const seed = numberOf('RELAIS_STORM_SEED', randomInt(2 ** 31));
const plan = seed % 2 === 0 ? 'hold_capture' : 'debit_refund';
say(`storm with seed ${seed}, ${plan}`);
const world = await openStormWorld({
  machines: numberOf('RELAIS_STORM_MACHINES', 16),
  halls: 3,
  plan,
  maxWaitMs: 40_000,
  inDoubtMs: 120_000,
  longestStallMs: 20_000,
  logs: process.env['RELAIS_STORM_LOGS'] ?? null,
});
try {
  const outcome = await runStorm(world, {
    seed,
    strikes: numberOf('RELAIS_STORM_STRIKES', 300),
    kinds: kindsNamed(null),
    isByState: true,
    gapMs: [400, 1_600],
    restMs: 300_000,
    say: (line) => say(`${new Date().toISOString().slice(11, 23)} ${line}`),
  });
  for (const line of [...tableOfStrikes(outcome.struck), '', ...tableOfRecovery(outcome.struck), '']) say(line);
  for (const { what, count } of outcome.endings) say(`${String(count).padStart(6)} ${what}`);
  const kills = outcome.struck.filter(({ isOfProcess }) => isOfProcess).length;
  say(`${kills} kills and stalls, ${outcome.struck.length} strikes in ${(outcome.tookMs / 60_000).toFixed(1)} min`);
  say(`ended by themselves: ${outcome.fallen.join(', ') || 'none'}`);
  say(`${outcome.disagreements.length} disagreements, seed ${seed}`);
  process.exitCode = outcome.disagreements.length + outcome.fallen.length === 0 ? 0 : 1;
} finally {
  await world.close();
  await mochaHooks.afterAll();
}
process.exit();
