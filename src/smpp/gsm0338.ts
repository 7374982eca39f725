/**
 * The GSM 7-bit default alphabet of 3GPP 23.038 (formerly GSM 03.38), text to octets and back, one septet in each octet.
 */

/** A text as read from octets. `damaged`: something in it could not be read as sent; never take it for an order, a PIN or a confirmation. */
export interface DecodedText {
  readonly text: string;
  readonly damaged: boolean;
}

const ESCAPE = 0x1b;
const CARRIAGE_RETURN = 0x0d;
const REPLACEMENT = '\uFFFD';

/** The 128 characters of the basic table; the index is the code. 0x09 is the capital letter. */
const BASIC =
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ' +
  ' !"#¤%&\'()*+,-./0123456789:;<=>?' +
  '¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§' +
  '¿abcdefghijklmnopqrstuvwxyzäöñüà';

/** The ten characters of the extension table, each written as ESC and this code. */
const EXTENSION: ReadonlyMap<string, number> = new Map([
  ['\f', 0x0a],
  ['^', 0x14],
  ['{', 0x28],
  ['}', 0x29],
  ['\\', 0x2f],
  ['[', 0x3c],
  ['~', 0x3d],
  [']', 0x3e],
  ['|', 0x40],
  ['€', 0x65],
]);

const CODE_OF = new Map(Array.from(BASIC, (character, code) => [character, code]));
CODE_OF.delete('\x1b');
const EXTENDED_CHARACTER = new Map([...EXTENSION].map(([character, code]) => [code, character]));

/**
 * The number of septets one character takes: 1, or 2 for the extension table; 0 if it is not in the alphabet.
 *
 * @param character one code point as a string
 */
export function septetsOfCharacter(character: string): 0 | 1 | 2 {
  if (CODE_OF.has(character)) return 1;
  return EXTENSION.has(character) ? 2 : 0;
}

/** The number of septets of a text, or null if one of its characters is not in the alphabet. */
export function countSeptets(text: string): number | null {
  let septets = 0;
  for (const character of text) {
    const own = septetsOfCharacter(character);
    if (own === 0) return null;
    septets += own;
  }
  return septets;
}

/** The octets of a text, one septet each, or null if one of its characters is not in the alphabet. */
export function encodeGsm(text: string): Buffer | null {
  const length = countSeptets(text);
  if (length === null) return null;
  const octets = Buffer.allocUnsafe(length);
  let offset = 0;
  for (const character of text) {
    const basic = CODE_OF.get(character);
    if (basic === undefined) {
      octets[offset++] = ESCAPE;
      octets[offset++] = EXTENSION.get(character) ?? 0;
    } else {
      octets[offset++] = basic;
    }
  }
  return octets;
}

/**
 * The text of octets that hold one septet each.
 *
 * An octet above 0x7F becomes U+FFFD and a last ESC is dropped, both mark the text as damaged. An unknown extension
 * code shows the character of the basic table (3GPP 23.038, 6.2.1.1).
 */
export function decodeGsm(octets: Uint8Array): DecodedText {
  let text = '';
  let damaged = false;
  let escaped = false;
  for (const octet of octets) {
    if (octet > 0x7f) {
      text += REPLACEMENT;
      damaged = true;
      escaped = false;
    } else if (escaped) {
      text += EXTENDED_CHARACTER.get(octet) ?? (octet === ESCAPE ? ' ' : (BASIC[octet] ?? REPLACEMENT));
      escaped = false;
    } else if (octet === ESCAPE) {
      escaped = true;
    } else {
      text += BASIC[octet] ?? REPLACEMENT;
    }
  }
  return { text, damaged: damaged || escaped };
}

/**
 * Eight septets in seven octets, low bits first; seven spare bits are filled with CR (3GPP 23.038, 6.1.2.3).
 *
 * @param septets one septet in each octet
 */
export function packSeptets(septets: Uint8Array): Buffer {
  const padded = septets.length % 8 === 7 ? [...septets, CARRIAGE_RETURN] : septets;
  const octets = Buffer.alloc(Math.ceil((padded.length * 7) / 8));
  let bit = 0;
  for (const septet of padded) {
    const at = bit >> 3;
    const shifted = (septet & 0x7f) << (bit & 7);
    octets[at] = (octets[at] ?? 0) | (shifted & 0xff);
    if (shifted > 0xff) octets[at + 1] = shifted >> 8;
    bit += 7;
  }
  return octets;
}

/** The septets of packed octets; a CR in the last seven bits of a full group is filling and goes. */
export function unpackSeptets(octets: Uint8Array): Buffer {
  const count = Math.floor((octets.length * 8) / 7);
  const septets = Buffer.allocUnsafe(count);
  for (let index = 0; index < count; index += 1) {
    const bit = index * 7;
    const at = bit >> 3;
    const pair = (octets[at] ?? 0) | ((octets[at + 1] ?? 0) << 8);
    septets[index] = (pair >> (bit & 7)) & 0x7f;
  }
  const isFilled = count > 0 && count % 8 === 0 && septets[count - 1] === CARRIAGE_RETURN;
  return isFilled ? septets.subarray(0, count - 1) : septets;
}
