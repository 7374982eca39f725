/**
 * What the answers of a GSMA wallet mean, and the reads that settle what an answer leaves open. Reads never move money
 * and are never taken for a refusal: whatever is wrong with a read leaves its question open.
 */
import type { Outcome, Terms, WalletRef } from '../purchase/payment-port.ts';
import type { DurationMs } from '../time.ts';
import type { GsmaConnectorConfig } from './gsma-config.ts';
import type { Exchange, Reply, WalletLink } from './gsma-link.ts';
import {
  codeShape,
  GSMA_PATH,
  linkShape,
  type RequestStateAnswer,
  readError,
  requestStateShape,
  transactionShape,
  valueOf,
  type WalletError,
} from './gsma-messages.ts';
import {
  declined,
  errorOfState,
  isOtherSum,
  isOtherTransaction,
  outcomeOfCode,
  outcomeOfError,
  readStatus,
  triesLeftOf,
  unknown,
  type Verb,
} from './gsma-outcome.ts';
import { type GsmaRef, readRef, writeRef } from './gsma-ref.ts';

/** One verb under way: what it is about, and how much of its budget is left. */
export type Inquiry = {
  readonly verb: Verb;
  readonly terms: Terms;
  /** The reference the caller gave, or null. */
  readonly ref: WalletRef | null;
  readonly leftMs: () => DurationMs;
  readonly link: WalletLink;
  readonly config: GsmaConnectorConfig;
};

/** Interval that the caller may poll at, while the wallet names none. */
const POLL_AFTER_MS = 500;
/** Supposed life of a request whose wallet gives no times. */
const UNSTATED_EXPIRY_MS = 30_000;

/** The path of an account that a number names. */
export function accountPath(msisdn: string): string {
  return `/accounts/msisdn/${encodeURIComponent(`+${msisdn}`)}`;
}

/** Sends a read within what is left of the budget. */
function get(inquiry: Inquiry, path: string): Promise<Reply> {
  return inquiry.link.send({ method: 'GET', path, budgetMs: Math.max(inquiry.leftMs(), 1) });
}

/** Sends an act within what is left of the budget. */
export function send(inquiry: Inquiry, exchange: Omit<Exchange, 'budgetMs'>): Promise<Reply> {
  return inquiry.link.send({ ...exchange, budgetMs: Math.max(inquiry.leftMs(), 1) });
}

function isRefusal(status: number): boolean {
  return status >= 400 && status < 500;
}

/** 4xx that speak of the exchange or of another request under the same key, not of this act: whatever they carry, open. */
const NO_VERDICT = new Set([408, 409, 423, 425, 429]);

/** The error object of a 4xx answer; null for anything else. */
export function refusalOf(reply: Reply): WalletError | null {
  return reply.kind === 'answer' && isRefusal(reply.status) ? readError(reply.body) : null;
}

/** What an answer to an act means that is neither the object nor a request state. */
function openOf(reply: Reply): Outcome {
  if (reply.kind === 'not_sent') return { kind: 'not_found' };
  return unknown(reply.kind === 'lost' ? reply.cause : 'status');
}

/** Of a read: an outcome that decides nothing. */
function unread(reply: Reply): Outcome {
  if (reply.kind === 'not_sent') return unknown('connection');
  return unknown(reply.kind === 'lost' ? reply.cause : 'status');
}

/** The answer to a POST as an outcome. */
export async function outcomeOfAct(inquiry: Inquiry, reply: Reply): Promise<Outcome> {
  if (reply.kind !== 'answer') return openOf(reply);
  if (reply.status === 201) return outcomeOfObject(inquiry, reply);
  if (reply.status === 202) return await outcomeOfState(inquiry, reply);
  const error = NO_VERDICT.has(reply.status) ? null : refusalOf(reply);
  if (error === null) return unknown('status');
  return (await askAgain(inquiry, error)) ?? outcomeOfError(error, inquiry.verb, 'answer');
}

/** The answer to a PATCH: the same, and 204 means that it is done. A POST without its object proves nothing. */
export async function outcomeOfPatch(inquiry: Inquiry, reply: Reply): Promise<Outcome> {
  const isDone = reply.kind === 'answer' && reply.status === 204;
  return isDone ? { kind: 'done', ref: inquiry.ref ?? '', holdExpiresInMs: null } : await outcomeOfAct(inquiry, reply);
}

/** A transaction or a code, as far as it concerns the verb. */
function outcomeOfObject(inquiry: Inquiry, reply: Reply): Outcome {
  if (reply.kind !== 'answer') return openOf(reply);
  if (inquiry.verb === 'reverse') return outcomeOfReversal(inquiry, reply.body);
  const code = codeShape.safeParse(reply.body);
  // A hold that still stands is no capture of it.
  if (code.success && inquiry.verb !== 'settle') {
    const ref = writeRef({ kind: 'code', id: code.data.authorisationCode, state: null });
    return outcomeOfCode(code.data, inquiry.terms, ref, reply.atMs);
  }
  const transaction = transactionShape.safeParse(reply.body);
  if (!transaction.success) return unknown('shape');
  if (isOtherTransaction(transaction.data, inquiry.terms)) return unknown('mismatch');
  const made = writeRef({ kind: 'tx', id: transaction.data.transactionReference, state: null });
  // After a capture the hold stays the purchase's reference: its code tells by whom it was redeemed.
  const ref = inquiry.verb === 'settle' ? (inquiry.ref ?? made) : made;
  switch (readStatus(transaction.data.transactionStatus)) {
    case 'completed':
      return { kind: 'done', ref, holdExpiresInMs: null };
    case 'pending':
      return { kind: 'pending', ref, pollAfterMs: POLL_AFTER_MS, expiresInMs: null };
    // Given back already: nothing of it is with the operator, and under this key nothing ever will be.
    case 'reversed':
    case 'failed':
      return inquiry.verb === 'settle' ? declined('hold_gone') : declined('wallet_refused');
    case null:
      return unknown('shape');
  }
}

function outcomeOfReversal(inquiry: Inquiry, body: unknown): Outcome {
  const reversal = transactionShape.safeParse(body);
  if (!reversal.success) return unknown('shape');
  const { type, originalTransactionReference: original, transactionStatus, transactionReference } = reversal.data;
  const ours = inquiry.ref === null ? null : readRef(inquiry.ref);
  const isOther = ours?.kind === 'tx' && typeof original === 'string' && original !== '' && original !== ours.id;
  if (isOther || (typeof type === 'string' && type !== 'reversal' && type !== 'adjustment')) return unknown('mismatch');
  if (isOtherSum(reversal.data, inquiry.terms)) return unknown('mismatch');
  const ref = writeRef({ kind: 'tx', id: transactionReference, state: null });
  switch (readStatus(transactionStatus)) {
    case 'completed':
      return { kind: 'done', ref, holdExpiresInMs: null };
    case 'pending':
      return { kind: 'pending', ref, pollAfterMs: POLL_AFTER_MS, expiresInMs: null };
    case 'failed':
      return declined('wallet_refused');
    case 'reversed':
    case null:
      return unknown('shape');
  }
}

function waitingRef(inquiry: Inquiry, state: RequestStateAnswer): GsmaRef | null {
  if (typeof state.objectReference !== 'string' || state.objectReference === '') return null;
  const kind = inquiry.terms.plan === 'hold_capture' ? 'code' : 'tx';
  return { kind, id: state.objectReference, state: state.serverCorrelationId };
}

function expiresIn(state: RequestStateAnswer, atMs: number | null): DurationMs | null {
  const at = Date.parse(state.expiryTime ?? '');
  return Number.isNaN(at) || atMs === null ? null : at - atMs;
}

function outcomeOfPending(inquiry: Inquiry, state: RequestStateAnswer, atMs: number | null): Outcome {
  const made = waitingRef(inquiry, state);
  const isOfAuthorize = inquiry.verb === 'authorize';
  const ref = isOfAuthorize && made !== null ? writeRef(made) : inquiry.ref;
  const leftMs = expiresIn(state, atMs);
  const by =
    /^validation:(pin|confirm)$/.exec(state.pendingReason ?? '')?.[1] ??
    (inquiry.config.capabilities.validation.includes('push') ? 'push' : null);
  if (isOfAuthorize && ref !== null && (by === 'pin' || by === 'confirm' || by === 'push')) {
    return {
      kind: 'needs_validation',
      ref,
      by,
      triesLeft: null,
      expiresInMs: Math.max(leftMs ?? UNSTATED_EXPIRY_MS, 0),
    };
  }
  return {
    kind: 'pending',
    ref,
    pollAfterMs: POLL_AFTER_MS,
    expiresInMs: leftMs === null ? null : Math.max(leftMs, 0),
  };
}

/** A request state as an outcome; reads the object once the state says that it is there. */
async function outcomeOfState(inquiry: Inquiry, reply: Reply): Promise<Outcome> {
  if (reply.kind !== 'answer') return unread(reply);
  const parsed = requestStateShape.safeParse(reply.body);
  if (!parsed.success) return unknown('shape');
  const state = parsed.data;
  switch (readStatus(state.status)) {
    case 'pending':
      return outcomeOfPending(inquiry, state, reply.atMs);
    case 'completed':
      return await outcomeOfCompleted(inquiry, state);
    case 'failed': {
      const error = errorOfState(state);
      if (error !== null) return (await askAgain(inquiry, error)) ?? outcomeOfError(error, inquiry.verb, 'state');
      const leftMs = expiresIn(state, reply.atMs);
      return declined(leftMs !== null && leftMs <= 0 ? 'payer_silent' : 'wallet_refused');
    }
    case 'reversed':
    case null:
      return unknown('shape');
  }
}

async function outcomeOfCompleted(inquiry: Inquiry, state: RequestStateAnswer): Promise<Outcome> {
  if (inquiry.verb === 'settle' || inquiry.verb === 'reverse')
    return { kind: 'done', ref: inquiry.ref ?? '', holdExpiresInMs: null };
  const made = inquiry.verb === 'validate' && inquiry.ref !== null ? readRef(inquiry.ref) : waitingRef(inquiry, state);
  return made === null ? unknown('shape') : await readSecured(inquiry, made);
}

/** Reads the object that secures the price. A 404 decides nothing here: a hold is not shown before it is validated. */
export async function readSecured(inquiry: Inquiry, ref: GsmaRef): Promise<Outcome> {
  const reply = await get(inquiry, objectPath(inquiry.terms, ref));
  if (reply.kind !== 'answer' || reply.status !== 200) return unread(reply);
  return outcomeOfObject(inquiry, reply);
}

/**
 * A refused answer of the payer ends the payment only once the wallet's own request has failed: an earlier answer, whose
 * own answer was lost, may have secured the price, and a request that still waits may yet do so.
 */
export async function confirmRefused(
  inquiry: Inquiry,
  ref: GsmaRef,
  refused: Extract<Outcome, { kind: 'declined' }>,
): Promise<Outcome> {
  const path = ref.state === null ? null : `/requeststates/${encodeURIComponent(ref.state)}`;
  const reply = path === null ? null : await get(inquiry, path);
  const isState = reply?.kind === 'answer' && reply.status === 200;
  const found = isState
    ? await outcomeOfState({ ...inquiry, verb: 'authorize' }, reply)
    : await readSecured({ ...inquiry, verb: 'authorize' }, ref);
  if (found.kind === 'declined') return refused;
  return found.kind === 'done' || found.kind === 'unknown' ? found : unknown('status');
}

/** Path of the object that a reference names. */
export function objectPath(terms: Terms, ref: GsmaRef): string {
  const id = encodeURIComponent(ref.id);
  return ref.kind === 'tx' ? `/transactions/${id}` : `${accountPath(terms.payer)}/authorisationcodes/${id}`;
}

/** A wrong answer of the payer with tries left: not the end; null for any other error. */
async function askAgain(inquiry: Inquiry, error: WalletError): Promise<Outcome | null> {
  const triesLeft = triesLeftOf(error);
  if (triesLeft === null || inquiry.ref === null || inquiry.verb !== 'validate') return null;
  const open = readRef(inquiry.ref)?.state ?? null;
  const reply = open === null ? null : await get(inquiry, `/requeststates/${encodeURIComponent(open)}`);
  const parsed = reply?.kind === 'answer' ? requestStateShape.safeParse(reply.body) : null;
  const leftMs = parsed?.success === true && reply?.kind === 'answer' ? expiresIn(parsed.data, reply.atMs) : null;
  return {
    kind: 'needs_validation',
    ref: inquiry.ref,
    by: 'pin',
    triesLeft,
    expiresInMs: Math.max(leftMs ?? UNSTATED_EXPIRY_MS, 0),
  };
}

/**
 * What became of a key. 404 with an error object: never seen. Any other fault, also a connection that could not be made,
 * leaves the question open.
 */
export async function outcomeOfKey(inquiry: Inquiry, key: string): Promise<Outcome> {
  const reply = await get(inquiry, `/responses/${key}`);
  if (reply.kind !== 'answer') return unread(reply);
  if (reply.status === 404 && readError(reply.body) !== null) return { kind: 'not_found' };
  const parsed = reply.status === 200 ? linkShape.safeParse(reply.body) : null;
  if (parsed === null) return unknown('status');
  const path = parsed.success ? readLink(parsed.data.link, inquiry.config.baseUrl) : null;
  if (path === null) return unknown('shape');
  const object = await get(inquiry, path);
  if (object.kind !== 'answer' || object.status !== 200) return unread(object);
  return path.startsWith('/requeststates/') ? await outcomeOfState(inquiry, object) : outcomeOfObject(inquiry, object);
}

// A link is a path of the configured origin and nothing else: no address that comes in an answer is ever dialed.
function readLink(link: string, baseUrl: string): string | null {
  const base = new URL(baseUrl);
  const target = URL.canParse(link, base.href) ? new URL(link, base.href) : null;
  if (target === null || target.origin !== base.origin || target.search !== '') return null;
  const at = target.pathname.indexOf(GSMA_PATH);
  const path = at < 0 ? target.pathname : target.pathname.slice(at + GSMA_PATH.length);
  return /^\/(transactions|accounts|requeststates)\//.test(path) ? path : null;
}

/** The transaction that redeemed a hold, by its code, null when none did; or an outcome when the code cannot be read. */
export async function redeemer(inquiry: Inquiry, hold: GsmaRef): Promise<{ readonly by: string | null } | Outcome> {
  const reply = await get(inquiry, objectPath(inquiry.terms, hold));
  if (reply.kind !== 'answer') return openOf(reply);
  // Not shown: it still waits for the payer's PIN, and is stopped by the same PATCH.
  if (reply.status === 404 && readError(reply.body) !== null) return { by: null };
  const code = reply.status === 200 ? codeShape.safeParse(reply.body) : null;
  if (code === null || !code.success) return unknown('status');
  return { by: valueOf(code.data.metadata, 'redeemedBy') ?? null };
}
