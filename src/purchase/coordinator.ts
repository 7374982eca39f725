/**
 * Coordinator, transition, commit: the whole machine. Loads a purchase, lets the rules decide, commits against the
 * version that was read, and only then lets the world hear of it.
 */
import type { Clock, DurationMs } from '../time.ts';
import {
  type Effect,
  type EffectKey,
  type HeldEffect,
  isMachineEffect,
  type KeyMaker,
  keyPartsOf,
  type PlannedEffect,
} from './effect.ts';
import type { PurchaseEvent } from './event.ts';
import type { MachinePort } from './machine-port.ts';
import type { OrderBoard } from './order-board-port.ts';
import { type Attention, isEnded, type MachineId, type Purchase, type PurchaseId, type State } from './purchase.ts';
import type { Refusal } from './refusal.ts';
import type { Rules } from './rules.ts';
import type { EffectName, Step } from './step.ts';
import type { EffectRow, Loaded, MachineStatement, PurchaseStore } from './store-port.ts';
import { transition } from './transition.ts';

/** An effect to be carried out by this node, with the purchase as it was committed. */
export type OwnEffect = { readonly loaded: Loaded; readonly effect: HeldEffect; readonly dueInMs: DurationMs };

/** A state change, told once after its commit. */
export type StateChange = { readonly loaded: Loaded; readonly event: string; readonly from: string | null };

/** What the coordinator works with. */
export type CoordinatorDeps = {
  readonly store: PurchaseStore;
  readonly board: Pick<OrderBoard, 'release' | 'close'>;
  readonly machines: Pick<MachinePort, 'holds' | 'deny'>;
  readonly keyOf: KeyMaker;
  readonly clock: Clock;
  readonly rules: Rules;
  /** First lease of an own effect, from its commit: the longest call budget and a little more. */
  readonly leaseMs: DurationMs;
  /** False for a short process that carries nothing out, a person's command: its effects are any node's. Default true. */
  readonly keepsEffects?: boolean;
  /** Carries out what this node has leased. */
  readonly run: (effects: readonly OwnEffect[]) => void;
  /** Tells the holder of the machine's socket, wherever it is, that effects are due. */
  readonly nudge: (machineId: MachineId) => void;
  readonly onChange: (change: StateChange) => void;
  /** A failed word to the board or a bug; nothing is lost by it. */
  readonly onTrouble: (what: string, id: PurchaseId, error: unknown) => void;
};

/** What became of an event. */
export type Applied =
  | { readonly kind: 'committed'; readonly loaded: Loaded }
  | { readonly kind: 'already'; readonly loaded: Loaded }
  | { readonly kind: 'noted'; readonly loaded: Loaded; readonly attention: Attention }
  | { readonly kind: 'refund_due'; readonly loaded: Loaded }
  | { readonly kind: 'refused'; readonly loaded: Loaded; readonly refusal: Refusal }
  | { readonly kind: 'no_purchase' }
  /** The race was lost five times: the caller tries again later. */
  | { readonly kind: 'busy' };

/** An event, or the event that follows from what is read (its `leftMs`, say). Null: nothing to say about it. */
export type EventSource = PurchaseEvent | ((loaded: Loaded) => PurchaseEvent | null);

/** Applies events. @throws Fault of the store; with `happened: unknown`, apply again: a repetition is harmless. */
export interface Coordinator {
  apply(id: PurchaseId, event: EventSource, statement?: MachineStatement): Promise<Applied>;
  /** What begins: told to the world after commit 1. `sentAtMs`: when the statement that answered was sent. */
  begun(loaded: Loaded, rows: readonly EffectRow[], sentAtMs: DurationMs): void;
  /** Rows for the effects of a purchase, their keys made and their first leases decided. */
  rowsOf(purchase: Purchase, planned: readonly PlannedEffect[]): readonly EffectRow[];
  keyOfEffect(id: PurchaseId, effect: Effect): EffectKey;
  /** The purchase as this node knows it, else as the journal does. */
  load(id: PurchaseId): Promise<Loaded | null>;
  reload(id: PurchaseId): Promise<Loaded | null>;
  /** The machine has accepted: shown at once, committed with the result, or by itself after a second. */
  accepted(id: PurchaseId): void;
  isAccepted(id: PurchaseId): boolean;
  /** Resolves at the next change of this purchase on this node, or after `withinMs`. */
  changed(id: PurchaseId, withinMs: DurationMs): Promise<void>;
}

const MOST_RACES = 5;
/** Effects due sooner than this stay with the node that planned them. */
const OWN_WITHIN_MS: DurationMs = 3000;
/** A result that comes sooner makes the commit of the acceptance unnecessary. */
const ACCEPTANCE_ALONE_MS: DurationMs = 1000;
/** Purchases remembered between their commits, so that the straight line reads nothing back. */
const MOST_REMEMBERED = 10_000;

type Remembered = { readonly loaded: Loaded; readonly atMs: DurationMs };

/** Purchases of this node in memory. A stale one costs a lost race, never more. */
function createMemory(clock: Clock): {
  put(loaded: Loaded): void;
  get(id: PurchaseId): Loaded | null;
  forget(id: PurchaseId): void;
} {
  const kept = new Map<PurchaseId, Remembered>();
  return {
    put(loaded) {
      kept.delete(loaded.purchase.id);
      kept.set(loaded.purchase.id, { loaded, atMs: clock.now() });
      for (const oldest of kept.keys()) {
        if (kept.size <= MOST_REMEMBERED) break;
        kept.delete(oldest);
      }
    },
    get(id) {
      const found = kept.get(id);
      if (found === undefined) return null;
      const since = clock.now() - found.atMs;
      const { purchase, leftMs, sinceConfirmedMs, sinceEndedMs } = found.loaded;
      return {
        purchase,
        leftMs: leftMs === null ? null : leftMs - since,
        sinceConfirmedMs: sinceConfirmedMs + since,
        sinceEndedMs: sinceEndedMs === null ? null : sinceEndedMs + since,
      };
    },
    forget: (id) => {
      kept.delete(id);
    },
  };
}

/** Those who wait for a purchase to change, on this node. */
function createWatchers(clock: Clock): {
  changed(id: PurchaseId, withinMs: DurationMs): Promise<void>;
  tell(id: PurchaseId): void;
} {
  const waiting = new Map<PurchaseId, Set<() => void>>();
  return {
    changed: (id, withinMs) =>
      new Promise((resolve) => {
        const set = waiting.get(id) ?? new Set();
        waiting.set(id, set);
        const done = (): void => {
          cancel();
          set.delete(done);
          if (set.size === 0 && waiting.get(id) === set) waiting.delete(id);
          resolve();
        };
        const cancel = clock.after(Math.max(0, withinMs), done);
        set.add(done);
      }),
    tell: (id) => {
      for (const done of [...(waiting.get(id) ?? [])]) done();
    },
  };
}

/** The coordinator of one node. */
export function createCoordinator(deps: CoordinatorDeps): Coordinator {
  const memory = createMemory(deps.clock);
  const watchers = createWatchers(deps.clock);
  const acceptances = new Set<PurchaseId>();

  const keyOfEffect = (id: PurchaseId, effect: Effect): EffectKey => {
    const { operation, n } = keyPartsOf(effect);
    return deps.keyOf(id, operation, n);
  };
  const keyOfName = (id: PurchaseId, name: EffectName): EffectKey =>
    deps.keyOf(id, name.kind, 'n' in name ? name.n : 1);

  const rowsOf = (purchase: Purchase, planned: readonly PlannedEffect[]): readonly EffectRow[] =>
    planned.map(({ effect, dueInMs }) => ({
      effect,
      dueInMs,
      key: keyOfEffect(purchase.id, effect),
      isOwn: isMachineEffect(effect)
        ? deps.machines.holds(purchase.order.machineId)
        : dueInMs <= OWN_WITHIN_MS && deps.keepsEffects !== false,
    }));

  /** As the journal has it. What is left is counted from before it was asked, so that a stalled node sees too little. */
  async function read(id: PurchaseId): Promise<Loaded | null> {
    const askedAtMs = deps.clock.now();
    const loaded = await deps.store.load(id);
    if (loaded === null || loaded.leftMs === null) return loaded;
    return { ...loaded, leftMs: loaded.leftMs - (deps.clock.now() - askedAtMs) };
  }

  async function load(id: PurchaseId): Promise<Loaded | null> {
    return memory.get(id) ?? (await read(id));
  }

  async function reload(id: PurchaseId): Promise<Loaded | null> {
    const loaded = await read(id);
    if (loaded === null) memory.forget(id);
    else memory.put(loaded);
    return loaded;
  }

  async function apply(id: PurchaseId, source: EventSource, statement?: MachineStatement): Promise<Applied> {
    let unstored = statement ?? null;
    for (let race = 0; race < MOST_RACES; race += 1) {
      // Another node may have moved it on: a step is checked by its commit, any other answer only by the journal.
      const isRemembered = race === 0 && memory.get(id) !== null;
      const loaded = race === 0 ? await load(id) : await reload(id);
      if (loaded === null) return { kind: 'no_purchase' };
      const event = typeof source === 'function' ? source(loaded) : source;
      const decision = event === null ? null : transition(loaded.purchase, event, deps.rules);
      if (isRemembered && decision?.kind !== 'step') continue;
      if (event === null || decision === null) return { kind: 'already', loaded };
      if (decision.kind !== 'step') return { ...decision, loaded };
      const after = await commit(loaded, event, decision.step, unstored);
      // Stored before: with its event, which the journal then shows; or beside the path, and its event is still to come.
      if (after === 'statement_known') unstored = null;
      else if (after !== 'lost_race') return { kind: 'committed', loaded: after };
    }
    return { kind: 'busy' };
  }

  async function commit(
    loaded: Loaded,
    event: PurchaseEvent,
    step: Step,
    statement: MachineStatement | null,
  ): Promise<Loaded | 'lost_race' | 'statement_known'> {
    const { id, version, state } = loaded.purchase;
    const planned = rowsOf(step.after, step.planned);
    const sentAtMs = deps.clock.now();
    let committed: 'committed' | 'lost_race' | 'statement_known';
    try {
      const answer = await deps.store.commit({
        before: { id, version, state },
        after: step.after,
        event,
        deadline: step.deadline,
        planned,
        dropped: step.dropped.map((name) => keyOfName(id, name)),
        rescheduled: step.rescheduled.map((each) => ({ key: keyOfName(id, each.effect), dueInMs: each.dueInMs })),
        onlyIfUnsent: step.onlyIfUnsent ? deps.keyOf(id, 'approve', 1) : null,
        statement,
        opened: step.opened,
        closed: step.closed,
        isLazy: step.isLazy,
      });
      committed = answer.kind;
    } catch (error) {
      // Whether it was executed is unknown: what this node remembers may be stale.
      memory.forget(id);
      throw error;
    }
    if (committed !== 'committed') return committed;
    // What was read grew older while the journal wrote.
    const tookMs = deps.clock.now() - sentAtMs;
    const leftMs = step.deadline === 'keep' ? leftMsOf(loaded) : step.deadline;
    const after: Loaded = {
      purchase: step.after,
      leftMs: leftMs === null ? null : leftMs - tookMs,
      sinceConfirmedMs: loaded.sinceConfirmedMs + tookMs,
      sinceEndedMs: isEnded(step.after) ? 0 : null,
    };
    announce({ loaded: after, rows: planned, event: event.type, before: loaded, leasedAtMs: sentAtMs });
    return after;
  }

  /** After the commit, and only then, the world hears of it. */
  function announce({ loaded, rows, event, before, leasedAtMs }: Announcement): void {
    const { purchase } = loaded;
    if (isEnded(purchase)) {
      memory.forget(purchase.id);
      acceptances.delete(purchase.id);
    } else memory.put(loaded);
    deps.onChange({ loaded, event, from: before?.purchase.state ?? null });
    const own = rows.filter((row) => row.isOwn);
    const leaseEndsAtMs = leasedAtMs + deps.leaseMs;
    if (own.length > 0) deps.run(own.map((row) => ownEffect(loaded, row, leaseEndsAtMs)));
    if (rows.some((row) => !row.isOwn && isMachineEffect(row.effect))) deps.nudge(purchase.order.machineId);
    if (before !== null && before.purchase.state !== purchase.state) {
      tellBoard(purchase, before).catch((error: unknown) => deps.onTrouble('board_not_told', purchase.id, error));
    }
    watchers.tell(purchase.id);
  }

  /** Once, without retry: the order's own deadline repairs a lost word. */
  async function tellBoard(purchase: Purchase, before: Loaded): Promise<void> {
    const { machineId, orderSeq } = purchase.order;
    const orderLeftMs = before.purchase.facts.isLate ? 0 : leftMsOf(before);
    const word = wordToBoard(purchase, orderLeftMs, deps.rules);
    if (word === null) return;
    if (word === 'release') {
      await deps.board.release({ machineId, purchaseId: purchase.id, fromPaying: true });
      return;
    }
    await deps.board.close({ machineId, orderSeq, why: purchase.state });
    if (purchase.state === 'declined') await deps.machines.deny({ machineId, orderSeq, reason: 'not_paid' });
  }

  function accepted(id: PurchaseId): void {
    if (acceptances.has(id)) return;
    acceptances.add(id);
    watchers.tell(id);
    deps.clock.after(ACCEPTANCE_ALONE_MS, () => {
      // A sale that is over by then has nothing left to record, and reads nothing back.
      if (acceptances.has(id)) void recordAcceptance(id);
    });
  }

  async function recordAcceptance(id: PurchaseId): Promise<void> {
    try {
      const applied = await apply(id, { type: 'approval_accepted' });
      // Ended by another node, or before this word came: nobody asks for it any more.
      if ('loaded' in applied && isEnded(applied.loaded.purchase)) acceptances.delete(id);
    } catch (error) {
      deps.onTrouble('acceptance_not_recorded', id, error);
    }
  }

  return {
    apply,
    begun: (loaded, rows, sentAtMs) => {
      // The lease began with the commit, which may have been a while ago when its first answer was lost.
      const leasedAtMs = sentAtMs - loaded.sinceConfirmedMs;
      announce({ loaded, rows, event: 'confirmed', before: null, leasedAtMs });
    },
    rowsOf,
    keyOfEffect,
    load,
    reload,
    accepted,
    isAccepted: (id) => acceptances.has(id),
    changed: (id, withinMs) => watchers.changed(id, withinMs),
  };
}

/** What a commit tells. `leasedAtMs`: no later than its leases began, on the node's own clock. */
type Announcement = {
  readonly loaded: Loaded;
  readonly rows: readonly EffectRow[];
  readonly event: string;
  readonly before: Loaded | null;
  readonly leasedAtMs: DurationMs;
};

function ownEffect(loaded: Loaded, { effect, key, dueInMs }: EffectRow, leaseEndsAtMs: DurationMs): OwnEffect {
  // An approval is planned once: before this node nobody can have sent it.
  const sent = { maySent: effect.kind === 'approve', maySentBefore: false };
  const lease = { tries: 1, leaseLeftMs: 0, leaseEndsAtMs };
  return { loaded, effect: { purchaseId: loaded.purchase.id, key, effect, ...sent, ...lease }, dueInMs };
}

/** What is left of a purchase's deadline; 0 when it has ended, negative when it has passed. */
export function leftMsOf(loaded: Loaded): DurationMs {
  return loaded.leftMs ?? 0;
}

/** What the board hears of a state just entered: a decline frees the order, the first other decision closes it. */
const WORDS: Readonly<Record<State, 'release' | 'close' | null>> = {
  authorizing: null,
  validating: null,
  approving: null,
  vending: null,
  in_doubt: 'close',
  settling: 'close',
  reversing: 'close',
  completed: null,
  declined: 'release',
  reversed: null,
};

function wordToBoard(purchase: Purchase, orderLeftMs: DurationMs, rules: Rules): 'release' | 'close' | null {
  const word = WORDS[purchase.state];
  // Nobody else could pay it in time.
  const isOver = purchase.facts.isOrderGone || orderLeftMs < rules.cutoffMs;
  return word === 'release' && isOver ? 'close' : word;
}
