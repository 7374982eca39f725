/**
 * `relais config check`: every problem of the configuration at once.
 */
import type { Result } from '../result.ts';
import { CommandEnd, exitCodes, print } from './exit.ts';

/** What a check found. */
export type Checked = Result<unknown, { readonly problems: readonly string[] }>;

/** Prints what is wrong, or that nothing is. @throws CommandEnd 78 with all problems. */
export function checkConfiguration(load: () => Checked, alsoWrong: () => readonly string[]): void {
  const loaded = load();
  const problems = [...(loaded.ok ? [] : loaded.refusal.problems), ...alsoWrong()];
  if (problems.length > 0) throw configurationEnd(problems);
  print('configuration is good');
}

/** The end of a command whose configuration is wrong. */
export function configurationEnd(problems: readonly string[]): CommandEnd {
  const listed = problems.map((problem) => `  ${problem}`).join('\n');
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  return new CommandEnd(exitCodes.configuration, `The configuration has ${count}:\n${listed}`);
}
