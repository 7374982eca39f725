/**
 * The one log: pino, one JSON line an event on standard error, no phone number and no secret in it.
 */
import { destination, type Logger, pino } from 'pino';
import { maskMsisdn } from './purchase/msisdn.ts';

/** The log as rooms are handed it: an event's name and its fields. */
export type Log = {
  info(event: string, fields: Readonly<Record<string, unknown>>): void;
  warn(event: string, fields: Readonly<Record<string, unknown>>): void;
  error(event: string, fields: Readonly<Record<string, unknown>>, error?: unknown): void;
};

/** Levels an operator may choose. */
export const logLevels = ['error', 'warn', 'info', 'debug', 'silent'] as const;

/** Fields that hold a secret are dropped wherever they turn up. */
const SECRET_FIELD = /^(pin|password|passwd|token|secret|key|authorization|credential)$/i;
/** What may be a phone number: 9 to 15 digits that are no part of an id. */
const MAYBE_NUMBER = /(?<![\w.-])\+?\d{9,15}(?![\w-])/g;
const DEEPEST = 6;

/** A value fit for the log: phone numbers masked in every string, secrets dropped, errors as code, message and stack. */
export function cleaned(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return value.replace(MAYBE_NUMBER, (digits) => maskMsisdn(digits.replace('+', '')));
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null || depth > DEEPEST) return value;
  if (value instanceof Error) return cleanedError(value, depth);
  if (Array.isArray(value)) return value.map((each) => cleaned(each, depth + 1));
  const entries = Object.entries(value).filter(([name]) => !SECRET_FIELD.test(name));
  return Object.fromEntries(entries.map(([name, each]) => [name, cleaned(each, depth + 1)]));
}

function cleanedError(error: Error, depth: number): Readonly<Record<string, unknown>> {
  const code = 'code' in error ? error.code : undefined;
  const cause = error.cause === undefined ? {} : { cause: cleaned(error.cause, depth + 1) };
  return { name: error.name, message: cleaned(error.message), code, stack: cleaned(error.stack), ...cause };
}

/** Creates the log of this process. `base` stands on every line (the node's name). */
export function createLog(level: (typeof logLevels)[number], base: Readonly<Record<string, string>>): Log {
  const logger: Logger = pino(
    {
      level,
      base,
      messageKey: 'event',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination({ fd: 2, sync: true }),
  );
  const clean = (fields: Readonly<Record<string, unknown>>, error?: unknown): object =>
    Object.fromEntries(
      Object.entries(error === undefined ? fields : { ...fields, error })
        .filter(([name]) => !SECRET_FIELD.test(name))
        .map(([name, value]) => [name, cleaned(value)]),
    );
  return {
    info: (event, fields) => logger.info(clean(fields), event),
    warn: (event, fields) => logger.warn(clean(fields), event),
    error: (event, fields, error) => logger.error(clean(fields, error), event),
  };
}
