/**
 * Keys and references: the names that the core needs and cannot make, having neither hash nor chance.
 */
import { randomInt, randomUUID } from 'node:crypto';
import { parse, v5, v7 } from 'uuid';
import type { KeyMaker } from '../purchase/effect.ts';
import type { PurchaseId } from '../purchase/purchase.ts';

/** Namespace of all idempotency keys (payment page, section 1). */
const KEY_NAMESPACE = parse('c34904d9-8da2-5993-9431-ffa42e58794f');
/** Letters and digits that nobody confuses: no 0, O, 1, I. */
const REFERENCE_LETTERS = '23456789ABCDEFGHJKLMNPQRSTUVWXYZ';
const REFERENCE_LENGTH = 6;

/** The idempotency key of an operation, by UUIDv5. */
export const keyOf: KeyMaker = (purchaseId, operation, n) => v5(`${purchaseId}/${operation}/${n}`, KEY_NAMESPACE);

/** All chance of a node: handed in, so that a simulation can draw it from a seed. */
export type Chance = {
  /** 0 <= x < 1, for jitter. */
  readonly random: () => number;
  /** A new UUIDv4. */
  readonly newId: () => string;
  /** A new UUIDv7. */
  readonly newPurchaseId: () => PurchaseId;
  /** Three digits that a payer sends back to say yes by SMS. */
  readonly newCode: () => string;
};

/** Chance as the machine gives it; ids and codes cannot be guessed. */
export const systemChance: Chance = {
  random: Math.random,
  newId: randomUUID,
  newPurchaseId: () => v7(),
  newCode: () => String(randomInt(1000)).padStart(3, '0'),
};

/** A reference of six characters for people. Two purchases of one day may rarely share it: it is no key. */
export function newReference(random: () => number): string {
  const letter = (): string => REFERENCE_LETTERS[Math.floor(random() * REFERENCE_LETTERS.length)] ?? '2';
  return Array.from({ length: REFERENCE_LENGTH }, letter).join('');
}
