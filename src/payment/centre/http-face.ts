/**
 * What both faces of the centre have in common: bodies with a limit, errors without detail, a listening server.
 */

import { createHash, timingSafeEqual } from 'node:crypto';
import type { Server } from 'node:http';
import Koa from 'koa';
import rawBody from 'raw-body';
import type { Clock } from '../../time.ts';
import { BODY_LIMIT_BYTES, errorBody } from '../gsma-messages.ts';
import type { CentreLog } from './centre-config.ts';

/** Reads the body, at most 64 KiB; null when it is larger or breaks off. */
export async function readBody(ctx: Koa.Context): Promise<Buffer | null> {
  try {
    return await rawBody(ctx.req, { limit: BODY_LIMIT_BYTES, length: ctx.req.headers['content-length'] ?? null });
  } catch {
    return null;
  }
}

/** Compares a bearer token in constant time; both sides are hashed first, so that lengths do not show. */
export function isToken(header: string, token: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(header), digest(`Bearer ${token}`));
}

const DATABASE_AWAY = /^(ECONN|CONNECT|CONNECTION_|57P|08|53|ENOENT|ETIMEDOUT)/;

function isDatabaseAway(error: unknown): boolean {
  return error instanceof Error && 'code' in error && DATABASE_AWAY.test(String(error.code));
}

/** An application whose faults answer 503 (database away) or 500 (ours), are logged by route, and say nothing else. */
export function createFace(name: string, log: CentreLog): Koa {
  const app = new Koa();
  app.silent = true;
  app.use(async (ctx, next) => {
    try {
      await next();
    } catch (error) {
      const isAway = isDatabaseAway(error);
      // Never the URL: it carries the number. Nor the message of the driver, which may quote a row.
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'none';
      const stack = error instanceof Error ? error.stack?.split('\n').slice(1, 6).join(' <') : undefined;
      const route = String(ctx['_matchedRoute'] ?? '');
      log.error({ face: name, method: ctx.method, route, code, stack }, 'centre_fault');
      ctx.status = isAway ? 503 : 500;
      ctx.body = errorBody(isAway ? 'serviceUnavailable' : 'internal', 'genericError');
    }
  });
  return app;
}

/** A server that listens. `stop` ends kept connections too, after the answers under way. */
export type Listening = { readonly port: number; stop(): Promise<void> };

/** How long answers under way may take once the server is told to stop. */
const STOP_GRACE_MS = 3_000;

/** A request that has not come whole by then is cut off: the connector's whole budget is shorter. */
const REQUEST_TIMEOUT_MS = 15_000;

/** Starts to listen. @throws when the port is taken. */
export function listen(
  app: Koa,
  at: { readonly host: string; readonly port: number },
  clock: Clock,
): Promise<Listening> {
  return new Promise((resolve, reject) => {
    const server: Server = app.listen(at.port, at.host);
    server.requestTimeout = REQUEST_TIMEOUT_MS;
    server.once('error', reject);
    server.once('listening', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : at.port;
      resolve({ port, stop: () => stopServer(server, clock) });
    });
  });
}

function stopServer(server: Server, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(STOP_GRACE_MS, () => server.closeAllConnections());
    server.close(() => {
      cancel();
      resolve();
    });
    server.closeIdleConnections();
  });
}
