/**
 * Names of the marks that the dialogs leave on the board: what a mark was made of cannot be read from it.
 */
import { createHash } from 'node:crypto';

/** A mark. Never made of a PIN. */
export function digest(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}

/** The screen of this turn has been written a moment ago: what looks like the key before it is that key's copy. */
export function writtenPrint(payer: string, turn: number): string {
  return digest('written', payer, String(turn));
}

/** The network has taken the screen of this turn. */
export function shownPrint(payer: string, turn: number): string {
  return digest('shown', payer, String(turn));
}
