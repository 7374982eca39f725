/**
 * Keys that are not what they seem: the network's copy of the key before, one that a node has held back while it stood still,
 * one out of a session that is over. On a screen about money such a key is no answer.
 */
import type { UssdRequest } from '../smpp/inbound.ts';
import type { DialogRecord } from './dialog-record.ts';
import { shownPrint, writtenPrint } from './marks.ts';
import { foldInput } from './menu.ts';
import { isPin } from './paying.ts';
import { isGuarded, pinScreens } from './screens.ts';
import { askBoard, type DialogDeps } from './turn.ts';

/** A key as it came in. `payer`: the pseudonym. */
export type Pressed = { readonly deps: DialogDeps; readonly request: UssdRequest; readonly payer: string };

/** What the record keeps of an input. On a screen that asks for a PIN all but a plain key may be a PIN mistyped. */
export function keptInput({ screen }: DialogRecord, input: string): string {
  const key = foldInput(input) ?? '';
  return screen !== null && pinScreens.has(screen) && key.length > 1 ? '' : key;
}

/**
 * True for a key that the network brought twice, after its answer had gone out: it would press a key on a screen that
 * nobody has read (edge 30). On a screen that a PIN opened, any PIN so soon counts as the copy: telling it from
 * another one would mean keeping something of the PIN.
 */
export async function isCopy(pressed: Pressed, record: DialogRecord, number: number, input: string): Promise<boolean> {
  const { screen } = record;
  if (screen === null || !isGuarded(screen)) return false;
  const key = foldInput(input);
  const looksAlike =
    record.lastInput === null ? pinScreens.has(screen) && key !== null && isPin(key) : record.lastInput === key;
  if (!looksAlike) return false;
  const { deps, request, payer } = pressed;
  const isLater = await isFirst(deps, request.account, writtenPrint(payer, number));
  return !isLater;
}

/** True for a key out of a session in which the screen that it would answer for the payer's money was never shown. */
export function isFromElsewhere(request: UssdRequest, { screen, sessionId }: DialogRecord): boolean {
  if (!isGuarded(screen)) return false;
  return request.sessionId !== null && sessionId !== null && request.sessionId !== sessionId;
}

/**
 * True for a key that came before the screen about money was handed to the network: a key held back by a node that stood
 * still, or pressed again while this node did. The mark it leaves lets the next one count.
 */
export async function isUnread(
  { deps, request, payer }: Pressed,
  { screen }: DialogRecord,
  number: number,
): Promise<boolean> {
  if (!isGuarded(screen)) return false;
  return markShown(deps, request.account, payer, number);
}

/** From now on a key may be the answer to the screen of this turn. True when it was not so before. */
export function markShown(deps: DialogDeps, account: string, payer: string, number: number): Promise<boolean> {
  return isFirst(deps, account, shownPrint(payer, number), deps.settings.resumeMs);
}

/** Leaves a mark on the board; true when it was not there. */
export function isFirst(
  deps: DialogDeps,
  account: string,
  print: string,
  ttlMs = deps.settings.dedupeMs,
): Promise<boolean> {
  return askBoard(() => deps.dialogs.isFirst(account, print, ttlMs));
}
