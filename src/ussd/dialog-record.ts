/**
 * The record of a dialog between two keys, as kept on the dialog board: everything another node needs to go on. It
 * never holds a PIN, nor a digest of one.
 */
import { z } from 'zod';
import type { OpenScreen } from './screens.ts';

const openScreens = [
  'ask_number',
  'unknown_number',
  'quote',
  'no_order',
  'busy',
  'order_changed',
  'ask_pin',
  'wrong_pin',
  'ask_confirm',
  'resume',
  'already_paid',
  'language',
] as const satisfies readonly OpenScreen[];

const amount = z.string().regex(/^\d{1,18}$/);

const schema = z.object({
  /** `answering`: we owe a text. `waiting`: the payer owes a key. `closed`: over; its business state can be taken up. */
  phase: z.enum(['answering', 'waiting', 'closed']),
  /** Who took the turn, new each time: the board takes an equal record for a repetition of one and the same call. */
  taker: z.string(),
  /** The gateway's session; never a key by itself. */
  sessionId: z.string().nullable(),
  /** Sessions of the payer's dials before this one. */
  formerSessions: z.array(z.string()).default([]),
  /** Digest of the dial that opened it, by which a copy of that dial is told from a copy of another one. */
  begunBy: z.string(),
  payerId: z.string().regex(/^\d+$/),
  /** The payer's own choice, or null. */
  language: z.string().nullable(),
  /** Named before the claim it is for, so that a key that comes twice finds the same purchase. */
  purchaseId: z.string(),
  /** The payer's yes for `purchaseId` may have reached the coordinator: from now on only the journal knows. */
  isConfirmed: z.boolean(),
  /** Reference of a confirmation whose commit has no answer yet. */
  reference: z.string().nullable(),
  machineNumber: z.string().nullable(),
  /** What was offered under `purchaseId`; null once the journal answers for it, or nothing was offered. */
  quoted: z
    .object({
      orderSeq: z.number().int(),
      orderId: z.string(),
      item: z.number().int().nullable(),
      amountMinor: amount,
      currency: z.string(),
      deliveryMs: z.number(),
      productName: z.string(),
    })
    .nullable(),
  /** What is on the handset, or null after the end. */
  screen: z.enum(openScreens).nullable(),
  text: z.string(),
  /** The key that opened the screen, empty for a dial; null where it was a PIN. */
  lastInput: z.string().nullable(),
  wrongKeys: z.number().int(),
  /** How often the payer let us look for his order again. */
  looks: z.number().int(),
});

/** A dialog between two keys. */
export type DialogRecord = z.infer<typeof schema>;
/** An offer: the order as the payer read it. */
export type Quoted = NonNullable<DialogRecord['quoted']>;

/** Reads a record; null for one that is not of this version: that dialog has lapsed. */
export function readRecord(body: string): DialogRecord | null {
  try {
    const read = schema.safeParse(JSON.parse(body));
    return read.success ? read.data : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** The record as kept. */
export function writeRecord(record: DialogRecord): string {
  return JSON.stringify(record);
}

/** A dialog in which nothing has happened. */
export function newRecord(of: {
  readonly payerId: bigint;
  readonly language: string | null;
  readonly sessionId: string | null;
  readonly begunBy: string;
  readonly purchaseId: string;
}): DialogRecord {
  return {
    phase: 'answering',
    taker: '',
    sessionId: of.sessionId,
    formerSessions: [],
    begunBy: of.begunBy,
    payerId: of.payerId.toString(),
    language: of.language,
    purchaseId: of.purchaseId,
    isConfirmed: false,
    reference: null,
    machineNumber: null,
    quoted: null,
    screen: null,
    text: '',
    lastInput: '',
    wrongKeys: 0,
    looks: 0,
  };
}
