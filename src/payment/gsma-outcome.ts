/**
 * GSMA errors and states as outcomes of the payment port: the tables of section 3 of the payment page. Total: a code of
 * the standard without a line here does not compile.
 */
import { isSameMoney, parseDecimal } from '../money.ts';
import type { Outcome, Terms, WalletRef } from '../purchase/payment-port.ts';
import type { DeclineCode } from '../purchase/purchase.ts';
import {
  type CodeAnswer,
  type ErrorCode,
  type Party,
  type RequestStateAnswer,
  readError,
  type TransactionAnswer,
  valueOf,
  type WalletError,
} from './gsma-messages.ts';

/** Which verb an answer belongs to. */
export type Verb = 'authorize' | 'validate' | 'settle' | 'reverse';

/** `answer`: the HTTP answer of a call; `state`: a request that the wallet itself calls failed. */
export type Source = 'answer' | 'state';

/** An outcome that is open. */
export function unknown(cause: Extract<Outcome, { kind: 'unknown' }>['cause']): Outcome {
  return { kind: 'unknown', cause };
}

/** A definite refusal. */
export function declined(code: DeclineCode): Outcome {
  return { kind: 'declined', code };
}

type Reading = DeclineCode | ((error: WalletError, verb: Verb, source: Source) => DeclineCode | null);

const onlyFromState =
  (code: DeclineCode): Reading =>
  (_error, _verb, source) =>
    source === 'state' ? code : null;

const readGeneric: Reading = ({ category }, verb, source) => {
  switch (category) {
    case 'businessRule':
    case 'authorisation':
    case 'identification':
      return 'wallet_refused';
    case 'validation':
      return verb === 'settle' ? 'hold_gone' : 'request_rejected';
    case 'internal':
      return source === 'state' ? 'wallet_refused' : null;
    case 'serviceUnavailable':
      return source === 'state' ? 'wallet_unavailable' : null;
  }
};

// Null: open. `requestingPartyAuthorisationError` with tries left is no decline and is read before this table.
const READINGS: Readonly<Record<ErrorCode, Reading>> = {
  genericError: readGeneric,
  dailyVolumeLimitExceeded: 'limit_exceeded',
  dailyValueLimitExceeded: 'limit_exceeded',
  weeklyVolumeLimitExceeded: 'limit_exceeded',
  weeklyValueLimitExceeded: 'limit_exceeded',
  monthlyVolumeLimitExceeded: 'limit_exceeded',
  monthlyValueLimitExceeded: 'limit_exceeded',
  accountMaxTotalVolumeExceeded: 'limit_exceeded',
  accountMaxTotalValueExceeded: 'limit_exceeded',
  lessThanTransactionMinValue: 'amount_not_allowed',
  greaterThanTransactionMaxValue: 'amount_not_allowed',
  maxBalanceExceeded: 'payee_not_allowed',
  samePartiesError: 'same_party',
  // The key was seen before: only a query can tell what became of it.
  duplicateRequest: () => null,
  insufficientFunds: 'insufficient_funds',
  incorrectState: (_error, verb) => (verb === 'settle' ? 'hold_gone' : 'account_blocked'),
  underPaymentNotAllowed: 'amount_not_allowed',
  overPaymentNotAllowed: 'amount_not_allowed',
  rateLimitError: onlyFromState('wallet_unavailable'),
  transactionTypeError: 'payee_not_allowed',
  noMandateAuthority: 'payee_not_allowed',
  linkViolation: 'payee_not_allowed',
  countryofOriginNotPermitted: 'payee_not_allowed',
  nationalityNotPermitted: 'payee_not_allowed',
  idDocumentNotSupported: 'payee_not_allowed',
  issuingCountryNotSupported: 'payee_not_allowed',
  quoteHasExpired: 'request_rejected',
  identifierError: ({ parameters }) =>
    parameters.get('party') === 'creditParty' ? 'payee_not_allowed' : 'account_unknown',
  lengthError: 'request_rejected',
  formatError: 'request_rejected',
  negativeValue: 'request_rejected',
  currencyNotSupported: 'currency_not_supported',
  mandatoryValueNotSupplied: 'request_rejected',
  invalidOffset: 'request_rejected',
  clientAuthorisationError: 'request_rejected',
  requestDeclined: ({ parameters }) => (parameters.has('expired') ? 'payer_silent' : 'payer_refused'),
  servicingPartyAuthorisationError: 'payee_not_allowed',
  requestingPartyAuthorisationError: ({ parameters }) => (parameters.has('triesLeft') ? 'pin_locked' : 'wrong_pin'),
};

/** How many tries are left after a wrong answer; null when the error says something else or no try is left. */
export function triesLeftOf(error: WalletError): number | null {
  if (error.code !== 'requestingPartyAuthorisationError') return null;
  const text = error.parameters.get('triesLeft') ?? '';
  return /^[1-9]\d?$/.test(text) ? Number(text) : null;
}

/** An error object as an outcome. Never `needs_validation`: see `triesLeftOf`. */
export function outcomeOfError(error: WalletError, verb: Verb, source: Source): Outcome {
  // With 4xx these categories contradict their status; nothing is proved.
  if (source === 'answer' && (error.category === 'internal' || error.category === 'serviceUnavailable'))
    return unknown('status');
  const reading = error.code === null ? readGeneric : READINGS[error.code];
  const code = typeof reading === 'function' ? reading(error, verb, source) : reading;
  return code === null ? unknown('status') : declined(error.code === null ? newCode(code) : code);
}

// A code that is not in the standard, of a category that is: refused, and no more is known.
function newCode(code: DeclineCode): DeclineCode {
  return code === 'wallet_unavailable' ? code : 'wallet_refused';
}

/** The error of a failed request state, in either of its two spellings; null when it names none. */
export function errorOfState(state: RequestStateAnswer): WalletError | null {
  return readError(state.error) ?? readError(state.errorReference);
}

function isOtherParty(parties: readonly Party[] | null | undefined, key: string, ours: string): boolean {
  const theirs = valueOf(parties, key);
  return theirs !== undefined && theirs !== ours;
}

function isOtherPrice(
  answer: { readonly amount?: string | null | undefined; readonly currency?: string | null | undefined },
  terms: Terms,
): boolean {
  if (typeof answer.amount !== 'string' || typeof answer.currency !== 'string') return true;
  const price = parseDecimal(answer.amount, answer.currency);
  return !price.ok || !isSameMoney(price.value, terms.price);
}

/** True when a reversal names another sum than these terms do; one that names none is about all of it. */
export function isOtherSum(answer: TransactionAnswer, terms: Terms): boolean {
  return typeof answer.amount === 'string' && typeof answer.currency === 'string' && isOtherPrice(answer, terms);
}

/** True when a transaction is about something else than these terms. */
export function isOtherTransaction(answer: TransactionAnswer, terms: Terms): boolean {
  const reference = answer.requestingOrganisationTransactionReference;
  return (
    isOtherPrice(answer, terms) ||
    isOtherParty(answer.debitParty, 'msisdn', `+${terms.payer}`) ||
    isOtherParty(answer.creditParty, 'organisationid', terms.operator) ||
    (typeof reference === 'string' && reference !== '' && reference !== terms.purchaseId)
  );
}

/** A word of `transactionStatus`, read without case; null for any word that is not known, which is never success. */
export function readStatus(word: string): 'pending' | 'completed' | 'failed' | 'reversed' | null {
  switch (word.toLowerCase()) {
    case 'pending':
      return 'pending';
    case 'completed':
      return 'completed';
    case 'reversed':
      return 'reversed';
    case 'failed':
    case 'declined':
    case 'rejected':
    case 'cancelled':
    case 'expired':
      return 'failed';
    default:
      return null;
  }
}

/** What a hold's code says of the hold. */
export function outcomeOfCode(code: CodeAnswer, terms: Terms, ref: WalletRef, atMs: number | null): Outcome {
  if (isOtherPrice(code, terms)) return unknown('mismatch');
  switch (code.codeState.toLowerCase()) {
    case 'active':
      return { kind: 'done', ref, holdExpiresInMs: holdLeft(code, atMs) };
    case 'cancelled':
      return declined('wallet_refused');
    case 'expired':
      // A redeemed code reads `expired` too: then the money was secured, and has moved on.
      return valueOf(code.metadata, 'redeemedBy') === undefined
        ? declined('hold_gone')
        : { kind: 'done', ref, holdExpiresInMs: null };
    default:
      return unknown('shape');
  }
}

// By the wallet's own two times, never by our clock; without them, what was granted, which is true only for a new code.
function holdLeft(code: CodeAnswer, atMs: number | null): number | null {
  if (code.codeLifetime === null || code.codeLifetime === undefined) return null;
  const grantedMs = code.codeLifetime * 1000;
  const startedMs = Date.parse(code.creationDate ?? '');
  if (atMs === null || Number.isNaN(startedMs)) return grantedMs;
  return Math.min(Math.max(startedMs + grantedMs - atMs, 0), grantedMs);
}
