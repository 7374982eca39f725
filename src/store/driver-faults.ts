/**
 * What the PostgreSQL driver (postgres.js 3.4) lets escape past every caller when a connection breaks while it is opened.
 * Nothing is lost by it: the driver opens another connection, and calls in flight have been answered or are asked again
 * on that one.
 *
 * Its other fault, a write put off until the socket was gone (`nextWrite`), is not among them: that place of the pool may
 * never connect again, so the process ends and its supervisor starts it anew.
 */

/** The driver's own question at the opening of each connection; its rejection is handled by nobody. */
const TYPES_QUESTION = /pg_catalog\.pg_type[\s\S]*typarray|typarray[\s\S]*pg_catalog\.pg_type/;

/** True for an error of nobody's call that a broken connection left behind; every other uncaught error is a bug. */
export function isEscapedDriverFault(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const question: unknown = Reflect.get(error, 'query');
  return typeof question === 'string' && TYPES_QUESTION.test(question);
}
