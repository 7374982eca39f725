/**
 * Reads the texts that phones get: which of our phrases a text is, and whose reference it names.
 */

import { transliterate } from '../../src/smpp/data-coding.ts';
import type { TextKey } from '../../src/ussd/phrases.ts';
import { placeholdersOf } from '../../src/ussd/phrases.ts';

/** What a text names of an offer or a purchase, as it stands there. */
type Named = { readonly machine?: string; readonly product?: string; readonly price?: string };

/** A text, recognized. */
export type ReadText = { readonly key: TextKey; readonly reference: string | null; readonly names: Named };

/** What a text claims of the payer's money. */
export type Claim = 'nothing_moved' | 'paid' | 'given_back' | 'none';

/** Phrases that say that nothing was, and will be, debited for what they are about. */
const NOTHING_MOVED: ReadonlySet<TextKey> = new Set<TextKey>([
  'unavailable',
  'order_changed',
  'too_late',
  'insufficient',
  'no_account',
  'account_blocked',
  'limit_exceeded',
  'pin_locked',
  'declined',
  'cancelled',
  'service_down',
  'maintenance',
  'sms_order_changed',
  'sms_expired',
  'sms_wrong_code',
]);

/** What a phrase claims. A wrong PIN claims nothing beyond its own attempt. */
export function claimOf(key: TextKey): Claim {
  if (NOTHING_MOVED.has(key)) return 'nothing_moved';
  if (key === 'paid' || key === 'receipt' || key === 'already_paid') return 'paid';
  return key === 'refunded' ? 'given_back' : 'none';
}

type Pattern = { readonly key: TextKey; readonly expression: RegExp };

const BUCKET_LETTERS = 4;
/** Texts that are read but once are not remembered: a reference is one purchase's. */
const MOST_KNOWN = 2_000;

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** The phrase as an expression; what it names may be anything, and is read out where it is named first. */
function expressionOf(template: string): RegExp {
  const read = new Set<string>();
  const parts = template.split(/(\{\w+\})/).map((part) => {
    if (part === '{reference}') return '(?<reference>[0-9A-Z]{6})';
    const name = /^\{(machine|product|price)\}$/.exec(part)?.[1];
    if (name !== undefined && !read.has(name)) {
      read.add(name);
      return `(?<${name}>[\\s\\S]+?)`;
    }
    return /^\{\w+\}$/.test(part) ? '[\\s\\S]+?' : escape(part);
  });
  return new RegExp(`^${parts.join('')}$`);
}

/** Reads texts that were made of these templates. */
export interface TextReader {
  /** Null: no phrase of ours, which is a fault. */
  read(text: string): ReadText | null;
}

/**
 * Makes the reader.
 *
 * @param texts   `config/texts/`, as `loadTexts` reads them
 * @param wallet  the wallet's name for payers
 */
export function createTextReader(
  texts: Readonly<Record<string, Readonly<Record<string, string>>>>,
  wallet: string,
): TextReader {
  const buckets = new Map<string, Pattern[]>();
  const anywhere: Pattern[] = [];
  const known = new Map<string, ReadText | null>();
  const warnings: string[] = [];
  const keys = Object.keys(placeholdersOf).filter((key): key is TextKey => Object.hasOwn(placeholdersOf, key));

  for (const [language, byKey] of Object.entries(texts)) {
    const sent = (text: string): string =>
      transliterate(text.replaceAll('{wallet}', wallet), language === 'fr' ? 'fr' : 'en');
    warnings.push(`${sent(byKey['invalid'] ?? '')}\n`);
    for (const key of keys) {
      const template = sent(byKey[key] ?? '');
      // Names of products, and what is never sent alone.
      if (key === 'product_number' || key === 'product_unnamed') continue;
      const pattern = { key, expression: expressionOf(template) };
      const head = template.slice(0, BUCKET_LETTERS);
      if (head.length < BUCKET_LETTERS || head.includes('{')) anywhere.push(pattern);
      else buckets.set(head, [...(buckets.get(head) ?? []), pattern]);
    }
  }

  /** Those that may begin so. */
  const byHead = new Map([...buckets].map(([head, patterns]) => [head, [...patterns, ...anywhere]]));
  const patternsOf = (head: string): readonly Pattern[] => byHead.get(head) ?? anywhere;

  function recognize(text: string): ReadText | null {
    for (const { key, expression } of patternsOf(text.slice(0, BUCKET_LETTERS))) {
      const found = expression.exec(text);
      if (found === null) continue;
      const { reference = null, ...names } = { ...found.groups };
      return { key, reference, names };
    }
    return null;
  }

  return {
    read: (text) => {
      const warning = warnings.find((each) => text.startsWith(each) && text.length > each.length);
      const plain = warning === undefined ? text : text.slice(warning.length);
      const before = known.get(plain);
      if (before !== undefined) return before;
      const read = recognize(plain);
      if (known.size < MOST_KNOWN && read?.reference === null) known.set(plain, read);
      return read;
    },
  };
}
