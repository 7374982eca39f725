/**
 * Many reports added up, and said in narrow tables.
 */
import type { State } from '../../src/purchase/purchase.ts';
import { edgeNames, lastEdge } from './edges.ts';
import { type FaultKind, faultKinds } from './faults.ts';
import type { StoryReport } from './report.ts';

const stateNames: readonly State[] = [
  'authorizing',
  'validating',
  'approving',
  'vending',
  'in_doubt',
  'settling',
  'reversing',
  'completed',
  'declined',
  'reversed',
];

/** Sums over reports. */
export type Tally = {
  stories: number;
  purchases: number;
  steps: number;
  simulatedMs: number;
  readonly faults: Map<FaultKind, number>;
  readonly edges: Map<number, number>;
  readonly states: Map<State, number>;
};

/** Nothing added yet: every kind, row and state at 0. */
export function createTally(): Tally {
  const edges = new Map(Array.from({ length: lastEdge }, (_, index) => [index + 1, 0]));
  return {
    stories: 0,
    purchases: 0,
    steps: 0,
    simulatedMs: 0,
    faults: new Map(faultKinds.map((kind) => [kind, 0])),
    edges,
    states: new Map(stateNames.map((state) => [state, 0])),
  };
}

function addTo<Key>(sums: Map<Key, number>, valueOf: (key: Key) => number | undefined): void {
  for (const [key, sum] of sums) sums.set(key, sum + (valueOf(key) ?? 0));
}

/** Adds one report. */
export function addReport(tally: Tally, report: StoryReport): void {
  tally.stories += 1;
  tally.purchases += report.purchases;
  tally.steps += report.steps;
  tally.simulatedMs += report.simulatedMs;
  addTo(tally.faults, (kind) => report.faults[kind]);
  addTo(tally.edges, (edge) => report.edges[edge]);
  addTo(tally.states, (state) => report.states[state]);
}

/** 1234567 as 1,234,567. */
export function counted(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ',');
}

/** A duration for people: 4.2 s, 3 min 20 s, 5 h 12 min, 12 days. */
export function lasted(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${counted(seconds / 86_400)} days`;
}

function table(title: string, rows: readonly (readonly [string, number])[]): readonly string[] {
  const names = Math.max(...rows.map(([name]) => name.length));
  const sums = Math.max(...rows.map(([, sum]) => counted(sum).length));
  const line = ([name, sum]: readonly [string, number]): string =>
    `  ${name.padEnd(names)}  ${counted(sum).padStart(sums)}${sum === 0 ? '  <- none' : ''}`;
  return ['', title, ...rows.map(line)];
}

/** The summary as lines. */
export function sayTally(tally: Tally, spent: { readonly wallMs: number; readonly cpuMs: number }): readonly string[] {
  const { wallMs, cpuMs } = spent;
  const each = tally.purchases === 0 ? 0 : cpuMs / tally.purchases;
  const edges = [...tally.edges].map(([edge, sum]): readonly [string, number] => [
    `${String(edge).padStart(2)} ${edgeNames[edge] ?? ''}`,
    sum,
  ]);
  return [
    '',
    `  stories         ${counted(tally.stories)}`,
    `  purchases       ${counted(tally.purchases)}`,
    `  steps           ${counted(tally.steps)}`,
    `  simulated time  ${lasted(tally.simulatedMs)}`,
    `  time            ${lasted(wallMs)}`,
    `  CPU             ${lasted(cpuMs)}, ${each.toFixed(2)} ms a purchase`,
    ...table('Faults', [...tally.faults]),
    ...table('Rows of the table of edges', edges),
    ...table('States entered', [...tally.states]),
  ];
}

/** The summary for programs. */
export function tallyJson(tally: Tally): Record<string, unknown> {
  const { stories, purchases, steps, simulatedMs, faults, edges, states } = tally;
  return {
    ...{ stories, purchases, steps, simulatedMs },
    ...{ faults: Object.fromEntries(faults), edges: Object.fromEntries(edges), states: Object.fromEntries(states) },
  };
}
