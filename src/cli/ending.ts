/**
 * What a person reads and a script gets when a command fails.
 */
import { CommanderError } from 'commander';
import { CommandEnd, exitCodes } from './exit.ts';

/** How a command ends. `isBug`: nobody foresaw it, so that the stack is worth showing. */
export type Ending = { readonly exitCode: number; readonly sentence: string | null; readonly isBug: boolean };

/** Faults that have a sentence of their own; all others mean that a server is not there. */
const FAULTS: Readonly<Record<string, { readonly exitCode: number; readonly sentence: string }>> = {
  database_not_configured: { exitCode: exitCodes.configuration, sentence: 'Set DATABASE_URL or database.url.' },
  redis_not_configured: { exitCode: exitCodes.configuration, sentence: 'Set REDIS_URL or redis.url.' },
  engine_folder_unreachable: { exitCode: exitCodes.configuration, sentence: '' },
  registry_invalid: { exitCode: exitCodes.configuration, sentence: '' },
  port_taken: {
    exitCode: exitCodes.unavailable,
    sentence: 'A port cannot be listened on; free it, or choose another by http.port or admin.port',
  },
};
/** What sockets and PostgreSQL say when a server is not there, or does not let us in. */
const AWAY =
  /^(?:E(?:CONN|HOST|NET|TIMEDOUT|NOTFOUND|AI_AGAIN|PIPE|ADDR|ACCES)\w*|ENOENT|CONNECT\w*|(?:08|28|3D|53|57)\w{3}|42501)$/;
/** The PostgreSQL driver's write to a socket that is gone: it escapes the call, which is never answered. */
const LATE_WRITE = /nextWrite \(.*postgres\/(?:cjs\/)?src\/connection\.js/;
const CODES: ReadonlySet<number> = new Set(Object.values(exitCodes));

/** How a command ends that threw this. */
export function endingOf(error: unknown): Ending {
  // Commander has said what is wrong.
  if (error instanceof CommanderError) {
    return { exitCode: error.exitCode === 0 ? exitCodes.done : exitCodes.usage, sentence: null, isBug: false };
  }
  if (error instanceof CommandEnd) return { exitCode: error.exitCode, sentence: error.message, isBug: false };
  if (!(error instanceof Error)) return { exitCode: exitCodes.bug, sentence: String(error), isBug: true };
  const code = textOf(error, 'code');
  const known = FAULTS[code];
  if (known !== undefined) {
    const sentence = known.sentence === '' ? error.message : `${known.sentence}${becauseOf(error)}`;
    return { exitCode: known.exitCode, sentence, isBug: false };
  }
  const own: unknown = Reflect.get(error, 'exitCode');
  if (typeof own === 'number') {
    return { exitCode: CODES.has(own) ? own : exitCodes.failed, sentence: error.message, isBug: false };
  }
  if (error.name === 'Fault' || AWAY.test(code)) {
    const sentence = `A needed server is not there or does not let us in: ${wordsOf(error)}${becauseOf(error)}`;
    return { exitCode: exitCodes.unavailable, sentence, isBug: false };
  }
  if (error instanceof TypeError && LATE_WRITE.test(error.stack ?? '')) {
    const sentence = 'A needed server is not there any more: the connection to PostgreSQL broke';
    return { exitCode: exitCodes.unavailable, sentence, isBug: false };
  }
  return { exitCode: exitCodes.bug, sentence: error.stack ?? error.message, isBug: true };
}

function textOf(error: Error, field: string): string {
  const value: unknown = Reflect.get(error, field);
  return typeof value === 'string' ? value : '';
}

function becauseOf(error: Error): string {
  return error.cause instanceof Error ? `: ${wordsOf(error.cause)}` : '';
}

/** Node tries several addresses of one name, and puts what each said into one error without words. */
function wordsOf(error: Error): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : undefined;
  const words = error.message === '' && first instanceof Error ? first.message : error.message;
  return words === '' ? textOf(error, 'code') : words;
}
