/**
 * What one simulated story is asked for, and what it reports.
 */
import type { State } from '../../src/purchase/purchase.ts';
import type { FaultKind } from './faults.ts';

/** A story to be played. */
export type StoryOptions = {
  /** Unsigned 32-bit number; decides everything. */
  readonly seed: number;
  /** Purchases to begin before faults stop and everything must come to rest; at least 1. */
  readonly purchases: number;
  /** Nodes of Relais; at least 1. */
  readonly nodes: number;
  /** Kinds of faults that are switched off. */
  readonly without?: ReadonlySet<FaultKind>;
  /** Hears each line of the trace. */
  readonly onTrace?: (line: string) => void;
};

/** Where a story went wrong. */
export type Violation = {
  /** Number of the step after which it was seen. */
  readonly step: number;
  /** Simulated time since the beginning. */
  readonly atMs: number;
  /** Each broken rule in words, with the purchase or machine it is about. */
  readonly broken: readonly string[];
  /** Last trace lines of the purchases concerned. */
  readonly story: readonly string[];
};

/** What became of a story. */
export type StoryReport = {
  readonly seed: number;
  /** Purchases begun. */
  readonly purchases: number;
  readonly steps: number;
  readonly simulatedMs: number;
  /** Hash over every observation: equal for equal runs. */
  readonly digest: string;
  readonly faults: Readonly<Record<FaultKind, number>>;
  /** How often each row of the table of edges in docs/purchase.md was reached, by its number. */
  readonly edges: Readonly<Record<number, number>>;
  /** How often each state was entered. */
  readonly states: Readonly<Record<State, number>>;
  /** Null when every rule held after every step, and at rest. */
  readonly violation: Violation | null;
};

/** Plays a story: `playStory` of story.ts, or a stand-in. */
export type PlayStory = (options: StoryOptions) => Promise<StoryReport>;
