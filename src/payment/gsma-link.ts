/**
 * One HTTP exchange with a wallet: sent once, never again, never redirected, bounded in time and size. It tells what is
 * provable: an answer, no byte sent, or nothing at all.
 */
import { createHash } from 'node:crypto';
import { errors, Pool } from 'undici';
import type { Clock, DurationMs } from '../time.ts';
import { BODY_LIMIT_BYTES, GSMA_PATH } from './gsma-messages.ts';

/** One call. `path` lies under the base and may hold a number, so it is never logged. */
export type Exchange = {
  readonly method: 'GET' | 'POST' | 'PATCH';
  readonly path: string;
  readonly budgetMs: DurationMs;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
};

/** What an exchange proves. `body` undefined: the answer was no JSON. `atMs`: the wallet's own `X-Date`, or null. */
export type Reply =
  | { readonly kind: 'answer'; readonly status: number; readonly body: unknown; readonly atMs: number | null }
  | { readonly kind: 'not_sent' }
  | { readonly kind: 'lost'; readonly cause: 'timeout' | 'connection' | 'shape' };

/** The pool of one wallet. */
export interface WalletLink {
  send(exchange: Exchange): Promise<Reply>;
  /** The same below the origin instead of the interface's base: for the key of the PINs. */
  sendToOrigin(exchange: Exchange): Promise<Reply>;
  close(): Promise<void>;
}

/** What the link needs to know. */
export type LinkOptions = {
  readonly baseUrl: string;
  readonly connections: number;
  readonly connectMs: DurationMs;
  readonly headers: Readonly<Record<string, string>>;
  readonly clock: Clock;
};

// Only what can happen before the first byte of a request: anything else may have reached the wallet.
const NOT_SENT_SYSCALLS = new Set(['connect', 'getaddrinfo']);
const CERTIFICATE_FAULTS = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

function readText(value: unknown, name: string): string {
  const found: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
  return typeof found === 'string' ? found : '';
}

function readFailure(error: unknown, isOutOfTime: boolean): Reply {
  if (error instanceof errors.ConnectTimeoutError) return { kind: 'not_sent' };
  // A host with several addresses fails with one error for each of them.
  const causes: readonly unknown[] = error instanceof AggregateError ? error.errors : [error];
  const isUnsent = causes.every(
    (cause) => NOT_SENT_SYSCALLS.has(readText(cause, 'syscall')) || CERTIFICATE_FAULTS.has(readText(cause, 'code')),
  );
  if (isUnsent && causes.length > 0) return { kind: 'not_sent' };
  if (isOutOfTime) return { kind: 'lost', cause: 'timeout' };
  if (error instanceof errors.ResponseExceededMaxSizeError) return { kind: 'lost', cause: 'shape' };
  const isSlow = error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError;
  return { kind: 'lost', cause: isSlow ? 'timeout' : 'connection' };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readDate(header: string | string[] | undefined): number | null {
  const at = typeof header === 'string' ? Date.parse(header) : Number.NaN;
  return Number.isNaN(at) ? null : at;
}

/** Opens a pool; no connection is made before the first call. */
export function createWalletLink(options: LinkOptions): WalletLink {
  const base = new URL(options.baseUrl);
  const prefix = base.pathname.replace(/\/$/, '');
  const pool = new Pool(base.origin, {
    connections: options.connections,
    pipelining: 1,
    connect: { timeout: options.connectMs },
    maxResponseSize: BODY_LIMIT_BYTES,
    keepAliveTimeout: 4_000,
    // The budget below bounds each exchange; these would only end it under another name.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const exchange = async (path: string, { method, budgetMs, body, headers }: Exchange): Promise<Reply> => {
    const out = new AbortController();
    const cancel = options.clock.after(budgetMs, () => out.abort());
    const text = body === undefined ? undefined : JSON.stringify(body);
    const bodyHeaders =
      text === undefined
        ? {}
        : { 'content-type': 'application/json', 'x-content-hash': createHash('sha256').update(text).digest('hex') };
    try {
      const answer = await pool.request({
        method,
        path,
        body: text ?? null,
        signal: out.signal,
        headers: { accept: 'application/json', ...options.headers, ...bodyHeaders, ...headers },
      });
      const content = await answer.body.text();
      return {
        kind: 'answer',
        status: answer.statusCode,
        body: content === '' ? undefined : parseJson(content),
        atMs: readDate(answer.headers['x-date']),
      };
    } catch (error) {
      return readFailure(error, out.signal.aborted);
    } finally {
      cancel();
    }
  };
  return {
    send: (call) => exchange(`${prefix}${GSMA_PATH}${call.path}`, call),
    sendToOrigin: (call) => exchange(`${prefix}${call.path}`, call),
    close: () => pool.close(),
  };
}
