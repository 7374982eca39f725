/**
 * What a relation server may ask of the centre. Each act judges format, parties, account and policy in that order, then
 * lets the ledger decide; whatever is refused on the way is remembered under the key, so that it is replayed too.
 */
import type { z } from 'zod';
import { type Money, parseDecimal } from '../../money.ts';
import { ok, type Result, refuse } from '../../result.ts';
import {
  type CodeRequest,
  codeRequestShape,
  type ErrorBody,
  EXPIRES_KEY,
  errorBody,
  type Party,
  type PayRequest,
  patchRequestShape,
  payRequestShape,
  REFERENCE_KEY,
  reversalRequestShape,
  valueOf,
} from '../gsma-messages.ts';
import type { Accounts, PayerAccount } from './account.ts';
import type { Call } from './call.ts';
import type { CentreConfig } from './centre-config.ts';
import type { Answer, Ledger } from './ledger.ts';
import { isUuid, type Objects } from './objects.ts';
import type { CredentialKey, PinBook } from './pin.ts';
import { feeOf, needsPin, validationMsOf } from './policy.ts';

/** What the acts work with. */
export type ActDeps = {
  readonly ledger: Ledger;
  readonly accounts: Accounts;
  readonly objects: Objects;
  readonly pins: PinBook;
  readonly credentialKey: CredentialKey;
  readonly policy: CentreConfig['policy'];
  readonly newId: () => string;
};

/** The acts, one for each route that changes something. */
export interface Acts {
  merchantPay(call: Call): Promise<Answer>;
  reverseByKey(call: Call): Promise<Answer>;
  createCode(call: Call, msisdn: string): Promise<Answer>;
  patchCode(call: Call, code: string, msisdn: string): Promise<Answer>;
  patchTransaction(call: Call, reference: string): Promise<Answer>;
  reverse(call: Call, reference: string): Promise<Answer>;
}

/** E.164 digits of a number as it stands on the wire; null for anything else. */
export function digitsOf(text: string | undefined): string | null {
  const digits = (text ?? '').replace(/^\+/, '');
  return /^[1-9]\d{7,14}$/.test(digits) ? digits : null;
}

const unknownParty = (party: 'debitParty' | 'creditParty'): ErrorBody =>
  errorBody('identification', 'identifierError', { party });
const unknownObject = errorBody('identification', 'identifierError');
const wrongState = errorBody('businessRule', 'incorrectState');

function formatFault(error: z.ZodError, body: unknown): ErrorBody {
  const path = error.issues[0]?.path ?? [];
  let value: unknown = body;
  for (const step of path) value = typeof value === 'object' && value !== null ? Reflect.get(value, step) : undefined;
  const code = value === undefined && body !== undefined ? 'mandatoryValueNotSupplied' : 'formatError';
  return errorBody('validation', code, path.length === 0 ? {} : { field: path.join('.') });
}

function readAmount(amount: string, currency: string): Result<Money, ErrorBody> {
  const money = parseDecimal(amount, currency);
  if (!money.ok) {
    return refuse(
      money.refusal === 'unknown_currency'
        ? errorBody('validation', 'currencyNotSupported')
        : errorBody('validation', 'formatError', { field: 'amount' }),
    );
  }
  return money.value.minor > 0n ? money : refuse(errorBody('businessRule', 'lessThanTransactionMinValue'));
}

type Deal = { readonly payer: PayerAccount; readonly wallet: string; readonly operator: string; readonly price: Money };

async function readDeal(
  deps: ActDeps,
  body: { readonly amount: string; readonly currency: string },
  msisdn: string | null,
  creditParty: readonly Party[] | undefined,
): Promise<Result<Deal, ErrorBody>> {
  const price = readAmount(body.amount, body.currency);
  if (!price.ok) return price;
  const name = valueOf(creditParty, 'organisationid');
  const payer = msisdn === null ? null : await deps.accounts.findPayer(msisdn, body.currency);
  if (payer === null) return refuse(unknownParty('debitParty'));
  const operator = name === undefined ? null : await deps.accounts.findOperator(name);
  if (operator === null) return refuse(unknownParty('creditParty'));
  if (operator === payer.holder) return refuse(errorBody('businessRule', 'samePartiesError'));
  if (payer.wallet === null) return refuse(errorBody('validation', 'currencyNotSupported'));
  return ok({ payer, wallet: payer.wallet, operator, price: price.value });
}

// Blocked accounts and PINs beyond use are told before the funds are looked at.
async function judgePayer(deps: ActDeps, deal: Deal): Promise<Result<boolean, ErrorBody>> {
  if (!deal.payer.isUsable) return refuse(errorBody('businessRule', 'incorrectState', { party: 'debitParty' }));
  if (!needsPin(deps.policy, deal.payer, deal.price.minor)) return ok(false);
  if (await deps.accounts.isPinUnusable(deal.payer.holder)) {
    return refuse(errorBody('authorisation', 'requestingPartyAuthorisationError', { triesLeft: '0' }));
  }
  return ok(true);
}

async function merchantPay(deps: ActDeps, call: Call): Promise<Answer> {
  const refused = (error: ErrorBody): Promise<Answer> => deps.ledger.refuse(call.keyed, 'merchantpay', error);
  const parsed = payRequestShape.safeParse(call.body);
  if (!parsed.success) return refused(formatFault(parsed.error, call.body));
  const body = parsed.data;
  const deal = await readDeal(deps, body, digitsOf(valueOf(body.debitParty, 'msisdn')), body.creditParty);
  if (!deal.ok) return refused(deal.refusal);
  const { wallet, operator, price } = deal.value;
  const order = {
    payer: wallet,
    operator,
    amount: price.minor,
    currency: price.currency,
    fee: feeOf(deps.policy, price.minor),
    reference: body.requestingOrganisationTransactionReference ?? '',
    machine: body.servicingIdentity ?? '',
    description: body.descriptionText ?? '',
  };
  if (body.oneTimeCode !== undefined) return await captureCode(deps, call, body, order);
  const judged = await judgePayer(deps, deal.value);
  if (!judged.ok) return refused(judged.refusal);
  const expiresInMs = validationMsOf(deps.policy, valueOf(body.metadata, EXPIRES_KEY));
  return await deps.ledger.debit(call.keyed, deps.newId(), { ...order, isValidated: judged.value, expiresInMs });
}

async function captureCode(
  deps: ActDeps,
  call: Call,
  body: PayRequest,
  order: Omit<Parameters<Ledger['capture']>[2], 'hold'>,
): Promise<Answer> {
  const hold = await deps.objects.findHold(call.keyed.client, body.oneTimeCode ?? '');
  if (hold === null)
    return await deps.ledger.refuse(
      call.keyed,
      'merchantpay',
      errorBody('validation', 'genericError', { field: 'oneTimeCode' }),
    );
  return await deps.ledger.capture(call.keyed, deps.newId(), { ...order, hold: hold.id });
}

async function createCode(deps: ActDeps, call: Call, msisdn: string): Promise<Answer> {
  const refused = (error: ErrorBody): Promise<Answer> => deps.ledger.refuse(call.keyed, 'hold', error);
  const parsed = codeRequestShape.safeParse(call.body);
  if (!parsed.success) return refused(formatFault(parsed.error, call.body));
  const body: CodeRequest = parsed.data;
  const deal = await readDeal(deps, body, digitsOf(msisdn), body.redemptionAccountIdentifiers);
  if (!deal.ok) return refused(deal.refusal);
  const lifetimeMs = body.codeLifetime * 1000;
  if (lifetimeMs > deps.policy.maxHoldMs)
    return refused(errorBody('validation', 'formatError', { field: 'codeLifetime' }));
  const judged = await judgePayer(deps, deal.value);
  if (!judged.ok) return refused(judged.refusal);
  return await deps.ledger.placeHold(call.keyed, deps.newId(), {
    payer: deal.value.wallet,
    operator: deal.value.operator,
    amount: deal.value.price.minor,
    currency: deal.value.price.currency,
    reference: valueOf(body.metadata, REFERENCE_KEY) ?? '',
    lifetimeMs: BigInt(lifetimeMs),
    isValidated: judged.value,
    expiresInMs: validationMsOf(deps.policy, valueOf(body.metadata, EXPIRES_KEY)),
  });
}

async function reverseByKey(deps: ActDeps, call: Call): Promise<Answer> {
  const refused = (error: ErrorBody): Promise<Answer> => deps.ledger.refuse(call.keyed, 'reversal', error);
  const parsed = payRequestShape.safeParse(call.body);
  if (!parsed.success) return refused(formatFault(parsed.error, call.body));
  const original = valueOf(parsed.data.metadata, 'originalCorrelationId') ?? '';
  if (!isUuid(original))
    return refused(errorBody('validation', 'mandatoryValueNotSupplied', { field: 'originalCorrelationId' }));
  if (original.toLowerCase() === call.keyed.key)
    return refused(errorBody('validation', 'formatError', { field: 'originalCorrelationId' }));
  return await deps.ledger.reverseByKey(call.keyed, deps.newId(), original.toLowerCase());
}

async function reverse(deps: ActDeps, call: Call, reference: string): Promise<Answer> {
  const refused = (error: ErrorBody): Promise<Answer> => deps.ledger.refuse(call.keyed, 'reversal', error);
  const parsed = reversalRequestShape.safeParse(call.body);
  if (!parsed.success) return refused(formatFault(parsed.error, call.body));
  const payment = await deps.objects.findPayment(call.keyed.client, reference);
  if (payment === null) return refused(unknownObject);
  if (parsed.data.type === 'reversal') return await deps.ledger.reverse(call.keyed, deps.newId(), payment.id);
  const part = readAmount(parsed.data.amount ?? '', parsed.data.currency ?? '');
  if (!part.ok) return refused(part.refusal);
  return await deps.ledger.adjust(call.keyed, deps.newId(), payment.id, part.value.minor, part.value.currency);
}

const busy: Answer = { status: null, error: null, object: null, serverKey: '', isReplayed: false };

async function validate(deps: ActDeps, call: Call, object: string, kind: 'payment' | 'hold'): Promise<Answer> {
  const opened = call.credential === null ? 'invalid' : await deps.credentialKey.open(call.credential, call.keyed.key);
  // Encrypted before our last start: nothing is stored, so that the payer can be asked again under the same key.
  if (opened === 'other_key') return busy;
  if (opened === 'invalid') {
    return await deps.ledger.refuse(
      call.keyed,
      'validation',
      errorBody('validation', 'formatError', { header: 'X-User-Credential-1' }),
    );
  }
  const started = await deps.ledger.beginValidation(call.keyed, object, kind);
  if (started.pinHash === null || started.holder === null) return started;
  // What is no PIN at all is a wrong one, and costs a try.
  const isCorrect = deps.pins.isPin(opened.pin) && (await deps.pins.check(started.holder, opened.pin, started.pinHash));
  // Too busy: the check stays open, and the sweep ends it as not made; the caller hears 503.
  return isCorrect === null ? started : await deps.ledger.finishValidation(call.keyed, isCorrect);
}

async function patch(
  deps: ActDeps,
  call: Call,
  field: '/transactionStatus' | '/codeState',
  routes: Readonly<Record<string, () => Promise<Answer>>>,
): Promise<Answer> {
  const parsed = patchRequestShape.safeParse(call.body);
  if (!parsed.success) return await deps.ledger.refuse(call.keyed, 'patch', formatFault(parsed.error, call.body));
  const [operation] = parsed.data;
  const act = operation?.path === field && Object.hasOwn(routes, operation.value) ? routes[operation.value] : undefined;
  return act === undefined ? await deps.ledger.refuse(call.keyed, 'patch', wrongState) : await act();
}

/** The acts over one ledger. */
export function createActs(deps: ActDeps): Acts {
  return {
    merchantPay: (call) => merchantPay(deps, call),
    reverseByKey: (call) => reverseByKey(deps, call),
    createCode: (call, msisdn) => createCode(deps, call, msisdn),
    reverse: (call, reference) => reverse(deps, call, reference),
    patchCode: async (call, code, msisdn) => {
      const hold = await deps.objects.findHold(call.keyed.client, code);
      if (hold === null || hold.msisdn !== digitsOf(msisdn))
        return await deps.ledger.refuse(call.keyed, 'patch', unknownObject);
      return await patch(deps, call, '/codeState', {
        cancelled: () => deps.ledger.void(call.keyed, hold.id),
        active: () => validate(deps, call, hold.id, 'hold'),
      });
    },
    patchTransaction: async (call, reference) => {
      const payment = await deps.objects.findPayment(call.keyed.client, reference);
      if (payment === null) return await deps.ledger.refuse(call.keyed, 'patch', unknownObject);
      return await patch(deps, call, '/transactionStatus', {
        settled: () => deps.ledger.release(call.keyed, deps.newId(), payment.id),
        validated: () => validate(deps, call, payment.id, 'payment'),
      });
    },
  };
}
