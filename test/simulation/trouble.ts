/**
 * What befalls everybody: servers that are away, clocks that jump, nodes that are all down; and people at the desk.
 */
import type { Purchase, PurchaseId } from '../../src/purchase/purchase.ts';
import { Fault } from '../../src/result.ts';
import type { DurationMs } from '../../src/time.ts';
import type { MemoryRedis } from '../support/memory-order-board.ts';
import type { MemoryWorld } from '../support/memory-store.ts';
import type { Dice } from './chance.ts';
import type { StoryFaults } from './fault-plan.ts';
import type { SimNode } from './node.ts';
import type { WorldNotes } from './notes.ts';
import type { Timeline } from './timeline.ts';
import type { Trace } from './trace.ts';
import type { Weather } from './weather.ts';

/** What trouble comes upon. */
export type TroubleDeps = {
  readonly timeline: Timeline;
  readonly dice: Dice;
  readonly faults: StoryFaults;
  readonly weather: Weather;
  readonly trace: Trace;
  readonly notes: WorldNotes;
  readonly nodes: readonly SimNode[];
  readonly journal: MemoryWorld;
  readonly board: MemoryRedis;
  /** Offsets of the servers' clocks. */
  readonly skew: { journalMs: DurationMs; boardMs: DurationMs };
  /** The hardware's own truth, which a person can see: goods that dropped for this order. */
  readonly droppedFor: (purchase: Purchase) => number;
  /** Since when a purchase is in doubt, in true time. */
  readonly doubtfulSinceMs: (id: PurchaseId) => DurationMs | undefined;
};

/** Trouble; it has begun. */
export interface Trouble {
  /** All servers are there, all nodes are up, and no clock jumps any more. */
  end(): void;
}

const LOOK_MS: DurationMs = 5_000;
/** Chance at each look that a person has time for what waits at the desk, and how long it takes to the machine. */
const VISITED = 0.04;
const WALK_MS: DurationMs = 90_000;

/** Begins to make trouble. */
export function startTrouble(deps: TroubleDeps): Trouble {
  const { timeline, dice, faults, weather, trace, notes, nodes, board, skew } = deps;
  let isOver = false;

  function away(what: 'isJournalAway' | 'isBoardAway' | 'isWalletAway' | 'isWalletSlow', meanMs: DurationMs): void {
    if (weather[what]) return;
    weather[what] = true;
    trace.line('world', what);
    timeline.after(dice.latency(meanMs), () => {
      weather[what] = false;
      trace.line('world', `no longer ${what}`);
    });
  }

  function jump(): void {
    if (faults.strikes('wall_jump', 0.01))
      dice.pick(nodes).jumpWall(dice.pick([-3_600_000, -20_000, 20_000, 3_600_000]));
    if (faults.strikes('journal_clock_jump', 0.008)) {
      const byMs = dice.pick([-300_000, -20_000, -2_000, 2_000, 20_000, 60_000, 1_500_000]);
      skew.journalMs += byMs;
      trace.line('world', `the journal's clock jumps by ${byMs}`);
    }
    if (faults.strikes('board_clock_jump', 0.01)) {
      const byMs = dice.pick([-60_000, -5_000, 5_000, 60_000]);
      skew.boardMs += byMs;
      trace.line('world', `the board's clock jumps by ${byMs}`);
    }
  }

  function hit(): void {
    if (faults.strikes('journal_away', 0.02)) away('isJournalAway', dice.pick([1_000, 6_000, 30_000]));
    if (faults.strikes('board_away', 0.02)) away('isBoardAway', dice.pick([1_000, 5_000, 20_000]));
    if (faults.strikes('wallet_away', 0.02)) away('isWalletAway', dice.pick([5_000, 30_000, 240_000]));
    if (faults.strikes('wallet_slow', 0.01)) away('isWalletSlow', dice.pick([5_000, 40_000]));
    if (faults.strikes('board_wiped', 0.02)) {
      trace.line('world', 'the board is wiped');
      board.wipe();
      notes.boardWiped();
    }
    if (faults.strikes('node_killed', 0.002))
      for (const node of nodes) node.kill(dice.latency(dice.pick([3_000, 40_000])));
    if (faults.strikes('node_stalled', 0.004)) dice.pick(nodes).stall(dice.latency(dice.pick([2_000, 20_000, 60_000])));
    jump();
  }

  function look(): void {
    timeline.after(dice.latency(LOOK_MS), () => {
      if (isOver) return;
      hit();
      visitDesk(deps);
      look();
    });
  }
  look();
  return {
    end: () => {
      isOver = true;
      Object.assign(weather, { isJournalAway: false, isBoardAway: false, isWalletAway: false, isWalletSlow: false });
      for (const node of nodes) node.repair();
    },
  };
}

/** A person who looks at a purchase in doubt, goes to the machine, and says what he saw; or gives the money back. */
function visitDesk(deps: TroubleDeps): void {
  const { dice, faults, journal, nodes, droppedFor, trace } = deps;
  const core = dice.pick(nodes).core();
  const wantsRefund = dice.happens(Math.min(1, VISITED * faults.factorOf('person_refunds')));
  const wantsConfirm = dice.happens(Math.min(1, VISITED * faults.factorOf('person_confirms')));
  if (core === null || !(wantsRefund || wantsConfirm)) return;
  const wanted = [...journal.tables.purchases.values()].find(({ purchase }) => isForDesk(purchase, deps));
  if (wanted === undefined) return;
  const { purchase } = wanted;
  const by = 'awa';
  if (purchase.state === 'settling') {
    trace.line('desk', `accepts the loss of ${purchase.id}`);
    decide(core.coordinator.apply(purchase.id, { type: 'loss_accepted', by, reason: 'hold gone' }), purchase.id, trace);
    return;
  }
  const isSeen = droppedFor(purchase) > 0;
  if (isSeen ? !wantsConfirm : !wantsRefund) return;
  faults.note(isSeen ? 'person_confirms' : 'person_refunds');
  trace.line('desk', `${isSeen ? 'confirms' : 'refunds'} ${purchase.id}`);
  const type = isSeen ? 'operator_confirmed' : 'operator_refunded';
  decide(core.coordinator.apply(purchase.id, { type, by, reason: 'seen at the machine' }), purchase.id, trace);
}

/** What was to come out has come out by the time at which somebody stands before the machine. */
function isForDesk({ id, state, facts }: Purchase, { timeline, doubtfulSinceMs }: TroubleDeps): boolean {
  if (state === 'in_doubt') return timeline.now() - (doubtfulSinceMs(id) ?? timeline.now()) > WALK_MS;
  if (state === 'settling') return facts.isHoldGone;
  return (state === 'authorizing' || state === 'validating') && facts.attention.includes('payment_overdue');
}

/** What a person hears of it; an answer that is lost he asks for another day. */
function decide(applied: Promise<unknown>, id: PurchaseId, trace: Trace): void {
  applied.catch((error: unknown) => {
    if (!(error instanceof Fault)) throw error;
    trace.line('desk', `no answer about ${id}`);
  });
}
