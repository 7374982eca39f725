/**
 * A centre that is no program but a socket: it accepts one connection and says exactly the octets it is told to.
 */

import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';

export interface RawConnection {
  readonly socket: Socket;
  /** Whole frames received so far, as hexadecimal text. */
  readonly frames: string[];
  readonly isClosed: () => boolean;
  /** Resolves when the condition holds; looked at after each event of the socket. */
  until(condition: () => boolean): Promise<void>;
}

export interface RawCentre {
  readonly port: number;
  /** The next connection. */
  accept(): Promise<RawConnection>;
  close(): Promise<void>;
}

export async function startRawCentre(): Promise<RawCentre> {
  const waiting: ((connection: RawConnection) => void)[] = [];
  const arrived: RawConnection[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    const connection = watch(socket);
    const next = waiting.shift();
    if (next === undefined) arrived.push(connection);
    else next(connection);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    accept: () => {
      const first = arrived.shift();
      return first === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(first);
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function watch(socket: Socket): RawConnection {
  const frames: string[] = [];
  const looks = new Set<() => void>();
  const look = (): void => {
    for (const one of [...looks]) one();
  };
  let received = Buffer.alloc(0);
  let isClosed = false;
  socket.on('error', () => {
    isClosed = true;
    look();
  });
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 4 && received.length >= received.readUInt32BE(0)) {
      const length = received.readUInt32BE(0);
      frames.push(received.subarray(0, length).toString('hex'));
      received = received.subarray(length);
    }
    look();
  });
  for (const event of ['end', 'close'] as const) {
    socket.on(event, () => {
      isClosed = true;
      look();
    });
  }
  return {
    socket,
    frames,
    isClosed: () => isClosed,
    until: (condition) =>
      new Promise((resolve) => {
        const attempt = (): void => {
          if (!condition()) return;
          looks.delete(attempt);
          resolve();
        };
        looks.add(attempt);
        attempt();
      }),
  };
}
