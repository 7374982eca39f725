/**
 * The socket of one machine as the server uses it, as a port, and its implementation by `ws`.
 */
import type { WebSocket } from 'ws';

/** What a socket reports. */
export type SocketEvents = {
  readonly onText: (text: string) => void;
  /** A message that is no text: the link has none. */
  readonly onBinary: () => void;
  readonly onPong: () => void;
  /** A broken or too long frame, a reset: the end follows. */
  readonly onError: (error: Error) => void;
  /** The end, told once; 1006 where there was no closing handshake. */
  readonly onClosed: (code: number) => void;
};

/** An open socket to a machine. */
export interface MachineSocket {
  readonly isOpen: boolean;
  /** Bytes that the machine has not taken yet. */
  readonly unsentBytes: number;
  /** To be called in the step in which the socket is handed over, once. */
  listen(events: SocketEvents): void;
  send(text: string): void;
  ping(): void;
  /** Begins the closing handshake. */
  close(code: number): void;
  /** Ends it without one. */
  terminate(): void;
}

/** A WebSocket of `ws` as the link sees it. */
export function machineSocketOf(socket: WebSocket): MachineSocket {
  return {
    get isOpen() {
      return socket.readyState === socket.OPEN;
    },
    get unsentBytes() {
      return socket.bufferedAmount;
    },
    listen: (events) => {
      socket.on('message', (raw, isBinary) => {
        if (isBinary || !Buffer.isBuffer(raw)) events.onBinary();
        else events.onText(raw.toString('utf8'));
      });
      socket.on('pong', events.onPong);
      // ws reports broken and too long frames here and closes with 1002, 1007 or 1009 by itself.
      socket.on('error', events.onError);
      socket.on('close', events.onClosed);
    },
    send: (text) => socket.send(text),
    ping: () => socket.ping(),
    close: (code) => socket.close(code),
    terminate: () => socket.terminate(),
  };
}
