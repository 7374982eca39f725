/**
 * What an operator may set of the SMS side; a part of the configuration.
 */
import type { DurationMs } from '../time.ts';

/** All durations in milliseconds. In parentheses: the defaults of `config.ts`. */
export interface SmsSettings {
  /** How long a quote and its claim are kept (120 000). */
  readonly quoteMs: DurationMs;
  /** Quotes a number gets in an hour: each has one try of its code (3). */
  readonly quotesPerHour: number;
  /** How long an order by text waits for the machine's order, within the 5 s that the centre waits for us (2000). */
  readonly rendezvousMs: DurationMs;
  /** The same text again within this time gets no second answer (120 000). */
  readonly dedupeMs: DurationMs;
  /** Unclear texts are answered once in this time (600 000). */
  readonly helpEveryMs: DurationMs;
  /** How long parts of a long text wait for the others (300 000). */
  readonly partsMs: DurationMs;
  /** How far back purchases are looked at before a payer may hear "not charged" (600 000). */
  readonly lookBackMs: DurationMs;
  /** IANA zone of the times in receipts (`Africa/Dakar`). */
  readonly timeZone: string;
}
