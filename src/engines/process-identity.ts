/**
 * Telling whether a process named in a file is still the same one.
 */
import { readFileSync } from 'node:fs';

/** One process: its id, and its start in clock ticks since boot where the system tells, so that a reused id is seen. */
export type ProcessIdentity = { readonly pid: number; readonly startedTicks: string };

function statFieldsOf(pid: number): readonly string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may itself hold blanks and parentheses: count from the last one.
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

/** The identity of a process that is there now; `startedTicks` is empty where the system has no /proc. */
export function identityOf(pid: number): ProcessIdentity {
  return { pid, startedTicks: statFieldsOf(pid)?.[19] ?? '' };
}

/** True while that very process runs; a zombie has ended. */
export function isAlive(identity: ProcessIdentity): boolean {
  const fields = statFieldsOf(identity.pid);
  if (fields !== undefined) {
    return fields[0] !== 'Z' && (identity.startedTicks === '' || fields[19] === identity.startedTicks);
  }
  if (process.platform === 'linux') return false;
  try {
    process.kill(identity.pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** The command line of a process, its words joined by blanks; undefined when it is gone or the system does not tell. */
export function commandLineOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ').trim();
  } catch {
    return undefined;
  }
}
