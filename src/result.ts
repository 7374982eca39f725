/**
 * Outcomes that are values, faults that are thrown, and bugs that are asserted: the three kinds of error of this house.
 */

/** Either the value or the refusal. A refusal is an expected answer of a rule or of the other party, never an exception. */
export type Result<Value, Refusal> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly refusal: Refusal };

/** The value, as a successful result. */
export function ok<Value>(value: Value): { readonly ok: true; readonly value: Value } {
  return { ok: true, value };
}

/** The refusal, as a result. */
export function refuse<Refusal>(refusal: Refusal): { readonly ok: false; readonly refusal: Refusal } {
  return { ok: false, refusal };
}

/**
 * The outside world failed. `happened` says what is known of the act: `no` when provably nothing was done,
 * `unknown` when it may have been done all the same. An act with `unknown` becomes a question, never a repetition
 * under a new key.
 */
export class Fault extends Error {
  override readonly name = 'Fault';
  readonly code: string;
  readonly happened: 'no' | 'unknown';

  constructor(code: string, happened: 'no' | 'unknown', cause?: unknown) {
    super(code, cause === undefined ? undefined : { cause });
    this.code = code;
    this.happened = happened;
  }
}

/** Ours: something that cannot be. It ends the one PDU, frame, request or effect in which it was found. */
export class Bug extends Error {
  override readonly name = 'Bug';
}

/** States what must hold; kept in production. @throws Bug when it does not. */
export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Bug(what);
}

/** Closes a switch over a union, so that a new member does not compile until it is handled. @throws Bug if reached. */
export function assertNever(value: never): never {
  throw new Bug(`unexpected ${JSON.stringify(value)}`);
}
