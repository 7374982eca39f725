/**
 * How the agent opens its socket, as a port, and its implementation by `ws`.
 */
import { WebSocket } from 'ws';
import { maxFrameBytes } from '../frame.ts';
import { subprotocol } from '../messages.ts';

/** Time for TCP, TLS and upgrade together. */
const handshakeMs = 10_000;

/** Where to, and as whom. `url`: `wss://host:port`, to which the machine's path is added. */
export type DialTarget = { readonly url: string; readonly machineId: string; readonly key: string };

/** What a socket reports. Its end is told once, by `onClosed` or `onRefused`. */
export type LinkEvents = {
  readonly onOpen: () => void;
  readonly onText: (text: string) => void;
  /** A ping or pong: the other side is there. */
  readonly onHeard: () => void;
  /** 1006 where there was no closing handshake, or no connection at all. */
  readonly onClosed: (code: number) => void;
  /** The upgrade was refused. */
  readonly onRefused: (status: number, retryAfterS: number | null) => void;
};

/** A socket on its way to the server. */
export type LinkSocket = {
  readonly send: (text: string) => void;
  /** Asks whether the other side is there; `onHeard` is its answer. */
  readonly ping: () => void;
  readonly close: (code: number) => void;
  readonly terminate: () => void;
};

/** Opens a socket. */
export type Dial = (target: DialTarget, events: LinkEvents) => LinkSocket;

/** Dials by WebSocket; the server's certificate is verified by Node's own rules. */
export const dialWebSocket: Dial = (target, events) => {
  const credential = Buffer.from(`${target.machineId}:${target.key}`).toString('base64');
  const socket = new WebSocket(`${target.url}/automaton/${target.machineId}`, subprotocol, {
    headers: { authorization: `Basic ${credential}` },
    perMessageDeflate: false,
    maxPayload: maxFrameBytes,
    handshakeTimeout: handshakeMs,
    followRedirects: false,
  });
  let isOver = false;
  const end = (report: () => void): void => {
    if (isOver) return;
    isOver = true;
    report();
  };
  socket.on('open', events.onOpen);
  socket.on('ping', events.onHeard);
  socket.on('pong', events.onHeard);
  socket.on('message', (raw, isBinary) => {
    if (isBinary || !Buffer.isBuffer(raw)) socket.close(1003);
    else events.onText(raw.toString('utf8'));
  });
  socket.on('unexpected-response', (request, response) => {
    const retryAfter = Number.parseInt(response.headers['retry-after'] ?? '', 10);
    request.destroy();
    end(() => events.onRefused(response.statusCode ?? 0, Number.isNaN(retryAfter) ? null : retryAfter));
  });
  // An error is always followed by `close`, except where the upgrade itself was refused.
  socket.on('error', () => undefined);
  socket.on('close', (code) => end(() => events.onClosed(code)));
  return {
    send: (text) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(text);
    },
    ping: () => {
      if (socket.readyState === WebSocket.OPEN) socket.ping();
    },
    close: (code) => socket.close(code),
    terminate: () => socket.terminate(),
  };
};
