/**
 * The disk below a simulated machine's journal: it may lose the power, or fail, at any write; what was not synced is then
 * lost, torn or there.
 */
import type { JournalFile } from '../../src/automaton-link/agent/journal-file.ts';
import type { DurationMs } from '../../src/time.ts';
import type { Dice } from './chance.ts';
import type { FaultPlan } from './faults.ts';
import type { Timeline } from './timeline.ts';

/** Chance of trouble at each append, sync and replacement; a purchase has about ten. */
const troublePerWrite = 0.0015;

/** What a disk is made of. */
export type DiskDeps = {
  readonly timeline: Timeline;
  readonly dice: Dice;
  readonly faults: FaultPlan;
  /** The power goes, in the middle of a write. */
  readonly onPowerCut: () => void;
  /** These whole lines are on disk from now on; those of a replacement are told again. */
  readonly onDurable: (text: string) => void;
  /** Before each write, counted from 1 over the disk's whole life; for tests. `power`, `failure`: it ends here. */
  readonly plan?: (write: number) => 'power' | 'failure' | null;
};

/** The disk. It outlives the files opened on it. */
export interface Disk {
  /** The file as one boot sees it; earlier ones are dead. */
  open(): JournalFile;
  /** No write any more until it is opened again. Of what was not synced, chance decides. */
  powerCut(): void;
  /** A new, empty one in its place. */
  replace(): void;
  /** Writes succeed again. */
  repair(): void;
  /** Writes so far. */
  readonly writes: number;
}

/** An empty disk. */
export function createDisk(deps: DiskDeps): Disk {
  const { timeline, dice, faults, onPowerCut, onDurable, plan } = deps;
  let durable = '';
  let pending = '';
  let writes = 0;
  let boot = 0;
  let isBadUntilMs: DurationMs = 0;

  function keep(text: string): void {
    durable += text;
    pending = '';
  }

  /** None of it, all of it, or torn anywhere. */
  function tear(): void {
    if (pending === '') return;
    const share = dice.float();
    keep(share < 0.35 ? '' : share < 0.6 ? pending : pending.slice(0, dice.int(0, pending.length)));
  }

  function powerCut(): void {
    boot += 1;
    tear();
  }

  function troubleAt(write: number): 'power' | 'failure' | null {
    if (plan !== undefined) return plan(write);
    if (timeline.now() < isBadUntilMs) return 'failure';
    if (faults.strikes('power_cut_at_write', troublePerWrite)) return 'power';
    return faults.strikes('disk_failed', troublePerWrite / 2) ? 'failure' : null;
  }

  /** @throws Error when the write ends here. `onFailure`: before what was not synced is torn. */
  function write(file: number, onFailure: () => void): void {
    if (file !== boot) throw new Error('no power');
    writes += 1;
    const trouble = troubleAt(writes);
    if (trouble === null) return;
    onFailure();
    if (trouble === 'power') {
      onPowerCut();
      throw new Error('the power is gone');
    }
    tear();
    if (timeline.now() >= isBadUntilMs && dice.happens(0.5)) isBadUntilMs = timeline.now() + dice.latency(20_000);
    throw new Error('the write failed');
  }

  function open(): JournalFile {
    boot += 1;
    pending = '';
    const file = boot;
    const nothing = (): void => undefined;
    return {
      read: () => durable,
      append: (text) => {
        write(file, () => {
          pending += text;
        });
        pending += text;
      },
      sync: () => {
        write(file, nothing);
        const synced = pending;
        keep(synced);
        onDurable(synced);
      },
      replace: (content) => {
        write(file, () => {
          // Renamed, or not.
          if (dice.happens(0.5)) return;
          durable = content;
          pending = '';
        });
        durable = content;
        pending = '';
        onDurable(content);
      },
      close: nothing,
    };
  }

  return {
    open,
    powerCut,
    replace: () => {
      durable = '';
      pending = '';
    },
    repair: () => {
      isBadUntilMs = 0;
    },
    get writes() {
      return writes;
    },
  };
}
