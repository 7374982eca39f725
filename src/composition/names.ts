/**
 * Keys and references: the names that the core needs and cannot make, having neither hash nor chance.
 */
import { randomInt } from 'node:crypto';
import { v5 } from 'uuid';
import type { KeyMaker } from '../purchase/effect.ts';

/** Namespace of all idempotency keys (payment page, section 1). */
const KEY_NAMESPACE = 'c34904d9-8da2-5993-9431-ffa42e58794f';
/** Letters and digits that nobody confuses: no 0, O, 1, I. */
const REFERENCE_LETTERS = '23456789ABCDEFGHJKLMNPQRSTUVWXYZ';
const REFERENCE_LENGTH = 6;

/** The idempotency key of an operation, by UUIDv5. */
export const keyOf: KeyMaker = (purchaseId, operation, n) => v5(`${purchaseId}/${operation}/${n}`, KEY_NAMESPACE);

/** A reference of six characters for people. */
export function newReference(): string {
  return Array.from({ length: REFERENCE_LENGTH }, () => REFERENCE_LETTERS[randomInt(REFERENCE_LETTERS.length)]).join(
    '',
  );
}
