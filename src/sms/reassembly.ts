/**
 * Long texts put together again from their parts.
 */
import type { DialogBoard } from '../purchase/order-board-port.ts';
import type { SmsMessage } from '../smpp/inbound.ts';
import type { DurationMs } from '../time.ts';

/** Most parts of a text that can still be a command or worth an answer. */
const partsMax = 8;

/**
 * The whole text of a message; null while parts are missing. A part is stored when this resolves, so it may be
 * acknowledged; in any order, doubles count once. Where a part is damaged, the text is: `damaged`.
 *
 * @param payer the sender's pseudonym
 * @param ttlMs how long parts are kept
 */
export async function wholeText(
  dialogs: DialogBoard,
  message: SmsMessage,
  of: { readonly payer: string; readonly ttlMs: DurationMs },
): Promise<{ readonly text: string; readonly damaged: boolean } | null> {
  const { parts, damaged, text } = message;
  if (parts === undefined) return { text, damaged };
  if (parts.total > partsMax) return null;
  const texts = await dialogs.addPart({
    account: message.account,
    payer: of.payer,
    reference: `${message.to}:${parts.reference}:${parts.total}`,
    total: parts.total,
    part: parts.part,
    text: damaged ? '\uFFFD' : text,
    ttlMs: of.ttlMs,
  });
  if (texts === null) return null;
  const whole = texts.join('');
  return { text: whole, damaged: whole.includes('\uFFFD') };
}
