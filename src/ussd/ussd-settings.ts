/**
 * What an operator may set of the USSD dialogs; a part of the configuration.
 */
import { z } from 'zod';

const ms = (byDefault: number, max: number): z.ZodDefault<z.ZodNumber> => z.number().int().min(1).max(max).default(byDefault);

/** The schema of `ussd:`, every field with its default. Durations in milliseconds. */
export const ussdSettingsSchema = z.strictObject({
  /** The code that payers dial, without `*` and `#`; with inner stars where a code is shared: `384*77`. */
  serviceCode: z
    .string()
    .regex(/^\d{2,6}(\*\d{1,6}){0,3}$/)
    .default('123'),
  /** How long a dial waits for the order that may still be on its way. */
  rendezvousMs: ms(4_000, 10_000),
  /** How long a claim lives after the last step. */
  claimMs: ms(60_000, 600_000),
  /** How long an interrupted dialog can be taken up again, and how far back a redial looks for the payer's purchases. */
  resumeMs: ms(300_000, 3_600_000),
  /** After a paid vend: a second purchase of the same thing asks first. */
  paidAgainMs: ms(60_000, 600_000),
  /** From the arrival of a dial or key to the last moment at which the answer is of use. */
  replyDeadlineMs: ms(8_000, 30_000),
  /** Without a key for so long, the dialog is over. */
  dialogIdleMs: ms(90_000, 600_000),
  /** A repetition within this time is the network's, not the payer's. */
  dedupeMs: ms(5_000, 60_000),
  /** How long the quote waits for the wallet's advice (ST10). */
  checkWaitMs: ms(1_000, 4_000),
  /** Dialogs open at once in this node; beyond it new ones hear `service_down`. */
  maxDialogs: z.number().int().min(1).max(1_000_000).default(20_000),
});

/** The settings of the USSD dialogs, checked. */
export type UssdSettings = z.infer<typeof ussdSettingsSchema>;
