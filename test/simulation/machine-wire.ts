/**
 * The network between machines and nodes: WebSockets in simulated time, that are cut, held back and slow, and whose ends
 * may never hear of it.
 */
import type { Dial, DialTarget, LinkEvents, LinkSocket } from '../../src/automaton-link/agent/dial.ts';
import type { OpenDoor } from '../../src/automaton-link/server/link-server.ts';
import type { MachineSocket } from '../../src/automaton-link/server/machine-socket.ts';
import type { DurationMs } from '../../src/time.ts';
import type { Dice } from './chance.ts';
import type { FaultPlan } from './faults.ts';
import type { Life } from './life.ts';
import { createSimDoor, type SimDoor } from './machine-door.ts';
import { createPipe, type Pipe } from './pipe.ts';
import type { Timeline } from './timeline.ts';
import { WireEnd, type WireItem } from './wire-end.ts';

/** One way, on the average. */
const latencyMs: DurationMs = 40;
const slowLatencyMs: DurationMs = 2_500;
/** TCP, TLS and upgrade together, as `ws` is told by the agent's own dial. */
const handshakeMs: DurationMs = 10_000;
/** Chance of each kind of trouble at each text that is sent. */
const troublePerText = 0.003;

/** What the network is made of. */
export type MachineNetworkDeps = { readonly timeline: Timeline; readonly dice: Dice; readonly faults: FaultPlan };

/** The network. */
export interface MachineNetwork {
  /** The door of one node. When that life ends, its sockets break. `accepts`: whether the node is dialed at all. */
  doorOf(life: Life, accepts: () => boolean): OpenDoor;
  /** How one agent dials: to any of the nodes that live and accept. */
  dialFrom(life: Life): Dial;
  /** The machine's sockets break, now; its dials fail for `outMs`. */
  cut(machineId: string, outMs: DurationMs): void;
  /** Connections live, and nothing passes, in either direction. */
  stall(machineId: string, ms: DurationMs): void;
  /** Everything takes seconds. */
  slow(machineId: string, ms: DurationMs): void;
  /** All lines are good from now on. */
  repair(): void;
}

/** Where a machine stands: all that passes between it and the nodes shares the same air. */
type Line = {
  readonly wires: Set<Wire>;
  heldUntilMs: DurationMs;
  slowUntilMs: DurationMs;
  outUntilMs: DurationMs;
};

type Wire = {
  readonly toNode: Pipe<WireItem>;
  readonly toAgent: Pipe<WireItem>;
  readonly agent: WireEnd;
  readonly node: WireEnd;
  /** It is over at the agent's end. */
  forget: () => void;
  /** Nothing that is put in comes out any more. */
  isCut: boolean;
};

type Door = { readonly life: Life; readonly accepts: () => boolean; readonly door: SimDoor; readonly wires: Set<Wire> };

class Network implements MachineNetwork {
  readonly #timeline: Timeline;
  readonly #dice: Dice;
  readonly #faults: FaultPlan;
  readonly #lines = new Map<string, Line>();
  #doors: Door[] = [];

  constructor({ timeline, dice, faults }: MachineNetworkDeps) {
    this.#timeline = timeline;
    this.#dice = dice;
    this.#faults = faults;
  }

  doorOf(life: Life, accepts: () => boolean): OpenDoor {
    return (deps) => {
      const door: Door = { life, accepts, door: createSimDoor(deps), wires: new Set() };
      this.#doors = [...this.#doors.filter((other) => !other.life.isDead), door];
      life.onDeath(() => {
        for (const wire of door.wires) this.#nodeDied(wire);
      });
      return door.door;
    };
  }

  dialFrom(life: Life): Dial {
    const wires = new Set<Wire>();
    life.onDeath(() => {
      for (const wire of wires) this.#agentDied(wire);
    });
    return (target, events) => this.#dial(life, wires, target, events);
  }

  cut(machineId: string, outMs: DurationMs): void {
    const line = this.#lineOf(machineId);
    line.outUntilMs = Math.max(line.outUntilMs, this.#timeline.now() + outMs);
    for (const wire of line.wires) this.#cutWire(wire);
  }

  stall(machineId: string, ms: DurationMs): void {
    const line = this.#lineOf(machineId);
    line.heldUntilMs = Math.max(line.heldUntilMs, this.#timeline.now() + ms);
  }

  slow(machineId: string, ms: DurationMs): void {
    const line = this.#lineOf(machineId);
    line.slowUntilMs = Math.max(line.slowUntilMs, this.#timeline.now() + ms);
  }

  repair(): void {
    for (const line of this.#lines.values()) {
      line.heldUntilMs = 0;
      line.slowUntilMs = 0;
      line.outUntilMs = 0;
    }
  }

  // -- dialing -------------------------------------------------------------------------------------------------------

  #dial(life: Life, wires: Set<Wire>, target: DialTarget, events: LinkEvents): LinkSocket {
    const line = this.#lineOf(target.machineId);
    const open = this.#doors.filter((door) => !door.life.isDead && door.accepts());
    const isOut = line.outUntilMs > this.#timeline.now();
    const door = isOut || open.length === 0 ? null : this.#dice.pick(open);
    const wire = this.#wire(line, life, door?.life ?? life);
    const { agent } = wire;
    wire.forget = () => {
      stopWaiting();
      wires.delete(wire);
      line.wires.delete(wire);
      door?.wires.delete(wire);
    };
    const stopWaiting = life.clock.after(handshakeMs, () => agent.terminate());
    agent.events = {
      onOpen: () => {
        stopWaiting();
        events.onOpen();
      },
      onText: events.onText,
      onPing: events.onHeard,
      onPong: events.onHeard,
      onClosed: (code) => {
        wire.forget();
        events.onClosed(code);
      },
      onRefused: (status, retryAfterS) => {
        wire.forget();
        events.onRefused(status, retryAfterS);
      },
    };
    wires.add(wire);
    line.wires.add(wire);
    if (door !== null) {
      door.wires.add(wire);
      this.#knock(door, wire, target);
    } else if (!isOut || this.#dice.happens(0.5))
      this.#timeline.after(2 * latencyMs, () => agent.take({ kind: 'broken' }));
    return {
      send: (text) => {
        agent.send(text);
        this.#trouble(target.machineId);
      },
      ping: () => agent.ping(),
      close: (code) => (agent.isOpen ? agent.close(code) : agent.terminate()),
      terminate: () => agent.terminate(),
    };
  }

  /** The upgrade reaches the node, which looks the machine up and answers. */
  #knock(door: Door, wire: Wire, target: DialTarget): void {
    const { node, toAgent } = wire;
    const judge = async (): Promise<void> => {
      const judged = await door.door.judge(target.machineId, target.key);
      if (node.isOver) return;
      if (!judged.ok) {
        const { status, retryAfterS } = judged.refusal;
        toAgent.put({ kind: 'refused', status, retryAfterS });
        return;
      }
      toAgent.put({ kind: 'open' });
      door.door.deps.onSocket(this.#socketOf(wire, target.machineId), judged.value.machine, judged.value.mac);
    };
    // Behind the last handshake, as anything else that the machine sends.
    const line = this.#lineOf(target.machineId);
    const arrive = createPipe<WireItem>({
      timeline: this.#timeline,
      latencyMs: () => 2 * this.#latencyOf(line),
      heldUntilMs: () => line.heldUntilMs,
      out: () => door.life.deliver(() => void judge()),
    });
    arrive.put({ kind: 'open' });
  }

  #socketOf(wire: Wire, machineId: string): MachineSocket {
    const { node } = wire;
    return {
      get isOpen() {
        return node.isOpen;
      },
      unsentBytes: 0,
      listen: ({ onText, onPong, onClosed }) => {
        const nothing = (): void => undefined;
        node.events = { onOpen: nothing, onText, onPing: nothing, onPong, onClosed, onRefused: nothing };
      },
      send: (text) => {
        node.send(text);
        this.#trouble(machineId);
      },
      ping: () => node.ping(),
      close: (code) => node.close(code),
      terminate: () => node.terminate(),
    };
  }

  #wire(line: Line, agentLife: Life, nodeLife: Life): Wire {
    const timeline = this.#timeline;
    const pipe = (out: () => WireEnd): Pipe<WireItem> =>
      createPipe({
        timeline,
        latencyMs: () => this.#latencyOf(line),
        heldUntilMs: () => line.heldUntilMs,
        out: (item) => {
          if (!wire.isCut) out().take(item);
        },
      });
    const toNode = pipe(() => wire.node);
    const toAgent = pipe(() => wire.agent);
    const wire: Wire = {
      toNode,
      toAgent,
      agent: new WireEnd({ life: agentLife, timeline, out: toNode, isOpen: false }),
      node: new WireEnd({ life: nodeLife, timeline, out: toAgent, isOpen: true }),
      forget: () => undefined,
      isCut: false,
    };
    return wire;
  }

  // -- trouble -------------------------------------------------------------------------------------------------------

  #trouble(machineId: string): void {
    const dice = this.#dice;
    if (this.#faults.strikes('link_cut', troublePerText))
      this.cut(machineId, dice.happens(0.5) ? 0 : dice.latency(8_000));
    if (this.#faults.strikes('link_stalled', troublePerText)) this.stall(machineId, dice.latency(20_000));
    if (this.#faults.strikes('link_slow', troublePerText)) this.slow(machineId, dice.latency(15_000));
  }

  /** A part of what is on its way arrives; each end hears of the break, or of nothing until it asks. */
  #cutWire(wire: Wire): void {
    const end = (): void => {
      if (wire.isCut) return;
      wire.isCut = true;
      for (const one of [wire.agent, wire.node]) {
        if (this.#dice.happens(0.6))
          this.#timeline.after(this.#dice.latency(latencyMs), () => one.take({ kind: 'broken' }));
      }
    };
    if (this.#dice.happens(0.5)) end();
    else this.#timeline.after(this.#dice.latency(latencyMs), end);
  }

  /** By kill -9 its kernel says so at once; when the whole host is gone, nobody does. */
  #nodeDied(wire: Wire): void {
    wire.toNode.empty();
    if (this.#dice.happens(0.8)) wire.toAgent.put({ kind: 'broken' });
  }

  /** Without power there is nobody to say it; some modems have power of their own. */
  #agentDied(wire: Wire): void {
    wire.forget();
    wire.toAgent.empty();
    if (this.#dice.happens(0.3)) wire.toNode.put({ kind: 'broken' });
  }

  #latencyOf(line: Line): DurationMs {
    return this.#dice.latency(line.slowUntilMs > this.#timeline.now() ? slowLatencyMs : latencyMs);
  }

  #lineOf(machineId: string): Line {
    let line = this.#lines.get(machineId);
    if (line === undefined) {
      line = { wires: new Set(), heldUntilMs: 0, slowUntilMs: 0, outUntilMs: 0 };
      this.#lines.set(machineId, line);
    }
    return line;
  }
}

/** A network without machines and nodes. */
export function createMachineNetwork(deps: MachineNetworkDeps): MachineNetwork {
  return new Network(deps);
}
