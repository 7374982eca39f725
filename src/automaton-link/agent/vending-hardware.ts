/**
 * The machine's controller as the agent sees it: one implementation for each kind of machine.
 */
import type { VendFailureCode } from '../messages.ts';

/** What the agent tells the hardware before it works. Durations in milliseconds. */
export type HardwareSetup = {
  readonly currency: string;
  /** Decimal digits of the currency. */
  readonly exponent: number;
  readonly maxWaitMs: number;
  readonly deliveryMs: number;
};

/** What the hardware is; fills `caps` of `hello`. */
export type HardwareInfo = {
  readonly hw: 'mdb' | 'other';
  readonly mdbLevel: 1 | 2 | 3 | null;
  readonly alwaysIdle: boolean;
  readonly display: boolean;
};

/** What happens at the hardware. `selection` is the port's own counter, new for each selection. */
export type HardwareEvent =
  | { readonly kind: 'ready' }
  | { readonly kind: 'down'; readonly cause: string }
  /** `amount`: minor units, null where only the server knows the price; `item`: null where there is none. */
  | {
      readonly kind: 'selected';
      readonly selection: number;
      readonly item: number | null;
      readonly amount: bigint | null;
    }
  /** Ended at the machine before the go-ahead. */
  | { readonly kind: 'withdrawn'; readonly selection: number; readonly cause: 'user' | 'cash' | 'vmc' }
  | { readonly kind: 'delivered'; readonly selection: number }
  | { readonly kind: 'failed'; readonly selection: number; readonly code: VendFailureCode }
  /** After the go-ahead no result will come any more. */
  | { readonly kind: 'lost'; readonly selection: number; readonly basis: 'vmc_reset' | 'no_result' };

/** The hardware port. */
export interface VendingHardware {
  /** Resets what the controller had in hand. */
  open(setup: HardwareSetup): Promise<HardwareInfo>;
  onEvent(listener: (event: HardwareEvent) => void): void;
  /** The go-ahead; once per selection, after it is on disk that it will be given. */
  approve(selection: number): Promise<void>;
  /** The controller is free again. Harmless for a selection that is over. */
  deny(selection: number): Promise<void>;
  /** At most 32 ASCII characters, best effort. */
  display(text: string): Promise<void>;
  close(): Promise<void>;
}
