/**
 * What a payer dialed: the one place where `*` and `#` mean something. The argument is a machine number, never a path
 * through a menu, so that printed codes outlive menus.
 */

/** Longest piece of a wrong number that is shown back. */
const SHOWN_MAX = 8;

/** A dialed string, understood. `wrong_number` is safe to show: letters and digits only, at most 8. */
export type Dial =
  | { readonly kind: 'ask_number' }
  | { readonly kind: 'machine'; readonly number: string }
  | { readonly kind: 'wrong_number'; readonly shown: string }
  /** `*123*0#`: language, and later help and the payer's own purchases. */
  | { readonly kind: 'settings' };

/**
 * Reads a dialed string. Taken alike: full-width and Arabic-Indic digits, spaces, `%23` and `%2A`, stars too many, a
 * missing `#`, the code repeated before the argument. Whatever follows the first argument is reserved and ignored.
 *
 * @param dialed           as the gateway handed it over: `*123*4567#`, or the argument alone
 * @param ownCode          our service code without `*` and `#`; inner stars where it is shared
 * @param dialedCode       the code as the gateway says it was dialed, if it says so
 */
export function parseDial(dialed: string, ownCode: string, dialedCode: string | null): Dial {
  const plain = foldDigits(dialed.slice(0, 200))
    .replace(/%23/gi, '#')
    .replace(/%2a/gi, '*')
    .replace(/\s/g, '')
    .replace(/#.*$/, '');
  const argument = argumentsOf(plain, ownCode.split('*'), dialedCode)[0];
  if (argument === undefined) return { kind: 'ask_number' };
  if (argument === '0') return { kind: 'settings' };
  return readMachineNumber(argument);
}

/** A machine number as keyed or dialed: 4 to 8 digits, the first not 0. */
export function readMachineNumber(text: string): Extract<Dial, { kind: 'machine' | 'wrong_number' }> {
  if (/^[1-9]\d{3,7}$/.test(text)) return { kind: 'machine', number: text };
  return { kind: 'wrong_number', shown: text.replace(/[^0-9A-Za-z]/g, '').slice(0, SHOWN_MAX) };
}

/** True for a text that can only have been dialed, never keyed at a prompt. */
export function isDialedString(text: string): boolean {
  return /^(\*|%2a)[\s\S]*(#|%23)?$/i.test(foldDigits(text).trim());
}

/** Full-width, Arabic-Indic and Eastern Arabic-Indic digits as ASCII, full-width signs likewise; the rest in NFKC. */
export function foldDigits(text: string): string {
  return text
    .normalize('NFKC')
    .replace(/[\u0660-\u0669]/g, (digit) => String(digit.charCodeAt(0) - 0x0660))
    .replace(/[\u06F0-\u06F9]/g, (digit) => String(digit.charCodeAt(0) - 0x06f0));
}

function argumentsOf(plain: string, own: readonly string[], dialedCode: string | null): readonly string[] {
  const parts = plain.split('*').filter((part) => part !== '');
  const isOwn = own.every((piece, index) => parts[index] === piece);
  if (isOwn) return withoutRepeats(parts.slice(own.length), own);
  // Another code that the network routes to us, or the argument alone where the gateway has cut the code off.
  if (plain.startsWith('*') && (dialedCode === null || parts[0] === dialedCode)) return parts.slice(1);
  return parts;
}

function withoutRepeats(parts: readonly string[], own: readonly string[]): readonly string[] {
  const repeats = own.every((piece, index) => parts[index] === piece);
  // A code of four digits or more could itself be a machine's number: alone it counts as the number.
  const isOnlyArgument = parts.length === own.length && readMachineNumber(parts[0] ?? '').kind === 'machine';
  return repeats && !isOnlyArgument ? withoutRepeats(parts.slice(own.length), own) : parts;
}
