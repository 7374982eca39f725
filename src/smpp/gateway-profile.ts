/**
 * The dialect object: all that differs between USSD gateways, as data (design: smpp-ussd-sms.md, 3.2).
 */
import * as z from 'zod';
import { ok, type Result, refuse } from '../result.ts';
import { alphabets, usualCodings } from './data-coding.ts';

const octet = z.int().min(0).max(255);
const ussdKind = z.enum(['begin', 'continue', 'end', 'abort', 'ack']);
const tonNpi = z.strictObject({ ton: octet, npi: octet });
/** JSON has no number keys: codes are written as decimal text. */
const byOctet = <Value extends z.ZodType>(value: Value) => z.record(z.string().regex(/^\d{1,3}$/), value);

const dialectSchema = z.strictObject({
  /** What tells USSD from SMS: the TLV ussd_service_op, or a service_type of `serviceTypesIn`. */
  detect: z.array(z.enum(['tlv', 'serviceType'])).min(1),
  serviceTypesIn: z.array(z.string().max(5)),
  /** `echo` repeats the service_type of the request. */
  serviceTypeOut: z.string().max(5),
  /** `addr`: `destination` repeats where the request went; anything else is the address itself. */
  sourceOut: z.strictObject({ ton: octet, npi: octet, addr: z.string().min(1).max(20) }),
  destOut: z.union([tonNpi, z.literal('echo')]),
  /** ussd_service_op of a request, decimal, to what it means. */
  opIn: byOctet(ussdKind),
  /** ussd_service_op of our texts; null sends no TLV. */
  opOut: z.strictObject({ continue: octet.nullable(), end: octet.nullable(), notify: octet.nullable() }),
  onUnknownOp: z.enum(['continue', 'begin', 'end']),
  session: z.strictObject({
    source: z.enum(['its_session_info', 'user_message_reference', 'none']),
    /** How the two octets of its_session_info are divided. */
    layout: z.enum(['opaque', 'spec8_7_1', 'id15_1']),
    /** The last bit ends the dialog: believed when it comes, set when we end. */
    endFlagIn: z.boolean(),
    endFlagOut: z.boolean(),
    /** `reject` answers a request without session id with ESME_RMISSINGTLV. */
    onMissing: z.enum(['msisdn', 'reject']),
  }),
  /** Where the dialed code of a begin stands. */
  code: z.strictObject({ source: z.enum(['short_message', 'destination_addr']) }),
  /** data_coding of our texts; `echo` repeats that of the request if it is a GSM one, else 15. */
  codingOut: z.strictObject({ gsm7: z.union([octet, z.literal('echo')]), ucs2: octet }),
  codingIn: byOctet(z.enum(alphabets)),
  defaultAlphabet: z.enum(['gsm0338', 'ascii', 'latin1']),
  packed: z.boolean(),
  /** What is done with letters outside GSM-7. */
  gsm7: z.enum(['transliterate', 'ucs2']),
  /** Units a screen should keep to; beyond it is paged. */
  budget: z.strictObject({ gsm7: z.int().min(20).max(182), ucs2: z.int().min(10).max(80) }),
  /** Country code of national numbers, without +; null where the gateway sends international numbers only. */
  msisdn: z.strictObject({
    country: z
      .string()
      .regex(/^[1-9]\d{0,2}$/)
      .nullable(),
    national: z.boolean(),
  }),
  /** A USSD reply may leave by any bind of the account, or only by the one the request came on. */
  affinity: z.enum(['account', 'bind']),
  /** Times in milliseconds. The first is for the whole answer; the others are kept by the dialog. */
  replyDeadlineMs: z.int().min(500),
  userTimeoutMs: z.int().min(1000),
  dialogIdleMs: z.int().min(1000),
  dialogMaxMs: z.int().min(1000),
  dedupeMs: z.int().min(0),
});

/** How one gateway speaks USSD. Defaults and meanings: `gatewayProfiles.generic`. */
export type Dialect = z.infer<typeof dialectSchema>;

/** The presets. A preset is a starting point: interop begins with the capture of one dialog. */
export const gatewayProfiles: Readonly<Record<'generic', Dialect>> = {
  generic: {
    detect: ['tlv', 'serviceType'],
    serviceTypesIn: ['USSD'],
    serviceTypeOut: 'USSD',
    sourceOut: { ton: 0, npi: 0, addr: 'destination' },
    destOut: 'echo',
    opIn: { 0: 'begin', 1: 'begin', 2: 'continue', 17: 'end', 18: 'continue', 19: 'ack', 129: 'abort' },
    opOut: { continue: 2, end: 17, notify: 3 },
    onUnknownOp: 'continue',
    session: { source: 'its_session_info', layout: 'opaque', endFlagIn: false, endFlagOut: false, onMissing: 'msisdn' },
    code: { source: 'short_message' },
    codingOut: { gsm7: 'echo', ucs2: 72 },
    codingIn: { ...usualCodings },
    defaultAlphabet: 'gsm0338',
    packed: false,
    gsm7: 'transliterate',
    budget: { gsm7: 160, ucs2: 70 },
    msisdn: { country: null, national: true },
    affinity: 'account',
    replyDeadlineMs: 8000,
    userTimeoutMs: 30_000,
    dialogIdleMs: 90_000,
    dialogMaxMs: 120_000,
    dedupeMs: 5000,
  },
};

/** What is wrong with a dialect, each with the place: `opOut.end: expected number`. */
export interface DialectRefusal {
  readonly problems: readonly string[];
}

/**
 * The dialect that a configuration describes: `{"extends": "generic", ...}`; nested objects are merged one level deep.
 *
 * @returns refusal with every problem at once
 */
export function readDialect(configured: unknown): Result<Dialect, DialectRefusal> {
  const given = z.looseObject({ extends: z.literal('generic').default('generic') }).safeParse(configured ?? {});
  if (!given.success) return refuse({ problems: problemsOf(given.error) });
  const { extends: preset, ...overrides } = given.data;
  const merged: Record<string, unknown> = { ...gatewayProfiles[preset] };
  for (const [key, value] of Object.entries(overrides)) {
    const base = merged[key];
    merged[key] = isPlain(base) && isPlain(value) ? { ...base, ...value } : value;
  }
  const parsed = dialectSchema.safeParse(merged);
  return parsed.success ? ok(Object.freeze(parsed.data)) : refuse({ problems: problemsOf(parsed.error) });
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function problemsOf(error: z.ZodError): string[] {
  return error.issues.map((issue) => `${issue.path.join('.') || 'dialect'}: ${issue.message}`);
}

const SHORTEST_INTERNATIONAL = 10;
const TON_INTERNATIONAL = 1;
const TON_NATIONAL = 2;

/**
 * A subscriber's number as E.164 digits without `+`, from the `+`, `00` and national forms; spaces go.
 *
 * A number of unknown type is national if it does not begin with the country and is shorter than ten digits.
 *
 * @returns null if what remains is not 3 to 20 digits
 */
export function readMsisdn(
  address: { readonly ton: number; readonly addr: string },
  rules: Dialect['msisdn'],
): string | null {
  const compact = address.addr.replaceAll(' ', '');
  const isPrefixed = compact.startsWith('+') || compact.startsWith('00');
  const digits = compact.replace(/^(?:\+|00)/, '');
  if (!/^\d{3,20}$/.test(digits)) return null;
  if (isPrefixed || address.ton === TON_INTERNATIONAL || rules.country === null || !rules.national) return digits;
  const isShort = digits.length >= 7 && digits.length < SHORTEST_INTERNATIONAL && !digits.startsWith(rules.country);
  const isNational = address.ton === TON_NATIONAL || digits.startsWith('0') || isShort;
  return isNational ? rules.country + digits.replace(/^0/, '') : digits;
}
