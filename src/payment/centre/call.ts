/**
 * One request of a relation server, read and authenticated: what every route begins with.
 */
import { createHash } from 'node:crypto';
import type { Context } from 'koa';
import { type ErrorBody, EXPIRES_KEY, errorBody } from '../gsma-messages.ts';
import { isToken, readBody } from './http-face.ts';
import type { Answer, Keyed } from './ledger.ts';
import { isUuid } from './objects.ts';

/** A POST or PATCH that may be judged: who asks, under which key, and what. `body` undefined: no JSON. */
export type Call = { readonly keyed: Keyed; readonly body: unknown; readonly credential: string | null };

/** Who may ask. */
export type Client = { readonly id: string; readonly token: string; readonly mayReadBalances: boolean };

/** A refusal at the door: nothing is stored under any key. */
export type Rejection = { readonly status: 400 | 401; readonly error: ErrorBody };

/** The client whose token this is, or null. */
export function authenticate(ctx: Context, clients: readonly Client[]): string | null {
  const header = ctx.get('authorization');
  // Every token is compared, so that the time taken does not tell which client came close.
  const matching = clients.filter((client) => isToken(header, client.token));
  const id = matching[0]?.id ?? null;
  const claimed = ctx.get('x-client-id');
  return claimed === '' || claimed === id ? id : null;
}

/** Reads key and body. Order of the checks: section 3, tightening 4. */
export async function readCall(ctx: Context, client: string): Promise<Call | Rejection> {
  const key = ctx.get('x-correlationid');
  if (key === '')
    return { status: 400, error: errorBody('validation', 'mandatoryValueNotSupplied', { header: 'X-CorrelationID' }) };
  if (!isUuid(key))
    return { status: 400, error: errorBody('validation', 'formatError', { header: 'X-CorrelationID' }) };
  const bytes = await readBody(ctx);
  if (bytes === null) return { status: 400, error: errorBody('validation', 'lengthError') };
  const digest = ctx.get('x-content-hash');
  if (digest !== '' && digest.toLowerCase() !== createHash('sha256').update(bytes).digest('hex')) {
    return { status: 400, error: errorBody('validation', 'formatError', { header: 'X-Content-Hash' }) };
  }
  const body = parseJson(bytes);
  const credential = ctx.get('x-user-credential-1');
  return {
    keyed: {
      client,
      key: key.toLowerCase(),
      hash: hashOf(ctx.method, ctx.path, body === undefined ? bytes.toString('base64') : canonical(body)),
    },
    body,
    credential: credential === '' ? null : credential,
  };
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

function hashOf(method: string, path: string, body: string): Buffer {
  return createHash('sha256').update(`${method}\n${path}\n${body}`).digest();
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

// Dates and the remaining time differ from one transmission to the next and are no part of what is asked.
function canonical(value: unknown): string {
  if (Array.isArray(value)) {
    return `[${value
      .filter((item) => !isObject(item) || item['key'] !== EXPIRES_KEY)
      .map(canonical)
      .join(',')}]`;
  }
  if (!isObject(value)) return JSON.stringify(value);
  const entries = Object.entries(value).filter(([name]) => name !== 'requestDate');
  entries.sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${entries.map(([name, item]) => `${JSON.stringify(name)}:${canonical(item)}`).join(',')}}`;
}

/** Sends an error that is not stored. */
export function sendError(ctx: Context, status: 400 | 401 | 404 | 503, error: ErrorBody): void {
  ctx.status = status;
  ctx.body = error;
}

/** True for an answer that has no body of its own to be read: refusals, done changes, and checks still running. */
export function sendPlainAnswer(ctx: Context, answer: Answer): boolean {
  if (answer.isReplayed) ctx.set('X-Relais-Replayed', 'true');
  if (answer.status === null) sendError(ctx, 503, errorBody('serviceUnavailable', 'genericError'));
  else if (answer.status === 400) sendError(ctx, 400, answer.error ?? errorBody('businessRule', 'genericError'));
  else if (answer.status === 204) ctx.status = 204;
  else return false;
  return true;
}
