/**
 * What a text says: read from whole, undamaged texts only; knows nothing of who sent it.
 */

/** A text, understood. `unclear` is everything else, and never an order. */
export type SmsCommand =
  | { readonly kind: 'order'; readonly machineNumber: string }
  /** The word and the code, or the code alone. */
  | { readonly kind: 'confirm'; readonly code: string }
  | { readonly kind: 'cancel' }
  | { readonly kind: 'help' }
  /** `language`: two letters, not yet looked up. */
  | { readonly kind: 'language'; readonly language: string }
  | { readonly kind: 'stop' }
  | { readonly kind: 'start' }
  | { readonly kind: 'unclear' };

/** Longest text that can be a command, in UTF-16 units; beyond it nothing is read. */
const textMax = 80;

const YES: ReadonlySet<string> = new Set(['OUI', 'YES', 'OK', 'NDIYO', 'SIM', 'نعم']);
const WORDS: ReadonlyMap<string, SmsCommand> = new Map<string, SmsCommand>([
  ...['NON', 'NO', 'HAPANA', 'NAO', 'لا'].map((word): [string, SmsCommand] => [word, { kind: 'cancel' }]),
  ...['AIDE', 'HELP', 'MSAADA', 'AJUDA', 'مساعدة', '?'].map((word): [string, SmsCommand] => [word, { kind: 'help' }]),
  ...['STOP', 'ARRET', 'ACHA', 'PARAR', 'توقف'].map((word): [string, SmsCommand] => [word, { kind: 'stop' }]),
  ['START', { kind: 'start' }],
]);

/**
 * Reads a text: case, accents, spaces, final punctuation, full-width and Arabic-Indic digits do not matter.
 *
 * A number of 4 to 8 digits not beginning with 0 is an order, also as `*123*4567#`; a second number of 1 to 3 digits is
 * reserved and ignored; a third makes it unclear.
 */
export function readCommand(text: string): SmsCommand {
  if (text.length > textMax) return { kind: 'unclear' };
  const words = plainWords(text);
  const [first = '', second, ...more] = words.split(' ');
  const single = second === undefined ? WORDS.get(first) : undefined;
  if (single !== undefined) return single;
  if (more.length > 0 && !first.startsWith('*')) return { kind: 'unclear' };
  if (first === 'LANG' && second !== undefined && /^[A-Z]{2}$/.test(second)) {
    return { kind: 'language', language: second.toLowerCase() };
  }
  const code = YES.has(first) ? second : second === undefined ? first : undefined;
  if (code !== undefined && /^\d{3}$/.test(code)) return { kind: 'confirm', code };
  return orderIn(words);
}

function orderIn(words: string): SmsCommand {
  const keyed = /^([1-9]\d{3,7})( \d{1,3})?$/.exec(words)?.[1];
  const dialed = /^\*\d{2,6}\*([1-9]\d{3,7})(\*\d{1,3})?#?$/.exec(words.replaceAll(' ', ''))?.[1];
  const machineNumber = keyed ?? dialed;
  return machineNumber === undefined ? { kind: 'unclear' } : { kind: 'order', machineNumber };
}

function plainWords(text: string): string {
  const folded = text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[\u0660-\u0669]/g, (digit) => String(digit.charCodeAt(0) - 0x0660))
    .replace(/[\u06F0-\u06F9]/g, (digit) => String(digit.charCodeAt(0) - 0x06f0))
    .replace(/\s+/g, ' ')
    .trim()
    .toUpperCase();
  return folded === '?' ? folded : folded.replace(/[\s.,;:!?]+$/, '');
}
