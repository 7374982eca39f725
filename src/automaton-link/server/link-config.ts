/**
 * Timers and limits of the server's side of the link.
 */
import { assert } from '../../result.ts';
import type { DurationMs } from '../../time.ts';

/** Settings of the machine link; `defaultMachineLinkConfig` has the values that the contract names. */
export type MachineLinkConfig = {
  /** Taken off the machine's waiting time when its order is placed. */
  readonly marginMs: DurationMs;
  /** `payment.cutoffMs`: a confirmation later than this before the deadline is refused; told to the machine. */
  readonly cutoffMs: DurationMs;
  /** Time for a machine's answer, and for ours to a machine. */
  readonly callTimeoutMs: DurationMs;
  /** `approve` answers `unknown` after this; a later answer still counts. Not above the worker's `approveRetryMs`. */
  readonly approveAnswerMs: DurationMs;
  readonly helloMs: DurationMs;
  /** After `hello`, wait for the repeated `vend.request` before approvals go out. */
  readonly helloSettleMs: DurationMs;
  /** Pings with an order in play, and without. */
  readonly pingMs: DurationMs;
  readonly idlePingMs: DurationMs;
  readonly pongMs: DurationMs;
  readonly heartbeatMs: DurationMs;
  /** Told with `busy`. */
  readonly retryMs: DurationMs;
  /** Longest wait for running calls at shutdown. */
  readonly drainMs: DurationMs;
  /** What the machine shows while it waits; `{machine}` is its number. At most 32 ASCII characters when filled in. */
  readonly displayText: string;
  readonly callsPerSecond: number;
  readonly requestsPerMinute: number;
  readonly upgradesPerMinute: number;
  readonly failedUpgradesPerMinute: number;
  readonly maxConnections: number;
  /** Empty `order.query` a second after a wiped board. */
  readonly queriesPerSecond: number;
};

/** The contract's values. */
export const defaultMachineLinkConfig: MachineLinkConfig = {
  marginMs: 5_000,
  cutoffMs: 20_000,
  callTimeoutMs: 10_000,
  approveAnswerMs: 3_000,
  helloMs: 5_000,
  helloSettleMs: 2_000,
  pingMs: 20_000,
  idlePingMs: 120_000,
  pongMs: 10_000,
  heartbeatMs: 300_000,
  retryMs: 5_000,
  drainMs: 3_000,
  displayText: '*123*{machine}#',
  callsPerSecond: 20,
  requestsPerMinute: 30,
  upgradesPerMinute: 12,
  failedUpgradesPerMinute: 10,
  maxConnections: 20_000,
  queriesPerSecond: 200,
};

/** The log of the room, handed in. */
export type LinkLog = {
  info(event: string, fields: Readonly<Record<string, unknown>>): void;
  warn(event: string, fields: Readonly<Record<string, unknown>>): void;
  error(event: string, fields: Readonly<Record<string, unknown>>): void;
};

/** What a machine shows while it waits for a payer, cut to the 32 characters that every display has. */
export function displayTextOf(config: MachineLinkConfig, machineNumber: string): string {
  return config.displayText.replaceAll('{machine}', machineNumber).slice(0, 32);
}

/** @throws Bug when a display cannot show the template. */
export function checkDisplayText(config: MachineLinkConfig): void {
  assert(/^[\x20-\x7e]*$/.test(config.displayText), 'link.displayText is ASCII');
}
