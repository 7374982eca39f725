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

type FieldsFirst = (fields: Readonly<Record<string, unknown>>, event: string) => void;
type FieldsFirstLog = { readonly info: FieldsFirst; readonly warn: FieldsFirst; readonly error: FieldsFirst };

/** Levels an operator may choose. */
export const logLevels = ['error', 'warn', 'info', 'debug', 'silent'] as const;

/** Words that name a secret, wherever in a field's name they stand; as the last word also `key`. */
const SECRET_WORDS: ReadonlySet<string> = new Set(
  'pin pins password passwords passwd passphrase secret secrets token tokens credential credentials authorization cookie pepper'.split(
    ' ',
  ),
);
const KEY_WORDS: ReadonlySet<string> = new Set(['key', 'keys', 'apikey']);
/** Words that name a phone number: there even a short one and a bare number are masked. */
const NUMBER_WORDS: ReadonlySet<string> = new Set(['msisdn', 'msisdns', 'phone', 'payer', 'subscriber']);
/**
 * Digits that may be a phone number. First what is none though it holds as many digits: a UUID, a hash in hexadecimal,
 * a fraction. A `+`, also percent-encoded, goes with the number.
 */
const MAYBE_NUMBER =
  /[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}|(?=\d*[a-f])[\da-f]{16,}|\d+\.\d{9,}|(?:\+|%2b)?(?<!\d)(\d{9,15})(?!\d)|\+(\d{8})(?!\d)/gi;
/** The password of a URL, and a bearer's token. */
const SECRET_IN_TEXT = /(?<=:\/\/[^\s/:@]*:)[^\s/@]+(?=@)|(?<=\bbearer )[\w.~+/=-]+/gi;
const DEEPEST = 6;
const LONGEST_LIST = 100;
const TOO_DEEP = '(too deep)';
/** Names that the log writes itself; a field of that name goes beside it. */
const OWN_NAMES: ReadonlySet<string> = new Set(['level', 'time', 'event']);

/**
 * A value fit for the log: phone numbers masked in every string, secrets dropped, errors as code, message and stack,
 * octets as their count, nothing deeper than six levels and no list beyond its hundredth entry.
 */
export function cleaned(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return cleanedText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (depth > DEEPEST) return TOO_DEEP;
  if (value instanceof Error) return cleanedError(value, depth);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'no date' : value.toISOString();
  if (value instanceof URL) return cleanedText(value.href);
  if (ArrayBuffer.isView(value)) return `(${value.byteLength} octets)`;
  if (value instanceof Map) return cleaned(Object.fromEntries(value), depth);
  if (Array.isArray(value) || value instanceof Set) {
    return [...value].slice(0, LONGEST_LIST).map((each: unknown) => cleaned(each, depth + 1));
  }
  return cleanedFields(value, depth + 1);
}

function cleanedFields(fields: object, depth: number): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([name]) => !isSecret(name))
      .map(([name, each]: [string, unknown]) => [
        cleanedText(name),
        isNumber(name) ? masked(each, depth) : cleaned(each, depth),
      ]),
  );
}

function cleanedText(text: string): string {
  return text
    .replaceAll(SECRET_IN_TEXT, '***')
    .replaceAll(MAYBE_NUMBER, (all: string, long?: string, short?: string) => {
      const digits = long ?? short;
      return digits === undefined ? all : maskMsisdn(digits);
    });
}

function masked(value: unknown, depth: number): unknown {
  const isOneNumber =
    typeof value === 'number' || typeof value === 'bigint' || (typeof value === 'string' && /^\+?\d+$/.test(value));
  return isOneNumber ? maskMsisdn(String(value).replace('+', '')) : cleaned(value, depth);
}

function wordsOf(name: string): readonly string[] {
  return name
    .replaceAll(/([a-z\d])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z\d]+/);
}

function isSecret(name: string): boolean {
  const words = wordsOf(name);
  return words.some((word) => SECRET_WORDS.has(word)) || KEY_WORDS.has(words.at(-1) ?? '');
}

function isNumber(name: string): boolean {
  return wordsOf(name).some((word) => NUMBER_WORDS.has(word));
}

function cleanedError(error: Error, depth: number): Readonly<Record<string, unknown>> {
  const { name, message, stack } = error;
  const happened: unknown = Reflect.get(error, 'happened');
  return {
    name,
    message: cleaned(message),
    code: cleaned(Reflect.get(error, 'code'), depth + 1),
    ...(happened === undefined ? {} : { happened: cleaned(happened, depth + 1) }),
    stack: cleaned(stack),
    ...(error.cause === undefined ? {} : { cause: cleaned(error.cause, depth + 1) }),
    ...(error instanceof AggregateError ? { errors: cleaned(error.errors, depth + 1) } : {}),
  };
}

/** Where lines go. */
export type LogOutput = { write(line: string): void };

/**
 * Creates the log of this process. `base` stands on every line (the node's name). `output`: standard error when absent,
 * written at once, so that the last line before an end is there.
 */
export function createLog(
  level: (typeof logLevels)[number],
  base: Readonly<Record<string, string>>,
  output: LogOutput = destination({ fd: 2, sync: true }),
): Log {
  const logger: Logger = pino(
    {
      level,
      base,
      messageKey: 'event',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    output,
  );
  const isOwn = (name: string): boolean => OWN_NAMES.has(name) || Object.hasOwn(base, name);
  const clean = (fields: Readonly<Record<string, unknown>>, error?: unknown): object =>
    Object.fromEntries(
      Object.entries(cleanedFields(error === undefined ? fields : { ...fields, error }, 0))
        .filter(([name, value]) => base[name] !== value)
        .map(([name, value]) => [isOwn(name) ? `${name}_` : name, value]),
    );
  return {
    info: (event, fields) => logger.info(clean(fields), event),
    warn: (event, fields) => logger.warn(clean(fields), event),
    error: (event, fields, error) => logger.error(clean(fields, error), event),
  };
}

/** The same log for rooms that name the fields before the event, as pino itself does. */
export function fieldsFirst(log: Log): FieldsFirstLog {
  return {
    info: (fields, event) => log.info(event, fields),
    warn: (fields, event) => log.warn(event, fields),
    error: (fields, event) => log.error(event, fields),
  };
}
