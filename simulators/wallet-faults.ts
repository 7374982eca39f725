/**
 * A relay between a relation server and a wallet that can misbehave: named faults, switched while it runs, over real
 * sockets. It counts what reaches the wallet, so that a test can tell one debit from two.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { request as forward } from 'undici';
import type { Clock, DurationMs } from '../src/time.ts';

/**
 * What goes wrong. `silent`: forwarded, never answered. `lost_request`: neither. `slow`: answered late. `reset`: the
 * connection breaks after the request was forwarded. `status_5xx`: before or after the wallet has acted. `double`: the
 * wallet gets the request twice, one after the other, and the second answer goes back. `nonsense`: forwarded, answered
 * with something else than JSON. `refuse_connection` is `close()` and `reopen()`.
 */
export type WalletFault =
  | { readonly kind: 'none' }
  | { readonly kind: 'silent' }
  | { readonly kind: 'lost_request' }
  | { readonly kind: 'slow'; readonly ms: DurationMs }
  | { readonly kind: 'reset' }
  | { readonly kind: 'status_5xx'; readonly when: 'before' | 'after' }
  | { readonly kind: 'double' }
  | { readonly kind: 'nonsense' };

/** One request that reached the relay. `key`: X-CorrelationID; `forwarded`: how often the wallet got it. */
export type WalletCall = {
  readonly method: string;
  /** The path with numbers and references replaced, e.g. `/transactions/:id/reversals`. */
  readonly route: string;
  readonly key: string | null;
  /** A merchant payment that redeems a hold: the capture, not an authorization of its own. */
  readonly isCapture: boolean;
  /** The state that a PATCH asks for: `cancelled`, `active`, `validated`, `settled`. */
  readonly asksFor: string | null;
  readonly forwarded: number;
};

/** A running relay. */
export interface WalletFaults {
  readonly url: string;
  /** Switches the fault for all requests that come from now on, or only for those that `matches`. */
  set(fault: WalletFault, matches?: (call: WalletCall) => boolean): void;
  /** Everything that has come so far, in order. */
  calls(): readonly WalletCall[];
  /** Resolves once nothing is on its way to the wallet any more, answered here or not. */
  quiet(): Promise<void>;
  /** The port refuses connections until `reopen`. */
  close(): Promise<void>;
  reopen(): Promise<void>;
  stop(): Promise<void>;
}

const BODY_LIMIT_BYTES = 65_536;
const HOP_HEADERS = new Set(['host', 'connection', 'content-length', 'transfer-encoding', 'keep-alive']);

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    // A request without an encoding gives bytes; the type of the stream does not say so.
    const bytes: Buffer = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
    length += bytes.length;
    if (length > BODY_LIMIT_BYTES) throw new Error('body too large');
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

function routeOf(url: string): string {
  const path = (url.split('?')[0] ?? '').replace(/^\/1\.2\.0\/mm/, '');
  return path
    .replace(/\/(\+|%2B)?\d{8,15}(?=\/|$)/gi, '/:number')
    .replace(/\/[0-9a-f]{8}-[0-9a-f-]{27}(?=\/|$)/gi, '/:id');
}

type Answer = { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: Buffer };

async function pass(target: string, request: IncomingMessage, body: Buffer): Promise<Answer> {
  const headers = Object.fromEntries(
    Object.entries(request.headers).flatMap(([name, value]) =>
      typeof value === 'string' && !HOP_HEADERS.has(name) ? [[name, value]] : [],
    ),
  );
  const method = request.method === 'POST' || request.method === 'PATCH' ? request.method : 'GET';
  const answer = await forward(`${target}${request.url ?? '/'}`, {
    method,
    headers,
    body: body.length === 0 ? null : body,
  });
  const back = Object.fromEntries(
    Object.entries(answer.headers).flatMap(([name, value]) =>
      typeof value === 'string' && !HOP_HEADERS.has(name) ? [[name, value]] : [],
    ),
  );
  return { status: answer.statusCode, headers: back, body: Buffer.from(await answer.body.arrayBuffer()) };
}

function reply(response: ServerResponse, answer: Answer): void {
  response.writeHead(answer.status, {
    ...answer.headers,
    ...(answer.status === 204 ? {} : { 'content-length': String(answer.body.length) }),
  });
  response.end(answer.status === 204 ? undefined : answer.body);
}

const failure: Answer = { status: 500, headers: { 'content-type': 'text/plain' }, body: Buffer.from('out of order') };
const nonsense: Answer = { status: 201, headers: { 'content-type': 'text/html' }, body: Buffer.from('<p>welcome</p>') };

/** Carries a fault out. Returns the answer; null where there is none: the request then hangs, or was cut off. */
async function misbehave(
  fault: WalletFault,
  passOn: () => Promise<Answer>,
  cut: () => void,
  wait: (ms: DurationMs) => Promise<void>,
): Promise<Answer | null> {
  switch (fault.kind) {
    case 'none':
      return await passOn();
    case 'silent':
      await passOn();
      return null;
    case 'lost_request':
      return null;
    case 'slow':
      await wait(fault.ms);
      return await passOn();
    case 'reset':
      await passOn();
      cut();
      return null;
    case 'status_5xx':
      if (fault.when === 'after') await passOn();
      return failure;
    case 'double':
      await passOn();
      return await passOn();
    case 'nonsense':
      await passOn();
      return nonsense;
  }
}

type Served = { readonly server: Server; readonly sockets: Set<Socket> };

function listenOn(
  port: number,
  onRequest: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<Served & { readonly port: number }> {
  return new Promise((resolve, reject) => {
    const server = createServer(onRequest);
    const sockets = new Set<Socket>();
    server.on('connection', (socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      resolve({ server, sockets, port: typeof address === 'object' && address !== null ? address.port : port });
    });
  });
}

function shut({ server, sockets }: Served): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    for (const socket of sockets) socket.destroy();
  });
}

/** Starts a relay in front of the wallet at `target` (scheme, host and port), well-behaved at first. */
export async function startWalletFaults(options: {
  readonly target: string;
  readonly clock: Clock;
  /** Told of each request as it comes. */
  readonly onCall?: (call: WalletCall) => void;
}): Promise<WalletFaults> {
  const { target } = options;
  let fault: WalletFault = { kind: 'none' };
  let matches: (call: WalletCall) => boolean = () => true;
  const calls: (WalletCall & { forwarded: number })[] = [];
  const underway = new Set<Promise<Answer>>();
  const wait = (ms: DurationMs): Promise<void> => new Promise((resolve) => options.clock.after(ms, resolve));

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await readAll(request);
    const key = request.headers['x-correlationid'];
    const call = {
      method: request.method ?? '',
      route: routeOf(request.url ?? ''),
      key: typeof key === 'string' ? key : null,
      isCapture: body.includes('"oneTimeCode"'),
      asksFor: /"value":\s*"(\w+)"/.exec(request.method === 'PATCH' ? body.toString('utf8') : '')?.[1] ?? null,
      forwarded: 0,
    };
    calls.push(call);
    options.onCall?.(call);
    const passOn = (): Promise<Answer> => {
      call.forwarded += 1;
      const passing = pass(target, request, body).finally(() => underway.delete(passing));
      underway.add(passing);
      return passing;
    };
    const chosen: WalletFault = matches(call) ? fault : { kind: 'none' };
    const answer = await misbehave(chosen, passOn, () => request.socket.destroy(), wait);
    if (answer !== null && !response.destroyed) reply(response, answer);
  };
  // The wallet behind is gone: what a broken connection looks like from in front.
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    serve(request, response).catch(() => request.socket.destroy());
  };
  let open: (Served & { readonly port: number }) | null = await listenOn(0, onRequest);
  const { port } = open;
  const close = async (): Promise<void> => {
    const closing = open;
    open = null;
    if (closing !== null) await shut(closing);
  };
  return {
    url: `http://127.0.0.1:${port}`,
    set: (next, only = () => true) => {
      fault = next;
      matches = only;
    },
    calls: () => calls.map((call) => ({ ...call })),
    quiet: async () => {
      await Promise.allSettled(underway);
    },
    close,
    reopen: async () => {
      open ??= await listenOn(port, onRequest);
    },
    stop: close,
  };
}
