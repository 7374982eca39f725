/**
 * The connector to a wallet that speaks the GSMA profile, the built-in centre among them. Sends each act once, never
 * again by itself, and says of each answer only what it proves. Plans and tables: payment page, sections 2 and 3.
 */
import { CompactEncrypt, importJWK, type JWK } from 'jose';
import { z } from 'zod';
import { decimalOf } from '../money.ts';
import type { Check, Outcome, PaymentPort, Terms, WalletRef } from '../purchase/payment-port.ts';
import { assert } from '../result.ts';
import type { Clock, DurationMs } from '../time.ts';
import type { GsmaConnectorConfig } from './gsma-config.ts';
import { createWalletLink, type Exchange, type WalletLink } from './gsma-link.ts';
import { accountStatusShape, EXPIRES_KEY, REFERENCE_KEY, readError } from './gsma-messages.ts';
import { declined, unknown, type Verb } from './gsma-outcome.ts';
import {
  accountPath,
  confirmRefused,
  type Inquiry,
  objectPath,
  outcomeOfAct,
  outcomeOfKey,
  outcomeOfPatch,
  readSecured,
  redeemer,
  refusalOf,
  send,
} from './gsma-reading.ts';
import { type GsmaRef, readRef } from './gsma-ref.ts';

/** A connector with its connections. */
export type GsmaConnector = PaymentPort & { close(): Promise<void> };

type Wallet = { readonly link: WalletLink; readonly config: GsmaConnectorConfig; readonly clock: Clock };
type Command<Name extends 'authorize' | 'validate' | 'settle' | 'reverse'> = Parameters<PaymentPort[Name]>[0];

function startInquiry(wallet: Wallet, verb: Verb, terms: Terms, ref: WalletRef | null, budgetMs: DurationMs): Inquiry {
  const startedMs = wallet.clock.now();
  return {
    verb,
    terms,
    ref,
    link: wallet.link,
    config: wallet.config,
    leftMs: () => budgetMs - (wallet.clock.now() - startedMs),
  };
}

function act(
  wallet: Wallet,
  method: 'POST' | 'PATCH',
  path: string,
  key: string,
  body: unknown,
  headers: Record<string, string> = {},
): Omit<Exchange, 'budgetMs'> {
  return {
    method,
    path,
    body,
    headers: { 'x-correlationid': key, 'x-date': new Date(wallet.clock.wall()).toISOString(), ...headers },
  };
}

function payBody(terms: Terms): Readonly<Record<string, unknown>> {
  return {
    amount: decimalOf(terms.price),
    currency: terms.price.currency,
    debitParty: [{ key: 'msisdn', value: `+${terms.payer}` }],
    creditParty: [{ key: 'organisationid', value: terms.operator }],
    requestingOrganisationTransactionReference: terms.purchaseId,
    servicingIdentity: terms.machineNumber,
  };
}

async function authorize(wallet: Wallet, command: Command<'authorize'>): Promise<Outcome> {
  const { terms, key } = command;
  const inquiry = startInquiry(wallet, 'authorize', terms, null, wallet.config.budgets.authorizeMs);
  const expires = { key: EXPIRES_KEY, value: String(Math.max(Math.floor(command.expiresInMs), 1)) };
  const headers = { 'x-channel': command.channel.toUpperCase() };
  if (terms.plan === 'debit_refund') {
    const body = { ...payBody(terms), descriptionText: command.text.slice(0, 160), metadata: [expires] };
    return await outcomeOfAct(
      inquiry,
      await send(inquiry, act(wallet, 'POST', '/transactions/type/merchantpay', key, body, headers)),
    );
  }
  assert(command.holdMs !== null, 'a hold needs its lifetime');
  const body = {
    amount: decimalOf(terms.price),
    currency: terms.price.currency,
    amountType: 'exact',
    codeLifetime: Math.ceil(command.holdMs / 1000),
    holdFundsIndicator: true,
    redemptionAccountIdentifiers: [{ key: 'organisationid', value: terms.operator }],
    redemptionTransactionTypes: [{ transactionType: 'merchantpay' }],
    metadata: [{ key: REFERENCE_KEY, value: terms.purchaseId }, expires],
  };
  return await outcomeOfAct(
    inquiry,
    await send(inquiry, act(wallet, 'POST', `${accountPath(terms.payer)}/authorisationcodes`, key, body, headers)),
  );
}

const keysShape = z.object({ keys: z.array(z.record(z.string(), z.unknown())).min(1) });

// Read anew each time unless configured: the centre makes a fresh key at each start.
async function credentialKey(wallet: Wallet, budgetMs: DurationMs): Promise<JWK | null> {
  if (wallet.config.credentialJwk !== null) return wallet.config.credentialJwk;
  const reply = await wallet.link.sendToOrigin({ method: 'GET', path: '/.well-known/jwks.json', budgetMs });
  const parsed = reply.kind === 'answer' && reply.status === 200 ? keysShape.safeParse(reply.body) : null;
  return parsed?.success === true ? (parsed.data.keys[0] ?? null) : null;
}

async function encryptPin(jwk: JWK, pin: string, correlationId: string): Promise<string> {
  const key = await importJWK(jwk, 'ECDH-ES');
  const plaintext = new TextEncoder().encode(JSON.stringify({ pin, correlationId }));
  const header = { alg: 'ECDH-ES', enc: 'A256GCM', ...(jwk.kid === undefined ? {} : { kid: jwk.kid }) };
  const jwe = await new CompactEncrypt(plaintext).setProtectedHeader(header).encrypt(key);
  plaintext.fill(0);
  return jwe;
}

async function validate(wallet: Wallet, command: Command<'validate'>): Promise<Outcome> {
  const pin = command.answer.read();
  const inquiry = startInquiry(wallet, 'validate', command.terms, command.ref, wallet.config.budgets.authorizeMs);
  const ref = readRef(command.ref);
  assert(ref !== null, 'the reference is of this connector');
  const jwk = await credentialKey(wallet, Math.max(inquiry.leftMs(), 1));
  // Without the wallet's key nothing was sent under ours.
  if (jwk === null) return { kind: 'not_found' };
  const [path, value] = ref.kind === 'tx' ? ['/transactionStatus', 'validated'] : ['/codeState', 'active'];
  const credential = { 'x-user-credential-1': await encryptPin(jwk, pin, command.key) };
  const reply = await send(
    inquiry,
    act(wallet, 'PATCH', objectPath(command.terms, ref), command.key, [{ op: 'replace', path, value }], credential),
  );
  const isDone = reply.kind === 'answer' && reply.status === 204;
  // No longer waiting for an answer: what it has become decides.
  const isOver = refusalOf(reply)?.code === 'incorrectState';
  if (isDone || isOver) return await readSecured(inquiry, ref);
  const outcome = await outcomeOfAct(inquiry, reply);
  return outcome.kind === 'declined' ? await confirmRefused(inquiry, ref, outcome) : outcome;
}

async function settle(wallet: Wallet, command: Command<'settle'>): Promise<Outcome> {
  const { terms, key } = command;
  const inquiry = startInquiry(wallet, 'settle', terms, command.ref, wallet.config.budgets.otherMs);
  const ref = readRef(command.ref);
  assert(ref !== null, 'the reference is of this connector');
  if (ref.kind === 'code') {
    const body = { ...payBody(terms), oneTimeCode: ref.id };
    return await outcomeOfAct(
      inquiry,
      await send(inquiry, act(wallet, 'POST', '/transactions/type/merchantpay', key, body)),
    );
  }
  if (!wallet.config.capabilities.release) return { kind: 'done', ref: command.ref, holdExpiresInMs: null };
  const patch = [{ op: 'replace', path: '/transactionStatus', value: 'settled' }];
  return await outcomeOfPatch(inquiry, await send(inquiry, act(wallet, 'PATCH', objectPath(terms, ref), key, patch)));
}

async function reverseTransaction(
  wallet: Wallet,
  inquiry: Inquiry,
  command: Command<'reverse'>,
  reference: string,
): Promise<Outcome> {
  const isInPart = command.amount !== null && command.amount.minor < command.terms.price.minor;
  const body =
    isInPart && command.amount !== null
      ? { type: 'adjustment', amount: decimalOf(command.amount), currency: command.amount.currency }
      : { type: 'reversal' };
  const path = `/transactions/${encodeURIComponent(reference)}/reversals`;
  const price = command.amount ?? inquiry.terms.price;
  const asked = { ...inquiry, terms: { ...inquiry.terms, price } };
  const reply = await send(asked, act(wallet, 'POST', path, command.key, body));
  // Reversed before, under another key: the transaction itself says so.
  if (!isInPart && refusalOf(reply)?.code === 'incorrectState') return await confirmReversed(inquiry, reference);
  const outcome = await outcomeOfAct(asked, reply);
  if (isInPart || outcome.kind !== 'unknown' || outcome.cause !== 'mismatch') return outcome;
  // The rest after refunds in part, or less than what is owed: the transaction itself says which.
  const confirmed = await confirmReversed(inquiry, reference);
  return confirmed.kind === 'done' ? confirmed : outcome;
}

async function confirmReversed(inquiry: Inquiry, reference: string): Promise<Outcome> {
  const ref: GsmaRef = { kind: 'tx', id: reference, state: null };
  const found = await readSecured({ ...inquiry, verb: 'authorize' }, ref);
  if (found.kind === 'declined') return { kind: 'done', ref: inquiry.ref ?? '', holdExpiresInMs: null };
  return found.kind === 'done' ? declined('wallet_refused') : found.kind === 'unknown' ? found : unknown('status');
}

async function reverseHold(
  wallet: Wallet,
  inquiry: Inquiry,
  command: Command<'reverse'>,
  hold: GsmaRef,
): Promise<Outcome> {
  // A captured hold cannot be voided, and one key cannot be used for two acts: hence the look first.
  const found = await redeemer(inquiry, hold);
  if ('kind' in found) return found;
  if (found.by !== null) return await reverseTransaction(wallet, inquiry, command, found.by);
  if (command.amount !== null && command.amount.minor < command.terms.price.minor) return declined('request_rejected');
  const patch = [{ op: 'replace', path: '/codeState', value: 'cancelled' }];
  return await outcomeOfPatch(
    inquiry,
    await send(inquiry, act(wallet, 'PATCH', objectPath(command.terms, hold), command.key, patch)),
  );
}

async function reverse(wallet: Wallet, command: Command<'reverse'>): Promise<Outcome> {
  const inquiry = startInquiry(wallet, 'reverse', command.terms, command.ref, wallet.config.budgets.otherMs);
  if (command.ref !== null) {
    const ref = readRef(command.ref);
    assert(ref !== null, 'the reference is of this connector');
    return ref.kind === 'tx'
      ? await reverseTransaction(wallet, inquiry, command, ref.id)
      : await reverseHold(wallet, inquiry, command, ref);
  }
  if (wallet.config.capabilities.reverseByKey) {
    const metadata = [{ key: 'originalCorrelationId', value: command.authorizeKey }];
    const { debitParty: _payer, creditParty: operator, ...rest } = payBody(command.terms);
    const body = { ...rest, debitParty: operator, metadata };
    return await outcomeOfAct(
      inquiry,
      await send(inquiry, act(wallet, 'POST', '/transactions/type/reversal', command.key, body)),
    );
  }
  // Such a wallet is asked first what the key did; while that is open, so is the reversal.
  const found = await outcomeOfKey({ ...inquiry, verb: 'authorize' }, command.authorizeKey);
  if (found.kind === 'declined') return { kind: 'done', ref: '', holdExpiresInMs: null };
  if (found.kind === 'done' || found.kind === 'needs_validation')
    return await reverse(wallet, { ...command, ref: found.ref });
  return found.kind === 'unknown' ? found : unknown('status');
}

async function query(wallet: Wallet, question: Parameters<PaymentPort['query']>[0]): Promise<Outcome> {
  const inquiry = startInquiry(wallet, question.of, question.terms, question.ref, wallet.config.budgets.otherMs);
  const found = await outcomeOfKey(inquiry, question.key);
  // A refused reversal may have been refused because the money was back already.
  const ref = question.of === 'reverse' && question.ref !== null ? readRef(question.ref) : null;
  return found.kind === 'declined' && ref?.kind === 'tx' ? await confirmReversed(inquiry, ref.id) : found;
}

const UNKNOWN_CHECK: Check = { account: 'unknown', affordable: 'unknown', validation: 'unknown' };

function readCheck(accountStatus: string, subStatus: string): Check {
  const word = accountStatus.toLowerCase();
  const account = word === 'available' || word === 'unavailable' || word === 'unregistered' ? word : 'unknown';
  const [funds = '', ...marks] = subStatus.split(';');
  const isOurs = funds === 'affordable' || funds === 'insufficient' || funds === 'over_limit';
  const mark = /^validation=(pin|confirm|push)$/.exec(marks.find((text) => text.startsWith('validation=')) ?? '')?.[1];
  const validation = mark === 'pin' || mark === 'confirm' || mark === 'push' ? mark : isOurs ? 'none' : 'unknown';
  return { account, affordable: isOurs ? (funds === 'affordable' ? 'yes' : 'no') : 'unknown', validation };
}

async function check(wallet: Wallet, question: Parameters<PaymentPort['check']>[0]): Promise<Check> {
  const asked = `amount=${decimalOf(question.price)}&currency=${question.price.currency}`;
  const path = `${accountPath(question.payer)}/status${wallet.config.capabilities.affordability ? `?${asked}` : ''}`;
  const reply = await wallet.link.send({ method: 'GET', path, budgetMs: wallet.config.budgets.checkMs });
  if (reply.kind !== 'answer') return UNKNOWN_CHECK;
  if (reply.status === 404 && readError(reply.body)?.code === 'identifierError')
    return { ...UNKNOWN_CHECK, account: 'unregistered' };
  const parsed = reply.status === 200 ? accountStatusShape.safeParse(reply.body) : null;
  return parsed?.success === true ? readCheck(parsed.data.accountStatus, parsed.data.subStatus ?? '') : UNKNOWN_CHECK;
}

/** A connector for one wallet. No connection is made before the first call; `close` ends those that are open. */
export function createGsmaConnector(config: GsmaConnectorConfig, deps: { readonly clock: Clock }): GsmaConnector {
  const link = createWalletLink({
    baseUrl: config.baseUrl,
    connections: config.connections,
    connectMs: config.budgets.connectMs,
    clock: deps.clock,
    headers: {
      authorization: `Bearer ${config.token}`,
      'x-client-id': config.clientId,
      ...(config.apiKey === null ? {} : { 'x-api-key': config.apiKey }),
    },
  });
  const wallet: Wallet = { link, config, clock: deps.clock };
  return {
    name: config.id === 'centre' ? 'centre' : `gsma:${config.id}`,
    capabilities: config.capabilities,
    check: (question) => check(wallet, question),
    authorize: (command) => authorize(wallet, command),
    validate: (command) => validate(wallet, command),
    settle: (command) => settle(wallet, command),
    reverse: (command) => reverse(wallet, command),
    query: (question) => query(wallet, question),
    close: () => link.close(),
  };
}
