/**
 * Settings of the machine agent.
 */
import type { DurationMs } from '../../time.ts';

/** Settings of one machine. Timers have the contract's defaults in `defaultAgentTimers`. */
export type AgentConfig = AgentTimers & {
  readonly machineId: string;
  /** `wss://host:port`; `ws` only in a private network. */
  readonly url: string;
  /** The machine's key, and the one before it where there are two; the first is tried first. */
  readonly keys: readonly [string, ...string[]];
  readonly currency: string;
  /** Decimal digits of the currency. */
  readonly exponent: number;
  /** Version of the firmware, at most 32 characters. */
  readonly firmware: string;
  /** Stays connected when idle; false: sleeps after `lingerMs`. */
  readonly staysConnected: boolean;
};

/** Timers of the agent. */
export type AgentTimers = {
  readonly maxWaitMs: DurationMs;
  readonly vmcMarginMs: DurationMs;
  readonly lingerMs: DurationMs;
  readonly connectMs: DurationMs;
  readonly callTimeoutMs: DurationMs;
  readonly deliveryMs: DurationMs;
  readonly nextContactMs: DurationMs;
};

/** The contract's values. */
export const defaultAgentTimers: AgentTimers = {
  maxWaitMs: 120_000,
  vmcMarginMs: 2_000,
  lingerMs: 3_000,
  connectMs: 30_000,
  callTimeoutMs: 10_000,
  deliveryMs: 60_000,
  nextContactMs: 86_400_000,
};

/** The agent's log, handed in. `alarm`: a person should look. */
export type AgentLog = {
  note(event: string, fields: Readonly<Record<string, unknown>>): void;
  alarm(event: string, fields: Readonly<Record<string, unknown>>): void;
};
