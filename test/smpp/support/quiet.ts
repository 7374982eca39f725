import type { SmppLog, SmppMetrics } from '../../../src/smpp/bind.ts';

/** A log that remembers event names, and metrics that remember their labels. */
export interface Recorder {
  readonly log: SmppLog;
  readonly metrics: SmppMetrics;
  readonly events: string[];
  readonly counted: { readonly name: string; readonly labels: Readonly<Record<string, string>> }[];
  /** The values of the label `reason` of irregular PDUs, each once. */
  reasons(): string[];
}

export function createRecorder(): Recorder {
  const events: string[] = [];
  const counted: { name: string; labels: Readonly<Record<string, string>> }[] = [];
  const remember = (event: string): void => {
    events.push(event);
  };
  return {
    log: { info: remember, warn: remember, error: remember },
    metrics: {
      count: (name, labels) => {
        counted.push({ name, labels });
      },
      observe: () => {},
    },
    events,
    counted,
    reasons: () => {
      const irregular = counted.filter((one) => one.name === 'smpp_irregular_pdus_total');
      return [...new Set(irregular.map((one) => one.labels['reason'] ?? ''))].sort();
    },
  };
}
