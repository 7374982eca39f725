/**
 * `npm run simulate -- --seed N --purchases M --nodes K`: see `usage`. Exit code 0 when no rule was broken, 1 when one
 * was, 2 for arguments that make no sense.
 */
import { availableParallelism } from 'node:os';
import { simulate } from './simulate.ts';
import { readOptions, usage } from './simulate-options.ts';
import { playStory } from './story.ts';

async function run(given: readonly string[]): Promise<number> {
  if (given.includes('--help') || given.includes('-h')) {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  const options = readOptions(given, availableParallelism());
  if (!options.ok) {
    process.stderr.write(`${options.refusal}\n\n${usage}\n`);
    return 2;
  }
  let isBrokenOff = false;
  // One story leaves no turn to the event loop: there Ctrl-C ends the process as usual.
  const isMany = 'soakMs' in options.value.extent || options.value.extent.seeds > 1;
  if (isMany)
    process.once('SIGINT', () => {
      isBrokenOff = true;
    });
  return simulate(options.value, {
    play: playStory,
    print: (line) => process.stdout.write(`${line}\n`),
    say: (line) => process.stderr.write(`${line}\n`),
    now: () => performance.now(),
    cpuMs: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    },
    isBrokenOff: () => isBrokenOff,
  });
}

process.exitCode = await run(process.argv.slice(2));
