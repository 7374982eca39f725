/**
 * One simulated machine and the real machine link of one node, over the simulated wire, for tests.
 */
import { defaultMachineLinkConfig } from '../../src/automaton-link/server/link-config.ts';
import { createMachineLink, type LateAnswer, type MachineLink } from '../../src/automaton-link/server/machine-link.ts';
import type { ApproveAnswer } from '../../src/purchase/machine-port.ts';
import type { Directory } from '../../src/purchase/store-port.ts';
import { FakePurchases } from '../automaton-link/support/fake-purchases.ts';
import { aMachine, machineKey, serverSecret } from '../automaton-link/support/link-world.ts';
import { createMemoryRedis } from '../support/memory-order-board.ts';
import { createDice } from './chance.ts';
import { type FaultKind, type FaultPlan, faultKinds } from './faults.ts';
import { createLife, type Life } from './life.ts';
import { createSimMachine, type SimMachine, type SimMachineOptions } from './machine.ts';
import { createMachineNetwork, type MachineNetwork } from './machine-wire.ts';
import type { Drop, MachineNotes } from './notes.ts';
import { createTimeline, type Timeline } from './timeline.ts';

/** What is seen of a machine. */
export type SeenAtMachine = {
  readonly trace: string[];
  readonly goAheads: Omit<Drop, 'droppedAtMs'>[];
  readonly drops: Drop[];
  readonly statements: string[];
  readonly acknowledged: string[];
};

/** The bench. */
export type MachineBench = {
  readonly timeline: Timeline;
  readonly network: MachineNetwork;
  readonly machine: SimMachine;
  readonly node: Life;
  readonly link: MachineLink;
  readonly purchases: FakePurchases;
  readonly seen: SeenAtMachine;
  readonly answers: ApproveAnswer[];
  readonly lateAnswers: LateAnswer[];
  /** Faults that came about, by kind. */
  readonly counts: Map<FaultKind, number>;
  /** Faults cease, and everything is repaired. */
  repair(): void;
  /** Lets simulated time pass. */
  pass(ms: number): Promise<void>;
};

const registered = aMachine();
const directory: Directory = {
  machineByNumber: () => Promise.resolve(registered),
  machineById: (machineId) => Promise.resolve(machineId === 'machine-1' ? registered : null),
  itemOf: () => Promise.resolve(null),
};

function createPlan(wanted: (kind: FaultKind) => number, roll: (share: number) => boolean) {
  const counts = new Map<FaultKind, number>(faultKinds.map((kind) => [kind, 0]));
  let isOver = false;
  const note = (kind: FaultKind): void => void counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const faults: FaultPlan = {
    strikes: (kind, probability) => {
      if (isOver || !roll(probability * wanted(kind))) return false;
      note(kind);
      return true;
    },
    note,
  };
  return { counts, faults, end: () => (isOver = true) };
}

/** Notes as lists. */
function listNotes(seen: SeenAtMachine): MachineNotes {
  return {
    goAhead: (goAhead) => void seen.goAheads.push(goAhead),
    dropped: (drop) => void seen.drops.push(drop),
    approvalPut: () => undefined,
    stated: ({ orderSeq, kind }) => void seen.statements.push(`${orderSeq} ${kind}`),
    acknowledged: ({ orderSeq, kind }) => void seen.acknowledged.push(`${orderSeq} ${kind}`),
    machineJournalLost: () => void seen.trace.push('journal lost'),
  };
}

/**
 * Opens a bench. `faultiness`: by how much the parts' own chances of a kind of fault are multiplied; 0 for all when left
 * out. Every order that the machine shows is paid for a second later.
 */
export function openMachineBench(
  seed: number,
  over: Partial<SimMachineOptions> = {},
  faultiness: (kind: FaultKind) => number = () => 0,
): MachineBench {
  const dice = createDice(seed);
  const timeline = createTimeline(dice.fork());
  const chance = dice.fork();
  const plan = createPlan(faultiness, (share) => chance.happens(share));
  const network = createMachineNetwork({ timeline, dice: dice.fork(), faults: plan.faults });
  const seen: SeenAtMachine = { trace: [], goAheads: [], drops: [], statements: [], acknowledged: [] };
  const node = createLife('node-1', timeline, 5_000);
  const boards = createMemoryRedis(node.clock).board('node-1');
  const purchases = new FakePurchases();
  const lateAnswers: LateAnswer[] = [];
  const answers: ApproveAnswer[] = [];
  const nothing = (): void => undefined;
  let names = 0;
  const link = createMachineLink({
    config: defaultMachineLinkConfig,
    clock: node.clock,
    newId: () => `s${(names += 1)}`,
    random: () => dice.float(),
    board: boards.orders,
    presence: boards.presence,
    purchases,
    directory,
    waker: { machineReady: nothing },
    serverSecret,
    log: {
      info: nothing,
      warn: nothing,
      error: (event, fields) => seen.trace.push(`${event} ${String(fields['error'])}`),
    },
    onLateAnswer: (late) => lateAnswers.push(late),
    openDoor: network.doorOf(node, () => true),
  });
  const machine = createSimMachine({
    timeline,
    dice: dice.fork(),
    faults: plan.faults,
    network,
    notes: listNotes(seen),
    trace: (line) => seen.trace.push(line),
    machineId: 'machine-1',
    key: machineKey,
    number: '4567',
    goods: [{ item: 7, price: 500n }],
    currency: 'XOF',
    ...over,
  });
  machine.onShown(({ kind }) => {
    const orderSeq = machine.status()?.order?.orderSeq;
    if (kind === 'waiting' && orderSeq !== undefined) node.clock.after(1_000, () => approve(orderSeq));
  });

  function approve(orderSeq: number): void {
    const approvalId = `approval-${orderSeq}`;
    const price = { minor: 500n, currency: 'XOF' };
    const rest = { machineNumber: '4567', operatorId: 1, operatorAccount: 'operator-1', productName: 'Water' };
    const order = { ...rest, machineId: 'machine-1', orderSeq, orderId: 'O1', item: 7, price, deliveryMs: 60_000 };
    void link.port.approve({ order, approvalId, validMs: 60_000 }).then((answer) => answers.push(answer));
  }

  return {
    timeline,
    network,
    machine,
    node,
    link,
    purchases,
    seen,
    answers,
    lateAnswers,
    counts: plan.counts,
    repair: () => {
      plan.end();
      network.repair();
      machine.repair();
    },
    pass: async (ms) => {
      const untilMs = timeline.now() + ms;
      await timeline.run(() => timeline.now() >= untilMs, nothing);
    },
  };
}
