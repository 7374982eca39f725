/**
 * The demo's cards as data: what is done, what must be seen, what must be true afterwards.
 */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';

const checks = z.strictObject({
  /** Change of the payer's and of the operator's balance at the ledger, minor units. */
  payer: z.int().optional(),
  operator: z.int().optional(),
  /** Goods that left the machine, by its own count. */
  goods: z.int().min(0).optional(),
  /** Distinct authorizations that reached the wallet. */
  authorizes: z.int().min(0).optional(),
});
const who = { phone: z.string().optional() };
const textKeys = z
  .union([z.string(), z.array(z.string()).min(1)])
  .transform((keys) => (typeof keys === 'string' ? [keys] : keys));

/** What `until` may wait for. */
const moments = z.enum(['machine_free', 'order_waiting', 'wallet_asked', 'good_dropped', 'inside_cutoff']);
const machineActs = z.enum([
  'jam',
  'sold_out',
  'sensor_silent',
  'slow_delivery',
  'repair',
  'offline',
  'online',
  'power_off',
  'power_on',
]);
const walletActs = z.enum(['none', 'silent', 'lost_request', 'slow', 'status_5xx', 'double', 'reset', 'down']);

const step = z.union([
  z.strictObject({ select: z.int() }),
  z.strictObject({ cancel: z.literal(true) }),
  z.strictObject({ cash: z.literal(true) }),
  z.strictObject({ dial: z.string(), ...who }),
  z.strictObject({ dial_twice: z.string(), ...who }),
  z.strictObject({ key: z.string(), ...who }),
  z.strictObject({ key_twice: z.string(), ...who }),
  z.strictObject({ pin: z.enum(['right', 'wrong']), ...who }),
  z.strictObject({ hang_up: z.literal(true), ...who }),
  z.strictObject({ text: z.string(), ...who }),
  z.strictObject({ reply_code: z.string(), ...who }),
  z.strictObject({ screen: textKeys, ...who }),
  z.strictObject({ sms: textKeys, ...who }),
  /** The visitor takes his time. */
  z.strictObject({ wait_ms: z.int().min(0) }),
  z.strictObject({ machine: machineActs }),
  /** The machine's own clock goes on by so many milliseconds, and only that one. */
  z.strictObject({ time_passes_at_machine: z.int() }),
  z.strictObject({ wallet: walletActs }),
  z.strictObject({ until: moments }),
  z.strictObject({ check: checks }),
]);

const card = z.strictObject({
  number: z.int().min(1),
  title: z.string(),
  phone: z.string(),
  machine: z.string(),
  /** How long the machine waits for the payer in this card; default that of the demo. */
  waits_ms: z.int().min(30_000).max(250_000).optional(),
  steps: z.array(step).min(1),
  checks,
});

/** One card. */
export type Card = z.infer<typeof card>;
/** One step of a card. */
export type CardStep = z.infer<typeof step>;
/** What must be true, as differences over the card. */
export type CardChecks = z.infer<typeof checks>;
/** A moment that a step waits for. */
export type Moment = z.infer<typeof moments>;
/** What can be done to a machine, and to the wallet. */
export type MachineAct = z.infer<typeof machineActs>;
export type WalletAct = z.infer<typeof walletActs>;

/** All cards, in order. @throws ZodError naming the step that is wrong. */
export function readCards(): readonly Card[] {
  return z.array(card).parse(parse(readFileSync(new URL('./cards.yaml', import.meta.url), 'utf8')));
}
