/**
 * A relay in front of Redis that cuts a connection between the act and its reply.
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type NetConnectOpts, type Socket } from 'node:net';
import { join } from 'node:path';

/** The relay. */
export interface CuttingProxy {
  /** The path of its socket. */
  readonly path: string;
  /** The next reply to a request that holds this text is not passed on; the connection breaks instead. */
  cutReplyTo(text: string): void;
  /** Breaks every connection now. */
  cutAll(): void;
  close(): Promise<void>;
}

/** Starts a relay to that address, on a UNIX socket of its own. */
export async function startCuttingProxy(target: NetConnectOpts): Promise<CuttingProxy> {
  const folder = await mkdtemp('/tmp/relais-cut-');
  const path = join(folder, 'redis.sock');
  const sockets = new Set<Socket>();
  let wanted: string | undefined;

  const server = createServer((near) => {
    const far = connect(target);
    let isToCut = false;
    const end = (): void => {
      for (const socket of [near, far]) {
        socket.destroy();
        sockets.delete(socket);
      }
    };
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', end).on('close', end);
    }
    near.on('data', (request) => {
      if (wanted !== undefined && request.includes(wanted)) {
        wanted = undefined;
        isToCut = true;
      }
      far.write(request);
    });
    far.on('data', (reply) => {
      if (isToCut) end();
      else near.write(reply);
    });
  });
  server.listen(path);
  await once(server, 'listening');
  const cutAll = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    path,
    cutReplyTo: (text) => {
      wanted = text;
    },
    cutAll,
    close: async () => {
      cutAll();
      const closed = once(server, 'close');
      server.close();
      await closed;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
