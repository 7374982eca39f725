/**
 * How a text travels: the choice of the alphabet, its counting and limits, the parts of a long SMS, and the way back from octets.
 */
import { assert } from '../result.ts';
import {
  countSeptets,
  type DecodedText,
  decodeGsm,
  encodeGsm,
  packSeptets,
  septetsOfCharacter,
  unpackSeptets,
} from './gsm0338.ts';

/** The alphabets an incoming text may have. `ucs2_prefixed`: two octets of language, then UCS-2 (3GPP 23.038, 5, group 0001 0001). */
export const alphabets = ['gsm0338', 'ascii', 'latin1', 'ucs2', 'ucs2_prefixed', 'octets'] as const;
export type Alphabet = (typeof alphabets)[number];

/** The alphabets we send. */
export type SentAlphabet = 'gsm7' | 'ucs2';

/** Languages with a table that turns letters outside GSM-7 into letters inside it. */
export type TransliterationLanguage = 'en' | 'fr' | 'pt';

/** Units (septets or UCS-2 units) that fit; `ussd` is the hard limit of 160 octets, `ussdBudget` what gateways that cut at 140 octets still show. */
export const textLimits = {
  ussd: { gsm7: 182, ucs2: 80 },
  ussdBudget: { gsm7: 160, ucs2: 70 },
  smsOne: { gsm7: 160, ucs2: 70 },
  smsPart: { gsm7: 153, ucs2: 67 },
} as const;

/** The meaning of `data_coding` on the way in, where the dialect says nothing else. */
export const usualCodings: Readonly<Record<number, Alphabet>> = {
  0x00: 'gsm0338',
  0x01: 'ascii',
  0x03: 'latin1',
  0x08: 'ucs2',
  0x0f: 'gsm0338',
  0x11: 'ucs2_prefixed',
  0x44: 'octets',
  0x48: 'ucs2',
  0xf0: 'gsm0338',
  0xf1: 'gsm0338',
  0xf2: 'gsm0338',
  0xf3: 'gsm0338',
};

const PUNCTUATION: Readonly<Record<string, string>> = {
  '\u2018': "'",
  '\u2019': "'",
  '\u201C': '"',
  '\u201D': '"',
  '\u00AB': '"',
  '\u00BB': '"',
  '\u2013': '-',
  '\u2014': '-',
  '\u2026': '...',
  '\u00A0': ' ',
  '\u202F': ' ',
  '\u2009': ' ',
};
const FRENCH: Readonly<Record<string, string>> = {
  ç: 'c',
  ê: 'e',
  ë: 'e',
  â: 'a',
  î: 'i',
  ï: 'i',
  ô: 'o',
  û: 'u',
  œ: 'oe',
  ÿ: 'y',
  À: 'A',
  Â: 'A',
  È: 'E',
  Ê: 'E',
  Ë: 'E',
  Î: 'I',
  Ï: 'I',
  Ô: 'O',
  Ù: 'U',
  Û: 'U',
  Œ: 'OE',
};
const PORTUGUESE: Readonly<Record<string, string>> = {
  á: 'a',
  ã: 'a',
  í: 'i',
  ó: 'o',
  õ: 'o',
  ú: 'u',
  Á: 'A',
  Ã: 'A',
  Í: 'I',
  Ó: 'O',
  Õ: 'O',
  Ú: 'U',
};
const TABLES: Readonly<Record<TransliterationLanguage, ReadonlyMap<string, string>>> = {
  en: new Map(Object.entries(PUNCTUATION)),
  fr: new Map(Object.entries({ ...PUNCTUATION, ...FRENCH })),
  pt: new Map(Object.entries({ ...PUNCTUATION, ...FRENCH, ...PORTUGUESE })),
};

/** The text with each letter and sign outside GSM-7 that the language's table knows replaced; anything else stays as it is. */
export function transliterate(text: string, language: TransliterationLanguage): string {
  const table = TABLES[language];
  let result = '';
  for (const character of text.normalize('NFC')) {
    result += septetsOfCharacter(character) > 0 ? character : (table.get(character) ?? character);
  }
  return result;
}

/** The alphabet a text needs as it stands, and its length in septets or UCS-2 units. */
export function measureText(text: string): { readonly alphabet: SentAlphabet; readonly units: number } {
  const septets = countSeptets(text);
  return septets === null ? { alphabet: 'ucs2', units: text.length } : { alphabet: 'gsm7', units: septets };
}

/** A text ready for the wire: `octets` hold one septet each, or UCS-2, high octet first. `text` is what the reader will see. */
export interface EncodedText {
  readonly alphabet: SentAlphabet;
  readonly units: number;
  readonly octets: Buffer;
  readonly text: string;
}

/**
 * The octets of a text: GSM-7 if it fits or can be made to fit by the language's table, otherwise UCS-2 throughout and unchanged.
 *
 * @param language null leaves the text as it is. A character in no table turns the whole text to UCS-2; it never becomes `@` or `?`.
 */
export function encodeText(text: string, language: TransliterationLanguage | null): EncodedText {
  const plain = language === null ? text : transliterate(text, language);
  const octets = encodeGsm(plain);
  if (octets !== null) return { alphabet: 'gsm7', units: octets.length, octets, text: plain };
  return { alphabet: 'ucs2', units: text.length, octets: encodeUcs2(text), text };
}

/** UCS-2, high octet first. */
export function encodeUcs2(text: string): Buffer {
  return Buffer.from(text, 'utf16le').swap16();
}

/** What the reader of incoming octets must know of the gateway. */
export interface CodingRules {
  readonly codings: Readonly<Record<number, Alphabet>>;
  readonly defaultAlphabet: Alphabet;
  /** GSM octets are packed, eight septets in seven octets. */
  readonly packed: boolean;
}

/** The rules of a gateway that keeps to the standard. */
const usualCodingRules: CodingRules = { codings: usualCodings, defaultAlphabet: 'gsm0338', packed: false };

/** The text of octets. A data_coding in no map is read with the default alphabet and marked as damaged. */
export function decodeText(octets: Buffer, dataCoding: number, rules: CodingRules = usualCodingRules): DecodedText {
  const known = dataCoding === 0 ? rules.defaultAlphabet : rules.codings[dataCoding];
  const decoded = decodeAlphabet(octets, known ?? rules.defaultAlphabet, rules.packed);
  return known === undefined ? { text: decoded.text, damaged: true } : decoded;
}

function decodeAlphabet(octets: Buffer, alphabet: Alphabet, packed: boolean): DecodedText {
  switch (alphabet) {
    case 'gsm0338':
      return decodeGsm(packed ? unpackSeptets(octets) : octets);
    case 'ascii':
    case 'octets':
      return decodeAscii(octets);
    case 'latin1':
      return { text: octets.toString('latin1'), damaged: false };
    case 'ucs2':
      return decodeUcs2(octets);
    case 'ucs2_prefixed':
      return octets.length < 2 ? { text: '', damaged: true } : decodeUcs2(octets.subarray(2));
  }
}

function decodeAscii(octets: Buffer): DecodedText {
  let text = '';
  let damaged = false;
  for (const octet of octets) {
    if (octet > 0x7f) damaged = true;
    text += octet > 0x7f ? '\uFFFD' : String.fromCharCode(octet);
  }
  return { text, damaged };
}

function decodeUcs2(octets: Buffer): DecodedText {
  const isOdd = octets.length % 2 === 1;
  const even = Buffer.from(isOdd ? octets.subarray(0, -1) : octets).swap16();
  const raw = even.toString('utf16le');
  const text = raw.replace(/\p{Surrogate}/gu, '\uFFFD');
  return { text: text.startsWith('\uFEFF') ? text.slice(1) : text, damaged: isOdd || text !== raw };
}

/** The octets as the dialect wants them on the wire. */
export function packIfAsked(encoded: EncodedText, packed: boolean): Buffer {
  return packed && encoded.alphabet === 'gsm7' ? packSeptets(encoded.octets) : encoded.octets;
}

/** One short_message of an SMS: `octets` begin with the user data header if there is one. */
export interface SmsPart {
  readonly octets: Buffer;
  readonly hasHeader: boolean;
}

/**
 * The parts of an SMS with an 8-bit reference (`05 00 03`, 3GPP 23.040, 9.2.3.24.1), or the one whole text.
 *
 * An escape pair, a surrogate pair and a combining mark stay with their character.
 *
 * @param reference 0 to 255, the same in all parts of one text
 * @param partsMax  1 to 255; null is returned if the text needs more
 */
export function splitSms(encoded: EncodedText, reference: number, partsMax: number): readonly SmsPart[] | null {
  if (encoded.units <= textLimits.smsOne[encoded.alphabet]) return [{ octets: encoded.octets, hasHeader: false }];
  const pieces = splitUnits(encoded.text, encoded.alphabet, textLimits.smsPart[encoded.alphabet]);
  if (pieces.length > partsMax) return null;
  return pieces.map((piece, index) => {
    const body = encoded.alphabet === 'gsm7' ? encodeGsm(piece) : encodeUcs2(piece);
    assert(body !== null, 'a piece of a GSM text is a GSM text');
    const header = Buffer.from([5, 0, 3, reference & 0xff, pieces.length, index + 1]);
    return { octets: Buffer.concat([header, body]), hasHeader: true };
  });
}

function splitUnits(text: string, alphabet: SentAlphabet, limit: number): string[] {
  const clusters = text.match(/\P{M}\p{M}*|\p{M}+/gsu) ?? [];
  const pieces: string[] = [];
  let piece = '';
  let units = 0;
  const add = (cluster: string): void => {
    const own = alphabet === 'gsm7' ? (countSeptets(cluster) ?? 0) : cluster.length;
    if (units + own > limit) {
      pieces.push(piece);
      piece = '';
      units = 0;
    }
    piece += cluster;
    units += own;
  };
  for (const cluster of clusters) {
    // A heap of marks longer than a part has to be broken somewhere: between code points.
    if (cluster.length > limit) for (const codePoint of cluster) add(codePoint);
    else add(cluster);
  }
  pieces.push(piece);
  return pieces;
}
