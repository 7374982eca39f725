/**
 * `relais config check`: every problem of the configuration at once.
 */
import { CommandEnd, exitCodes, print } from './exit.ts';

/** Says that nothing is wrong. @throws CommandEnd 78 with all problems where there are any. */
export function reportCheck(problems: readonly string[]): void {
  if (problems.length > 0) throw configurationEnd(problems);
  print('configuration is good');
}

/** The end of a command whose configuration, or what else it was to read, is wrong. */
export function configurationEnd(problems: readonly string[], what = 'The configuration'): CommandEnd {
  const listed = problems.map((problem) => `  ${problem}`).join('\n');
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  return new CommandEnd(exitCodes.configuration, `${what} has ${count}:\n${listed}`);
}
