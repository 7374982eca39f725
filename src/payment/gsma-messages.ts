/**
 * Message shapes of the GSMA Mobile Money API 1.2.0 as Relais speaks them: shared by the connector, which reads
 * answers leniently, and the centre, which reads requests strictly. Sources: `spec/gsma/`.
 */
import { z } from 'zod';

/** Path under which the whole interface lies. */
export const GSMA_PATH = '/1.2.0/mm';

/** Largest body either side reads, in bytes; the largest object of the profile has about 2 KiB. */
export const BODY_LIMIT_BYTES = 65_536;

const errorCategories = [
  'businessRule',
  'validation',
  'authorisation',
  'identification',
  'internal',
  'serviceUnavailable',
] as const;

const errorCodes = [
  'genericError',
  'dailyVolumeLimitExceeded',
  'dailyValueLimitExceeded',
  'weeklyVolumeLimitExceeded',
  'weeklyValueLimitExceeded',
  'monthlyVolumeLimitExceeded',
  'monthlyValueLimitExceeded',
  'accountMaxTotalVolumeExceeded',
  'accountMaxTotalValueExceeded',
  'lessThanTransactionMinValue',
  'greaterThanTransactionMaxValue',
  'maxBalanceExceeded',
  'samePartiesError',
  'duplicateRequest',
  'insufficientFunds',
  'incorrectState',
  'underPaymentNotAllowed',
  'overPaymentNotAllowed',
  'rateLimitError',
  'transactionTypeError',
  'noMandateAuthority',
  'linkViolation',
  'countryofOriginNotPermitted',
  'nationalityNotPermitted',
  'idDocumentNotSupported',
  'issuingCountryNotSupported',
  'quoteHasExpired',
  'identifierError',
  'lengthError',
  'formatError',
  'negativeValue',
  'currencyNotSupported',
  'mandatoryValueNotSupplied',
  'invalidOffset',
  'clientAuthorisationError',
  'requestDeclined',
  'servicingPartyAuthorisationError',
  'requestingPartyAuthorisationError',
] as const;

/** The six categories of `errorObject`. */
export type ErrorCategory = (typeof errorCategories)[number];
/** The 38 codes of `errorObject`. */
export type ErrorCode = (typeof errorCodes)[number];

/** Every code, for tests of tables that must be total. */
export const allErrorCodes: readonly ErrorCode[] = errorCodes;

/** An `errorObject` as it is written. */
export type ErrorBody = {
  readonly errorCategory: ErrorCategory;
  readonly errorCode: ErrorCode;
  readonly errorDescription?: string;
  readonly errorParameters?: readonly { readonly key: string; readonly value: string }[];
};

/** An `errorObject` as it was read; `code` is null for one that is not in the standard. */
export type WalletError = {
  readonly category: ErrorCategory;
  readonly code: ErrorCode | null;
  readonly parameters: ReadonlyMap<string, string>;
};

/** The body of an error answer. `parameters`: names and values, for programs; never a number or a PIN. */
export function errorBody(
  errorCategory: ErrorCategory,
  errorCode: ErrorCode,
  parameters: Readonly<Record<string, string>> = {},
): ErrorBody {
  const errorParameters = Object.entries(parameters).map(([key, value]) => ({ key, value }));
  return errorParameters.length === 0 ? { errorCategory, errorCode } : { errorCategory, errorCode, errorParameters };
}

const pairShape = z.object({ key: z.string().min(1).max(256), value: z.string().min(1).max(256) });
const pairsShape = z.array(pairShape).max(20);

const errorShape = z.object({
  errorCategory: z.string(),
  errorCode: z.string(),
  errorParameters: pairsShape.nullish(),
});

/** Reads an `errorObject`, its words without case; null when it is none or its category is not in the standard. */
export function readError(value: unknown): WalletError | null {
  const parsed = errorShape.safeParse(value);
  if (!parsed.success) return null;
  const category = errorCategories.find((known) => isSameWord(known, parsed.data.errorCategory));
  if (category === undefined) return null;
  const code = errorCodes.find((known) => isSameWord(known, parsed.data.errorCode)) ?? null;
  return { category, code, parameters: new Map(parsed.data.errorParameters?.map((pair) => [pair.key, pair.value])) };
}

function isSameWord(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

/** One way of naming a party, `{key: "msisdn", value: "+…"}`. */
export type Party = z.infer<typeof pairShape>;

const partiesShape = z.array(pairShape).min(1).max(10);

/** A transaction, reversal or refund as a wallet answers it. */
export const transactionShape = z.object({
  transactionReference: z.string().min(1).max(256),
  transactionStatus: z.string().min(1).max(256),
  type: z.string().nullish(),
  amount: z.string().nullish(),
  currency: z.string().nullish(),
  debitParty: partiesShape.nullish(),
  creditParty: partiesShape.nullish(),
  requestingOrganisationTransactionReference: z.string().nullish(),
  originalTransactionReference: z.string().nullish(),
});
export type TransactionAnswer = z.infer<typeof transactionShape>;

/** An authorisation code (here: a hold) as a wallet answers it. */
export const codeShape = z.object({
  authorisationCode: z.string().min(1).max(256),
  codeState: z.string(),
  amount: z.string().nullish(),
  currency: z.string().nullish(),
  codeLifetime: z.number().positive().nullish(),
  creationDate: z.string().nullish(),
  metadata: pairsShape.nullish(),
});
export type CodeAnswer = z.infer<typeof codeShape>;

/** A request state: the answer 202, and what polling reads. */
export const requestStateShape = z.object({
  serverCorrelationId: z.string().min(1).max(256),
  status: z.string(),
  objectReference: z.string().nullish(),
  pendingReason: z.string().nullish(),
  expiryTime: z.string().nullish(),
  error: z.unknown().optional(),
  errorReference: z.unknown().optional(),
});
export type RequestStateAnswer = z.infer<typeof requestStateShape>;

/** The status of an account, `subStatus` being our extension. */
export const accountStatusShape = z.object({ accountStatus: z.string(), subStatus: z.string().nullish() });

/** Where the object of a key lies. */
export const linkShape = z.object({ link: z.string().min(1).max(256) });

// Strict shapes, for the centre. Amounts as the master schema has them.
const amountText = z
  .string()
  .max(23)
  .regex(/^(0|[1-9][0-9]{0,17})([.][0-9]{0,3}[0-9])?$/);
const currencyText = z.string().regex(/^[A-Z]{3}$/);

/** Body of `POST /transactions/type/merchantpay` and, with `originalCorrelationId`, of `/type/reversal`. */
export const payRequestShape = z.object({
  amount: amountText,
  currency: currencyText,
  debitParty: partiesShape.optional(),
  creditParty: partiesShape.optional(),
  oneTimeCode: z.string().min(1).max(256).optional(),
  requestingOrganisationTransactionReference: z.string().max(256).optional(),
  servicingIdentity: z.string().max(256).optional(),
  descriptionText: z.string().max(160).optional(),
  metadata: pairsShape.optional(),
});
export type PayRequest = z.infer<typeof payRequestShape>;

/** Body of `POST /accounts/msisdn/{n}/authorisationcodes`. */
export const codeRequestShape = z.object({
  amount: amountText,
  currency: currencyText,
  amountType: z.literal('exact').optional(),
  codeLifetime: z.number().int().min(1).max(2_592_000),
  holdFundsIndicator: z.literal(true),
  redemptionAccountIdentifiers: partiesShape,
  metadata: pairsShape.optional(),
});
export type CodeRequest = z.infer<typeof codeRequestShape>;

/** Body of `POST /transactions/{ref}/reversals`. */
export const reversalRequestShape = z.object({
  type: z.enum(['reversal', 'adjustment']),
  amount: amountText.optional(),
  currency: currencyText.optional(),
});

/** Body of a PATCH: one JSON Patch operation. */
export const patchRequestShape = z
  .array(z.object({ op: z.enum(['replace', 'add']), path: z.string().max(256), value: z.string().max(256) }))
  .length(1);

/** Name of the metadata entry that bounds a request's life. */
export const EXPIRES_KEY = 'relais.expiresInMs';
/** Name of the metadata entry that carries the purchase's reference where the object has no field for it. */
export const REFERENCE_KEY = 'relais.reference';

/** The value of a metadata entry or party identifier. */
export function valueOf(pairs: readonly Party[] | null | undefined, key: string): string | undefined {
  return pairs?.find((pair) => pair.key === key)?.value;
}
