/**
 * Money: whole minor units and a currency. The only file that turns amounts into text or text into amounts; no
 * floating number and no `Number` of an amount exists outside it.
 */
import { assert, ok, type Result, refuse } from './result.ts';

/** An amount. `minor`: whole minor units of `currency`, an ISO 4217 code; may be 0 or negative only in sums. */
export type Money = { readonly minor: bigint; readonly currency: string };

/** How an amount looks on a phone: where the unit stands and how it is written, all of it in GSM 03.38. */
type Look = {
  readonly exponent: number;
  readonly unit: string;
  readonly place: 'before' | 'after';
  readonly comma?: true;
};

// Exponents are ISO 4217's. `Intl` says 0 for MGA where the standard says 2, and writes U+202F into French amounts,
// which would turn a whole screen to UCS-2: hence a table of our own.
const LOOKS: Readonly<Record<string, Look>> = {
  XOF: { exponent: 0, unit: 'F CFA', place: 'after' },
  XAF: { exponent: 0, unit: 'FCFA', place: 'after' },
  GNF: { exponent: 0, unit: 'GNF', place: 'after' },
  RWF: { exponent: 0, unit: 'RWF', place: 'before' },
  UGX: { exponent: 0, unit: 'UGX', place: 'before' },
  KES: { exponent: 2, unit: 'KES', place: 'before' },
  TZS: { exponent: 2, unit: 'TZS', place: 'before' },
  NGN: { exponent: 2, unit: 'NGN', place: 'before' },
  GHS: { exponent: 2, unit: 'GHS', place: 'before' },
  ZMW: { exponent: 2, unit: 'ZMW', place: 'before' },
  ZAR: { exponent: 2, unit: 'ZAR', place: 'before' },
  CDF: { exponent: 2, unit: 'CDF', place: 'after' },
  MGA: { exponent: 2, unit: 'Ar', place: 'after' },
  MZN: { exponent: 2, unit: 'MT', place: 'after' },
  MAD: { exponent: 2, unit: 'MAD', place: 'after' },
  TND: { exponent: 3, unit: 'TND', place: 'after' },
  EUR: { exponent: 2, unit: '€', place: 'after', comma: true },
  USD: { exponent: 2, unit: 'USD', place: 'before' },
};

/** The currencies that Relais knows, as ISO 4217 codes. */
export const currencies: readonly string[] = Object.keys(LOOKS);

function lookOf(currency: string): Look {
  const look = LOOKS[currency];
  assert(look !== undefined, `currency ${currency} is not in the table`);
  return look;
}

/** Number of decimal digits of a currency, by ISO 4217. @throws Bug for a currency outside the table. */
export function exponentOf(currency: string): number {
  return lookOf(currency).exponent;
}

/** True for a currency of the table. */
export function isCurrency(code: string): boolean {
  return Object.hasOwn(LOOKS, code);
}

function split(money: Money): { sign: string; whole: string; decimals: string } {
  const exponent = exponentOf(money.currency);
  const sign = money.minor < 0n ? '-' : '';
  const digits = (money.minor < 0n ? -money.minor : money.minor).toString().padStart(exponent + 1, '0');
  const whole = digits.slice(0, digits.length - exponent);
  return { sign, whole, decimals: digits.slice(digits.length - exponent) };
}

/** The amount as the payer reads it, in GSM 03.38 characters only: `500 F CFA`, `KES 50`, `GHS 12.50`, `2,50 €`. */
export function displayMoney(money: Money): string {
  const look = lookOf(money.currency);
  const { sign, whole, decimals } = split(money);
  const fraction = /^0*$/.test(decimals) ? '' : `${look.comma === true ? ',' : '.'}${decimals}`;
  const amount = `${sign}${whole}${fraction}`;
  return look.place === 'before' ? `${look.unit} ${amount}` : `${amount} ${look.unit}`;
}

/** The amount as a decimal string in its shortest form, as payment wires carry it: `500`, `1.5`. */
export function decimalOf(money: Money): string {
  const { sign, whole, decimals } = split(money);
  const fraction = decimals.replace(/0+$/, '');
  return fraction === '' ? `${sign}${whole}` : `${sign}${whole}.${fraction}`;
}

/**
 * Reads a decimal string of a payment wire in any permitted form (`5`, `5.0`, `05.10`).
 * Refusal `unknown_currency`; `not_an_amount` for anything else than digits and one point, more than 18 digits, or
 * digits other than 0 beyond the currency's exponent.
 */
export function parseDecimal(text: string, currency: string): Result<Money, 'unknown_currency' | 'not_an_amount'> {
  if (!isCurrency(currency)) return refuse('unknown_currency');
  const parts = /^(\d{1,18})(?:\.(\d{1,18}))?$/.exec(text);
  if (parts === null) return refuse('not_an_amount');
  const exponent = exponentOf(currency);
  const decimals = parts[2] ?? '';
  if (/[1-9]/.test(decimals.slice(exponent))) return refuse('not_an_amount');
  const minor = BigInt(`${parts[1] ?? '0'}${decimals.slice(0, exponent).padEnd(exponent, '0')}`);
  return ok({ minor, currency });
}

/** True when both amount and currency are equal. */
export function isSameMoney(one: Money, other: Money): boolean {
  return one.minor === other.minor && one.currency === other.currency;
}
