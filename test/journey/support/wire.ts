/**
 * A wire between two parties: a TCP relay of our own that can be cut, stalled, slowed down, or made to pass half of
 * what was sent.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type NetConnectOpts, type Socket } from 'node:net';
import type { DurationMs } from '../../../src/time.ts';

/** Which way octets go: `there`, from whoever connected; `back`, to him. */
export type Direction = 'there' | 'back';

/** A wire on the loopback. */
export type Wire = {
  /** Where to connect instead of the target. */
  readonly port: number;
  /** Resets every connection now, and turns new ones away until `resume`. */
  cut(): void;
  /** TCP lives, nothing passes in that direction; what came is held until `resume`. */
  stall(direction: Direction): void;
  /** What comes from now on passes so much later, until `resume`. */
  delay(direction: Direction, ms: DurationMs): void;
  /** Of the next octets in that direction the first half passes, then the connection is reset; once. */
  halve(direction: Direction): void;
  /** The next octets in that direction that hold this text are not passed on; the connection is reset instead; once. */
  cutAt(direction: Direction, text: string): void;
  /** All is well again: held octets pass, in their order. */
  resume(): void;
  close(): Promise<void>;
};

type Faults = Record<Direction, { isStalled: boolean; delayMs: DurationMs; isToHalve: boolean; cutsAt: string | null }>;

/** One direction of one connection: octets and the end, in order, each not before its time. */
class Lane {
  readonly #to: Socket;
  readonly #faults: Faults[Direction];
  readonly #reset: () => void;
  #waiting: { readonly octets: Buffer | null; readonly dueAtMs: DurationMs }[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(to: Socket, faults: Faults[Direction], reset: () => void) {
    this.#to = to;
    this.#faults = faults;
    this.#reset = reset;
  }

  /** `null`: the sender has said all. */
  put(octets: Buffer | null): void {
    this.#waiting.push({ octets, dueAtMs: performance.now() + this.#faults.delayMs });
    this.flush();
  }

  flush(): void {
    clearTimeout(this.#timer);
    while (!this.#faults.isStalled) {
      const [first] = this.#waiting;
      if (first === undefined) return;
      const waitMs = first.dueAtMs - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.flush(), waitMs);
        return;
      }
      this.#waiting.shift();
      if (!this.#pass(first.octets)) return;
    }
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#waiting = [];
  }

  #pass(octets: Buffer | null): boolean {
    const { cutsAt } = this.#faults;
    if (octets === null) this.#to.end();
    else if (cutsAt !== null && octets.includes(cutsAt)) {
      this.#faults.cutsAt = null;
      this.#reset();
      return false;
    } else if (this.#faults.isToHalve) {
      this.#faults.isToHalve = false;
      // Flushed first: a reset would take the half with it.
      this.#to.write(octets.subarray(0, octets.length >> 1), () => this.#reset());
      return false;
    } else this.#to.write(octets);
    return true;
  }
}

/** By a reset where it is TCP; a UNIX socket knows none. */
function breakOff(socket: Socket): void {
  if (socket.remoteFamily === undefined) socket.destroy();
  else socket.resetAndDestroy();
}

type Connection = { readonly near: Socket; readonly lanes: readonly Lane[]; readonly reset: () => void };

/** The first of these that takes a connection, beginning with that one; null when none does. */
async function reach(targets: readonly NetConnectOpts[], first: number): Promise<Socket | null> {
  for (const index of targets.keys()) {
    const target = targets[(first + index) % targets.length];
    if (target === undefined) continue;
    const socket = connect({ ...target, allowHalfOpen: true, noDelay: true });
    try {
      await once(socket, 'connect');
      return socket;
    } catch {
      socket.destroy();
    }
  }
  return null;
}

/**
 * A wire to these targets; with several, each new connection goes to the next one, and on to another where one turns it
 * away. `delayMs` holds always and in both directions.
 */
export async function layWire(targets: readonly NetConnectOpts[], delayMs: DurationMs = 0): Promise<Wire> {
  const healthy = (): Faults[Direction] => ({ isStalled: false, delayMs, isToHalve: false, cutsAt: null });
  const faults: Faults = { there: healthy(), back: healthy() };
  const open = new Set<Connection>();
  let isCut = false;
  let turn = 0;

  const carry = (near: Socket, far: Socket): void => {
    const reset = (): void => {
      open.delete(connection);
      for (const lane of connection.lanes) lane.end();
      for (const socket of [near, far]) breakOff(socket);
    };
    const there = new Lane(far, faults.there, reset);
    const back = new Lane(near, faults.back, reset);
    const connection: Connection = { near, lanes: [there, back], reset };
    open.add(connection);
    for (const [from, lane] of [
      [near, there],
      [far, back],
    ] as const) {
      from.on('data', (octets) => lane.put(octets));
      from.on('end', () => lane.put(null));
      from.on('error', reset);
      from.on('close', () => {
        if (near.destroyed && far.destroyed) open.delete(connection);
      });
    }
  };

  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (near) => {
    near.on('error', () => near.destroy());
    if (isCut) {
      breakOff(near);
      return;
    }
    turn += 1;
    void reach(targets, turn).then((far) => {
      if (far === null || isCut || near.destroyed) {
        far?.destroy();
        breakOff(near);
        return;
      }
      carry(near, far);
      near.resume();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const resetAll = (): void => {
    for (const each of [...open]) each.reset();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut: () => {
      isCut = true;
      resetAll();
    },
    stall: (direction) => {
      faults[direction].isStalled = true;
    },
    delay: (direction, ms) => {
      faults[direction].delayMs = delayMs + ms;
    },
    halve: (direction) => {
      faults[direction].isToHalve = true;
    },
    cutAt: (direction, text) => {
      faults[direction].cutsAt = text;
    },
    resume: () => {
      isCut = false;
      Object.assign(faults.there, healthy());
      Object.assign(faults.back, healthy());
      for (const { lanes } of open) for (const lane of lanes) lane.flush();
    },
    close: async () => {
      resetAll();
      server.close();
      await once(server, 'close');
    },
  };
}
