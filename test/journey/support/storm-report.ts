/**
 * The storm's report: strikes by kind and state, how long it took until the struck purchase went on, how all ended.
 */
import type { DurationMs } from '../../../src/time.ts';
import { liveStates } from './storm-journal.ts';
import type { StormWorld } from './storm-world.ts';

/** A strike as it was made. */
export type StruckAt = {
  readonly kind: string;
  readonly isOfProcess: boolean;
  readonly id: string;
  readonly atMs: number;
};

/** A strike with what the journal says afterwards. `state`: of the purchase, at the moment of the strike. */
export type Struck = StruckAt & {
  readonly state: string;
  readonly recoveryMs: DurationMs | null;
  readonly next: string | null;
};

/** How many purchases ended so. */
export type Ending = { readonly what: string; readonly count: number };

/** States, reasons and cases at the end, each counted. */
export async function endingsOf({ journal }: StormWorld): Promise<readonly Ending[]> {
  return journal.rows<Ending>(`
    select state || coalesce(' ' || case state when 'declined' then facts->>'declineCode' when 'reversed' then facts->>'reversalReason'
             when 'completed' then 'presumed after ' || (facts->>'presumed') end, '') as what, count(*)::int as count
      from purchases_all group by 1
    union all
    select 'case ' || kind || case when closed_at is null then ' open' else ' closed' end, count(*)::int from cases group by 1
    order by 1`);
}

const padded = (cells: readonly (string | number)[]): string =>
  cells.map((cell, index) => (index === 0 ? String(cell).padEnd(26) : String(cell).padStart(12))).join('');

/** A table of strikes by kind and state; the last column counts those that found the purchase ended meanwhile. */
export function tableOfStrikes(struck: readonly Struck[]): readonly string[] {
  const kinds = [...new Set(struck.map(({ kind }) => kind))];
  const rows = kinds.map((kind) => {
    const own = struck.filter((each) => each.kind === kind);
    const cells = liveStates.map((state) => own.filter((each) => each.state === state).length);
    const live = cells.reduce((sum, cell) => sum + cell, 0);
    return [kind, ...cells, own.length - live, own.length];
  });
  const sums = [...liveStates.keys(), liveStates.length, liveStates.length + 1].map((column) =>
    rows.reduce((sum, row) => sum + Number(row[column + 1]), 0),
  );
  return [padded(['strikes', ...liveStates, 'ended', 'all']), ...rows.map(padded), padded(['all', ...sums])];
}

function distribution(name: string, times: readonly DurationMs[]): readonly (string | number)[] {
  const sorted = times.toSorted((one, other) => one - other);
  const at = (share: number): string => {
    const ms = sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
    return ms === undefined ? '-' : (ms / 1000).toFixed(2);
  };
  return [name, sorted.length, at(0), at(0.5), at(0.9), at(0.99), at(1)];
}

/**
 * Seconds from the strike to the next event of the struck purchase, by kind and by state. Doubts have a row of their own:
 * most of them wait for nothing but their deadline.
 */
export function tableOfRecovery(struck: readonly Struck[]): readonly string[] {
  const kinds = [...new Set(struck.map(({ kind }) => kind))];
  const timesOf = (which: (each: Struck) => boolean): readonly DurationMs[] =>
    struck.flatMap((each) => (which(each) && each.recoveryMs !== null ? [each.recoveryMs] : []));
  const isSure = ({ state }: Struck): boolean => state !== 'in_doubt';
  const rows = [
    ...kinds.map((kind) =>
      distribution(
        kind,
        timesOf((each) => each.kind === kind && isSure(each)),
      ),
    ),
    ...liveStates.map((state) =>
      distribution(
        `in ${state}`,
        timesOf((each) => each.state === state && each.isOfProcess),
      ),
    ),
    distribution(
      'kills and stalls',
      timesOf((each) => each.isOfProcess && isSure(each)),
    ),
  ];
  return [padded(['recovery in s', 'count', 'min', 'p50', 'p90', 'p99', 'max']), ...rows.map(padded)];
}
