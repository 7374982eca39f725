import type { SmppLog, SmppMetrics } from '../../../src/smpp/bind.ts';

/** A log that remembers event names, and metrics that remember their labels. */
export interface Recorder {
  readonly log: SmppLog;
  readonly metrics: SmppMetrics;
  readonly events: string[];
  readonly counted: { readonly name: string; readonly labels: Readonly<Record<string, string>> }[];
  /** The values of the label `reason` of irregular PDUs, each once. */
  reasons(): string[];
  /** Resolves when the condition holds; looked at after each event and count. */
  until(condition: () => boolean): Promise<void>;
}

export function createRecorder(): Recorder {
  const events: string[] = [];
  const counted: { name: string; labels: Readonly<Record<string, string>> }[] = [];
  const looks = new Set<() => void>();
  const look = (): void => {
    for (const one of [...looks]) one();
  };
  const remember = (event: string): void => {
    events.push(event);
    look();
  };
  return {
    log: { info: remember, warn: remember, error: remember },
    metrics: {
      count: (name, labels) => {
        counted.push({ name, labels });
        look();
      },
      observe: () => {},
    },
    events,
    counted,
    until: (condition) =>
      new Promise((resolve) => {
        const attempt = (): void => {
          if (!condition()) return;
          looks.delete(attempt);
          resolve();
        };
        looks.add(attempt);
        attempt();
      }),
    reasons: () => {
      const irregular = counted.filter((one) => one.name === 'smpp_irregular_pdus_total');
      return [...new Set(irregular.map((one) => one.labels['reason'] ?? ''))].sort();
    },
  };
}
