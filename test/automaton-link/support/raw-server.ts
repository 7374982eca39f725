/**
 * A server that answers exactly as a test tells it to, over real WebSockets.
 */
import { createServer, type Server } from 'node:http';
import { type WebSocket, WebSocketServer } from 'ws';
import { until } from './link-world.ts';
import { type RawFrame, readFrame, recordOf } from './raw-machine.ts';

/** Answer to a call: a result, an error code with its details, or silence. */
export type RawReply = { readonly result: unknown } | { readonly error: string; readonly details?: object } | 'silence';

const greeting = {
  serverTime: '2026-06-01T12:00:00Z',
  machineNumber: '4567',
  seqFloor: 0,
  suspended: false,
  pingMs: 20_000,
  idlePingMs: 120_000,
  heartbeatMs: 300_000,
  cutoffMs: 20_000,
  configRev: 0,
};

/** The raw server. */
export class RawServer {
  readonly http: Server = createServer();
  readonly calls: RawFrame[] = [];
  readonly answers: RawFrame[] = [];
  readonly closeCodes: number[] = [];
  /** How often a machine has come. */
  connections = 0;
  url = '';
  socket: WebSocket | null = null;
  /** Answers by action; what is not here is answered well. */
  readonly replies = new Map<string, RawReply>();
  #count = 0;
  readonly #sockets = new WebSocketServer({ server: this.http, handleProtocols: () => 'relais.vend.v1' });

  async open(): Promise<this> {
    this.#sockets.on('connection', (socket) => {
      this.connections += 1;
      this.socket = socket;
      socket.on('message', (raw) => {
        if (Buffer.isBuffer(raw)) this.#take(socket, readFrame(raw));
      });
      socket.on('close', (code) => this.closeCodes.push(code));
    });
    await new Promise<void>((resolve) => this.http.listen(0, '127.0.0.1', resolve));
    const address = this.http.address();
    if (address !== null && typeof address !== 'string') this.url = `ws://127.0.0.1:${address.port}`;
    return this;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
  }

  /** Contents of the calls of one action, in order. */
  contents(action: string): Readonly<Record<string, unknown>>[] {
    return this.calls.filter(([, , name]) => name === action).map(([, , , content]) => recordOf(content));
  }

  async called(action: string, times = 1): Promise<Readonly<Record<string, unknown>>> {
    await until(`${action} ${times}`, () => this.contents(action).length >= times);
    return this.contents(action)[times - 1] ?? {};
  }

  /** Calls the machine and waits for its answer. */
  async call(action: string, content: unknown): Promise<RawFrame> {
    const msgId = this.say(action, content);
    await until(`answer to ${action}`, () => this.answers.some(([, id]) => id === msgId));
    return this.answers.find(([, id]) => id === msgId) ?? [];
  }

  /** Calls the machine; the msgId. */
  say(action: string, content: unknown): string {
    this.#count += 1;
    const msgId = `s${this.#count}`;
    this.socket?.send(JSON.stringify([2, msgId, action, content]));
    return msgId;
  }

  #take(socket: WebSocket, frame: RawFrame): void {
    if (frame[0] !== 2) {
      this.answers.push(frame);
      return;
    }
    this.calls.push(frame);
    const [, msgId, action, content] = frame;
    const reply = this.replies.get(String(action)) ?? goodReply(String(action), recordOf(content));
    if (reply === 'silence') return;
    if ('result' in reply) socket.send(JSON.stringify([3, msgId, reply.result]));
    else socket.send(JSON.stringify([4, msgId, reply.error, '', { code: reply.error, ...reply.details }]));
  }
}

function goodReply(action: string, content: Readonly<Record<string, unknown>>): RawReply {
  switch (action) {
    case 'hello':
      return { result: greeting };
    case 'vend.request':
      return {
        result: {
          status: 'waiting',
          orderId: 'O1',
          amount: content['amount'] ?? 500,
          currency: 'XOF',
          payBeforeMs: 1,
          text: '*123*4567#',
        },
      };
    case 'vend.cancel':
      return { result: { status: 'canceled' } };
    default:
      return { result: {} };
  }
}

/** `hello` answered with another floor. */
export function floorReply(seqFloor: number): RawReply {
  return { result: { ...greeting, seqFloor } };
}
