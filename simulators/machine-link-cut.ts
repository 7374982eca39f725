/**
 * A machine's radio: a dial that can be cut, or stalled while TCP stays alive.
 */
import type { Dial, LinkEvents, LinkSocket } from '../src/automaton-link/agent/dial.ts';

/** A link between a machine and the network that can misbehave. */
export type CuttableLink = {
  readonly dial: Dial;
  /** Cut: open sockets end without a word, new ones do not open. */
  setOnline(isOnline: boolean): void;
  /** Stalled: TCP lives, nothing passes in either direction; what was held passes when it ends. */
  setStalled(isStalled: boolean): void;
  readonly isOnline: boolean;
};

type Held = { readonly socket: LinkSocket; readonly events: LinkEvents; readonly end: () => void };

/** A link over the dial handed in, online. */
export function createCuttableLink(dial: Dial): CuttableLink {
  const open = new Set<Held>();
  let isOnline = true;
  let isStalled = false;
  let waiting: (() => void)[] = [];
  const pass = (act: () => void): void => {
    if (isStalled) waiting.push(act);
    else act();
  };
  const dialOnline: Dial = (target, events) => {
    let isOver = false;
    const end = (report: () => void): void => {
      if (isOver) return;
      isOver = true;
      open.delete(held);
      report();
    };
    const ifOpen = (act: () => void) => (): void => {
      if (!isOver) act();
    };
    const socket = dial(target, {
      onOpen: () => pass(ifOpen(events.onOpen)),
      onText: (text) => pass(ifOpen(() => events.onText(text))),
      onHeard: () => pass(ifOpen(events.onHeard)),
      onClosed: (code) => pass(() => end(() => events.onClosed(code))),
      onRefused: (status, retryAfterS) => pass(() => end(() => events.onRefused(status, retryAfterS))),
    });
    const held: Held = { socket, events, end: () => end(() => events.onClosed(1006)) };
    open.add(held);
    return {
      send: (text) => pass(ifOpen(() => socket.send(text))),
      ping: () => pass(ifOpen(() => socket.ping())),
      close: (code) => pass(() => socket.close(code)),
      terminate: () => {
        end(() => undefined);
        socket.terminate();
      },
    };
  };
  return {
    dial: (target, events) => {
      if (isOnline) return dialOnline(target, events);
      const failing = setImmediate(() => events.onClosed(1006));
      const nothing = (): void => undefined;
      return { send: nothing, ping: nothing, close: nothing, terminate: () => clearImmediate(failing) };
    },
    setOnline: (online) => {
      isOnline = online;
      if (online) return;
      for (const held of [...open]) {
        held.socket.terminate();
        held.end();
      }
    },
    setStalled: (stalled) => {
      isStalled = stalled;
      if (stalled) return;
      const acts = waiting;
      waiting = [];
      for (const act of acts) act();
    },
    get isOnline() {
      return isOnline;
    },
  };
}
