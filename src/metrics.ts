/**
 * The one table of figures of this process. Names as in the design, without the prefix `relais_`; no phone number,
 * machine or purchase in a label.
 */

/** Labels of a figure. */
export type Labels = Readonly<Record<string, string>>;

/** A count, or sum and count of what was observed. */
export type Figure = number | { readonly sum: number; readonly count: number };

/** Counts and observed values, each under its name and labels. */
export type Metrics = {
  count(name: string, labels: Labels): void;
  observe(name: string, value: number, labels: Labels): void;
  /** All figures, `name{label="value"}` to count, or to sum and count of what was observed. */
  read(): Readonly<Record<string, Figure>>;
};

/** More series than this would mean that a label holds something unbounded; further ones are only counted. */
const MOST_SERIES = 5_000;
/** How often something was not kept for want of room. */
const REFUSED = 'series_refused_total';

/** Creates an empty table. */
export function createMetrics(): Metrics {
  const counts = new Map<string, number>();
  const sums = new Map<string, { sum: number; count: number }>();
  let refused = 0;
  const nameOf = (name: string, labels: Labels): string => {
    const written = Object.entries(labels)
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
      .map(([label, value]) => `${label}=${JSON.stringify(value)}`);
    return written.length === 0 ? name : `${name}{${written.join(',')}}`;
  };
  const hasRoom = (series: string): boolean => {
    if (counts.size + sums.size < MOST_SERIES || counts.has(series) || sums.has(series)) return true;
    refused += 1;
    return false;
  };
  return {
    count: (name, labels) => {
      const series = nameOf(name, labels);
      if (hasRoom(series)) counts.set(series, (counts.get(series) ?? 0) + 1);
    },
    observe: (name, value, labels) => {
      const series = nameOf(name, labels);
      if (!hasRoom(series)) return;
      const before = sums.get(series) ?? { sum: 0, count: 0 };
      sums.set(series, { sum: before.sum + value, count: before.count + 1 });
    },
    read: () =>
      Object.fromEntries<Figure>([...counts, ...sums, ...(refused === 0 ? [] : [[REFUSED, refused] as const])]),
  };
}
