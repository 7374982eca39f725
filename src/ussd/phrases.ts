/**
 * The texts for phones: which there are, what each may name, and how an outcome is said in the payer's language. The
 * texts themselves are data (`config/texts/<language>.yaml`), handed in as read.
 */
import { displayMoney } from '../money.ts';
import type { DeclineCode } from '../purchase/purchase.ts';
import type { PurchaseView } from '../purchase/purchases-port.ts';
import { assert, Bug } from '../result.ts';
import { measureText, type TransliterationLanguage, textLimits, transliterate } from '../smpp/data-coding.ts';

/** What a text may name. */
export type Placeholder =
  | 'machine'
  | 'product'
  | 'price'
  | 'reference'
  | 'code'
  | 'tries'
  | 'since'
  | 'dial'
  | 'wallet'
  | 'when'
  | 'minutes'
  | 'number';

/** Every text, with all that it may name. `dial` and `wallet` are filled in by the phrases themselves. */
export const placeholdersOf = {
  ask_number: [],
  unknown_number: ['machine'],
  quote: ['machine', 'product', 'price'],
  no_order: ['machine'],
  busy: ['machine'],
  unavailable: ['machine'],
  order_changed: [],
  too_late: [],
  ask_pin: ['wallet', 'price', 'machine'],
  ask_confirm: ['wallet', 'price', 'machine'],
  wrong_pin: ['tries'],
  wrong_pin_last: [],
  wrong_pin_again: [],
  push: ['wallet', 'reference'],
  paid: ['price', 'machine', 'reference'],
  in_progress: ['reference'],
  not_known: ['dial'],
  insufficient: ['price', 'dial'],
  no_account: ['wallet'],
  account_blocked: ['wallet'],
  limit_exceeded: ['wallet', 'price'],
  pin_locked: ['reference'],
  declined: ['reference'],
  refunded: ['price', 'reference'],
  refund_pending: ['price', 'reference'],
  in_doubt: ['machine', 'price', 'reference'],
  resume: ['machine', 'price'],
  already_paid: ['since', 'reference'],
  lapsed: ['dial'],
  invalid: [],
  cancelled: [],
  service_down: [],
  try_later: [],
  maintenance: [],
  slow_down: [],
  language: [],
  product_number: ['number'],
  product_unnamed: [],
  sms_quote: ['product', 'price', 'machine', 'code', 'minutes'],
  sms_no_order: ['machine'],
  sms_busy: ['machine'],
  sms_order_changed: ['machine'],
  sms_unknown_number: ['machine'],
  sms_too_many: ['dial'],
  sms_help: [],
  sms_expired: ['machine'],
  sms_wrong_code: ['machine'],
  sms_validate: ['price', 'machine', 'dial'],
  receipt: ['price', 'product', 'machine', 'when', 'reference'],
} as const satisfies Readonly<Record<string, readonly Placeholder[]>>;

/** Name of a text. */
export type TextKey = keyof typeof placeholdersOf;

/** What is filled in. `product` is cut to size here, so that no caller can forget it. */
export type PhraseValues = { readonly [Name in Placeholder]?: string };

/** The texts as read: language, then key. */
export type PhoneTexts = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Longest product name on a phone, in characters. */
const productNameMax = 20;

/** The texts, ready to be said. An unknown language is answered in the operator's. */
export interface Phrases {
  /** Languages that have texts, as ISO 639-1 codes. */
  readonly languages: readonly string[];
  /** The language itself if it has texts, otherwise the default. */
  languageOr(language: string | null): string;
  /** One text, filled. GSM-7 wherever the language's table can make it so. @throws Bug when a value is missing. */
  say(language: string | null, key: TextKey, values: PhraseValues): string;
  /** Why nothing was paid. Every one of these says that nothing was debited. */
  sayDeclined(language: string | null, view: PurchaseView): string;
  /** What to dial: `*123*4567#`, or `*123#` without a number. */
  dialOf(machineNumber: string | null): string;
  /** The product's name for this payer: the registered one, or the selection's number. */
  productName(language: string | null, registered: string | null, item: number | null): string;
}

const DECLINED: Readonly<Record<DeclineCode, TextKey>> = {
  account_unknown: 'no_account',
  account_blocked: 'account_blocked',
  insufficient_funds: 'insufficient',
  limit_exceeded: 'limit_exceeded',
  amount_not_allowed: 'limit_exceeded',
  wrong_pin: 'pin_locked',
  pin_locked: 'pin_locked',
  payer_refused: 'declined',
  payer_silent: 'declined',
  payee_not_allowed: 'declined',
  same_party: 'declined',
  currency_not_supported: 'declined',
  hold_gone: 'declined',
  wallet_unavailable: 'declined',
  wallet_refused: 'declined',
  request_rejected: 'declined',
};

/**
 * Makes the phrases.
 *
 * @param texts                   as read from `config/texts/`, one member a language
 * @param options.serviceCode     what payers dial, without `*` and `#`
 * @param options.wallet          the wallet's name for payers, at most 12 characters
 * @param options.defaultLanguage must have texts
 * @throws Error that lists every fault of the texts at once (see `faultsOfTexts`)
 */
export function createPhrases(
  texts: PhoneTexts,
  options: { readonly serviceCode: string; readonly wallet: string; readonly defaultLanguage: string },
): Phrases {
  const faults = [...faultsOfTexts(texts)];
  if (!Object.hasOwn(texts, options.defaultLanguage))
    faults.push(`${options.defaultLanguage}: no texts in this language`);
  if (faults.length > 0) throw new Error(`texts for phones: ${faults.join('; ')}`);

  const languageOr = (language: string | null): string =>
    language !== null && Object.hasOwn(texts, language) ? language : options.defaultLanguage;
  const dialOf = (machineNumber: string | null): string =>
    machineNumber === null ? `*${options.serviceCode}#` : `*${options.serviceCode}*${machineNumber}#`;
  const say = (asked: string | null, key: TextKey, values: PhraseValues): string => {
    const language = languageOr(asked);
    const template = texts[language]?.[key];
    assert(template !== undefined, `no text ${key} in ${language}`);
    const given = { dial: dialOf(values.machine ?? null), wallet: options.wallet, ...values };
    return fit(
      language,
      (product) => fill(template, key, { ...given, ...(product === null ? {} : { product }) }),
      values,
    );
  };

  return {
    languages: Object.keys(texts),
    languageOr,
    say,
    dialOf,
    sayDeclined: (language, view) =>
      say(language, DECLINED[view.declineCode ?? 'wallet_refused'], {
        price: displayMoney(view.price),
        reference: view.reference,
        machine: view.machineNumber,
      }),
    productName: (language, registered, item) => {
      if (registered !== null && cutProductName(registered) !== '') return registered;
      return item === null
        ? say(language, 'product_unnamed', {})
        : say(language, 'product_number', { number: String(item) });
    },
  };
}

/** Every fault of the texts: a key missing or unknown, a placeholder that nobody fills. Empty when they are sound. */
export function faultsOfTexts(texts: PhoneTexts): readonly string[] {
  const faults: string[] = [];
  for (const [language, byKey] of Object.entries(texts)) {
    for (const [key, allowed] of Object.entries<readonly string[]>(placeholdersOf)) {
      const text = Object.hasOwn(byKey, key) ? byKey[key] : undefined;
      if (text === undefined || text.trim() === '') faults.push(`${language}: ${key} is missing`);
      for (const [, name] of (text ?? '').matchAll(/\{(\w*)\}/g)) {
        if (!allowed.includes(name ?? '')) faults.push(`${language}: ${key} names {${name}}`);
      }
    }
    for (const key of Object.keys(byKey)) {
      if (!Object.hasOwn(placeholdersOf, key)) faults.push(`${language}: ${key} is no text of ours`);
    }
  }
  return faults;
}

/** A product name that fits a screen: one line, without emoji and control characters, at most 20 characters. */
export function cutProductName(name: string): string {
  const plain = name
    .normalize('NFC')
    .replace(/\p{Extended_Pictographic}|\p{Regional_Indicator}|\p{Emoji_Modifier}|\u20E3|\p{Variation_Selector}/gu, '')
    .replace(/[\p{C}\s]+/gu, ' ')
    .trim();
  return Array.from(plain).slice(0, productNameMax).join('').trim();
}

function fill(template: string, key: TextKey, values: PhraseValues): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value: string | undefined = Object.hasOwn(values, name) ? values[name as Placeholder] : undefined;
    if (value === undefined) throw new Bug(`text ${key} lacks ${name}`);
    return value;
  });
}

/**
 * The text with its product name in the first form that fits the budget: in GSM-7 as registered or without accents, in
 * UCS-2, reduced to what GSM-7 has. A name must never cut the price or a key off the screen.
 */
function fit(language: string, filled: (product: string | null) => string, values: PhraseValues): string {
  const into = tableOf(language);
  if (values.product === undefined) return transliterate(filled(null), into);
  const name = cutProductName(values.product);
  const asRegistered = transliterate(filled(name), into);
  if (isWithin(asRegistered, 'gsm7')) return asRegistered;
  const withoutAccents = name.normalize('NFKD').replace(/\p{M}/gu, '');
  const text = transliterate(filled(withoutAccents), into);
  if (isWithin(text, 'gsm7')) return text;
  const inUcs2 = filled(name);
  if (isWithin(inUcs2, 'ucs2')) return inUcs2;
  const gsmOnly = Array.from(transliterate(withoutAccents, into)).filter(
    (letter) => measureText(letter).alphabet === 'gsm7',
  );
  const reduced = gsmOnly.join('').trim();
  return transliterate(filled(reduced === '' ? '-' : reduced), into);
}

function isWithin(text: string, alphabet: 'gsm7' | 'ucs2'): boolean {
  const measured = measureText(text);
  return measured.alphabet === alphabet && measured.units <= textLimits.ussdBudget[alphabet];
}

/** The table that makes this language's letters GSM-7; a language without one only has its punctuation replaced. */
function tableOf(language: string): TransliterationLanguage {
  return language === 'fr' || language === 'pt' ? language : 'en';
}
