/**
 * What the PostgreSQL driver (postgres.js 3.4) lets escape past every caller when a connection breaks at a moment that it
 * does not expect. Nothing is lost by it: the driver opens another connection, and calls in flight have been answered or
 * are asked again on that one.
 */

/** The driver's own question at the opening of each connection; its rejection is handled by nobody. */
const TYPES_QUESTION = /pg_catalog\.pg_type[\s\S]*typarray|typarray[\s\S]*pg_catalog\.pg_type/;
/** A write that was put off until the socket was gone. */
const LATE_WRITE = /nextWrite \(.*postgres\/(?:cjs\/)?src\/connection\.js/;

/** True for an error of nobody's call that a broken connection left behind; every other uncaught error is a bug. */
export function isEscapedDriverFault(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const question: unknown = Reflect.get(error, 'query');
  if (typeof question === 'string' && TYPES_QUESTION.test(question)) return true;
  return error instanceof TypeError && LATE_WRITE.test(error.stack ?? '');
}
