/**
 * Phone numbers: read once at the edge, masked wherever a person might see them.
 */
import { ok, type Result, refuse } from '../result.ts';
import type { Msisdn } from './purchase.ts';

/**
 * Reads a number as networks and people write it (`+221…`, `00221…`, `221…`, national with `0` or bare) into E.164
 * digits without `+`. `country`: calling code put before national numbers. Refusal `not_a_number`: other characters
 * than digits, spaces, dots, hyphens and one leading `+`, or not 8 to 15 digits in the end.
 */
export function parseMsisdn(text: string, country: string): Result<Msisdn, 'not_a_number'> {
  const bare = text.replace(/[\s.-]/g, '');
  if (!/^\+?\d{3,20}$/.test(bare)) return refuse('not_a_number');
  const digits = internationalDigits(bare, country);
  return /^[1-9]\d{7,14}$/.test(digits) ? ok(digits) : refuse('not_a_number');
}

function internationalDigits(bare: string, country: string): string {
  if (bare.startsWith('+')) return bare.slice(1);
  if (bare.startsWith('00')) return bare.slice(2);
  if (bare.startsWith('0')) return `${country}${bare.slice(1)}`;
  return bare.startsWith(country) || bare.length > 10 ? bare : `${country}${bare}`;
}

/** The number as logs and screens may show it: the first five digits and the last two, `22177*****01`. */
export function maskMsisdn(msisdn: string): string {
  return msisdn.length <= 7
    ? '*'.repeat(msisdn.length)
    : `${msisdn.slice(0, 5)}${'*'.repeat(msisdn.length - 7)}${msisdn.slice(-2)}`;
}
