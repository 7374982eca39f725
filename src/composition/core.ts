/**
 * Coordinator, workers and machine link: each knows the others through what is handed in here.
 */
import { defaultMachineLinkConfig } from '../automaton-link/server/link-config.ts';
import { createMachineLink, type LateAnswer, type MachineLink } from '../automaton-link/server/machine-link.ts';
import type { Log } from '../log.ts';
import type { Board } from '../order-board/board.ts';
import { createConnectorMap } from '../payment/connector-map.ts';
import { type Coordinator, createCoordinator } from '../purchase/coordinator.ts';
import type { PaymentPort } from '../purchase/payment-port.ts';
import type { MachineId } from '../purchase/purchase.ts';
import { createPurchases } from '../purchase/purchases.ts';
import type { Confirmation, MachineWaker, NoticePort, Purchases, PurchaseView } from '../purchase/purchases-port.ts';
import type { Loaded } from '../purchase/store-port.ts';
import { Fault } from '../result.ts';
import type { Store } from '../store/store.ts';
import { createCarryOut } from '../worker/carry-out.ts';
import { createDeadlineWorker, type DeadlineWorker } from '../worker/deadline-worker.ts';
import { createEffectWorker, type EffectWorker } from '../worker/effect-worker.ts';
import type { Rooms } from './edges.ts';
import { keyOf, newReference } from './names.ts';

/** The purchases of one node, at work. */
export type Core = {
  readonly coordinator: Coordinator;
  readonly purchases: Purchases;
  readonly worker: EffectWorker;
  readonly deadlines: DeadlineWorker;
  readonly link: MachineLink;
  /** Set once the phones are built: notices go out by them. */
  setNotices(notices: NoticePort): void;
};

/** Coordinator, workers and machine link: each knows the others through what is handed in here. */
export function buildCore(rooms: Rooms): Core {
  const { config, log, clock, rules, store, board, wallet, chance } = rooms;
  const trouble: Trouble = (what, id, error) => log.error('trouble', { what, purchaseId: id }, error);
  const wallets = createConnectorMap([wallet]);
  const walletOf = (provider: string): PaymentPort => {
    const found = wallets.find(provider);
    if (found === null) throw new Fault('wallet_not_configured', 'no', provider);
    return found;
  };
  let notices: NoticePort | null = null;
  const shared = {
    store: store.purchases,
    board: board.orders,
    subscribers: store.subscribers,
    walletOf,
    keyOf,
    clock,
    rules,
    leaseMs: config.effects.leaseMs,
    random: chance.random,
    onTrouble: trouble,
  };
  const coordinator: Coordinator = createCoordinator({
    ...shared,
    machines: { holds: (id) => link.port.holds(id), deny: (command) => link.port.deny(command) },
    run: (own) => worker.run(own),
    nudge: (machineId) => void nudge(board, machineId, trouble),
    onChange: ({ loaded, event, from }) => logChange(log, loaded, event, from),
  });
  const holds = (id: MachineId): boolean => link.port.holds(id);
  const sayNothingBegan = async (view: PurchaseView, { payerId, machine }: Confirmation): Promise<void> => {
    const payer = await store.subscribers.msisdnOf(payerId);
    const { language } = await store.subscribers.meet(payer);
    const key = keyOf(view.id, 'notify', 'declined');
    const told = { template: 'declined', payer, language: language ?? machine.language, view, key, tries: 1 } as const;
    const sent = await notices?.send(told);
    log.info('nothing_began', { purchaseId: view.id, told: sent?.kind ?? 'not_ready' });
  };
  const purchases = createPurchases({
    ...shared,
    coordinator,
    wallet,
    newReference: () => newReference(chance.random),
    holds,
    onNothingBegan: (view, confirmation) =>
      void sayNothingBegan(view, confirmation).catch((error: unknown) => trouble('not_told', view.id, error)),
  });
  const worker: EffectWorker = createEffectWorker({
    ...shared,
    coordinator,
    machines: { holds, heldMachines: () => link.port.heldMachines() },
    carryOut: (loaded, effect) => carryOut(loaded, effect),
    pollMs: config.effects.pollMs,
  });
  const link = buildLink(rooms, { coordinator, purchases, waker: worker, trouble });
  const carryOut = createCarryOut({
    ...shared,
    coordinator,
    machines: link.port,
    notices: {
      send: (notice) => {
        if (notices === null) throw new Fault('phones_not_ready', 'no');
        return notices.send(notice);
      },
    },
    budgets: config.payment.wallet.budgets,
    languageOf: (loaded) => languageOf(store, loaded),
  });
  const deadlines = createDeadlineWorker({ ...shared, coordinator, pollMs: config.effects.deadlinePollMs });
  board.presence.onNudge((machineId) => worker.machineReady(machineId));
  return {
    coordinator,
    purchases,
    worker,
    deadlines,
    link,
    setNotices: (made) => {
      notices = made;
    },
  };
}

type Trouble = (what: string, id: string | null, error: unknown) => void;

function buildLink(
  { config, log, clock, store, board, chance, openDoor }: Rooms,
  core: {
    readonly coordinator: Coordinator;
    readonly purchases: Purchases;
    readonly waker: MachineWaker;
    readonly trouble: Trouble;
  },
): MachineLink {
  const { coordinator, purchases, waker, trouble } = core;
  return createMachineLink({
    config: { ...defaultMachineLinkConfig, ...config.link, cutoffMs: config.payment.cutoffMs },
    clock,
    newId: chance.newId,
    random: chance.random,
    board: board.orders,
    presence: board.presence,
    purchases,
    directory: store.directory,
    waker,
    serverSecret: config.keys.machineSecret,
    log,
    ...(openDoor === undefined ? {} : { openDoor }),
    onRejected: (rejection) => log.warn('machine_rejected', rejection),
    onLateAnswer: (late) =>
      void answerLate(coordinator, purchases, late).catch((error: unknown) => trouble('late_answer', null, error)),
  });
}

async function nudge(board: Board, machineId: string, trouble: Trouble): Promise<void> {
  try {
    const node = await board.presence.whereIs(machineId);
    if (node !== null) await board.presence.nudge(node, machineId);
  } catch (error) {
    // A lost nudge costs the two seconds until the holder's next look.
    trouble('not_nudged', null, error);
  }
}

function logChange(log: Log, loaded: Loaded, event: string, from: string | null): void {
  const { id, reference, state, order, version } = loaded.purchase;
  log.info('purchase', {
    purchaseId: id,
    reference,
    happened: event,
    from,
    state,
    version,
    machineId: order.machineId,
  });
}

/** An answer to an approval that came after we had stopped waiting for it. */
async function answerLate(coordinator: Coordinator, purchases: Purchases, late: LateAnswer): Promise<void> {
  const { machineId, orderSeq, approvalId, answer } = late;
  if (answer.kind === 'accepted' || answer.kind === 'duplicate') {
    await purchases.noteAccepted(machineId, orderSeq, approvalId);
    return;
  }
  if (answer.kind !== 'rejected') return;
  const purchase = await purchases.ofOrder(machineId, orderSeq);
  if (purchase === null || purchases.approvalIdOf(purchase.id) !== approvalId) return;
  await coordinator.apply(purchase.id, { type: 'approval_rejected', reason: answer.reason, wasSentBefore: true });
}

/** The payer's own language, else that of the machine's operator. */
async function languageOf(store: Store, loaded: Loaded): Promise<string | null> {
  const msisdn = await store.subscribers.msisdnOf(loaded.purchase.payerId);
  const { language } = await store.subscribers.meet(msisdn);
  if (language !== null) return language;
  const machine = await store.directory.machineById(loaded.purchase.order.machineId);
  return machine?.language ?? null;
}
