/**
 * What is kept of a sender between two texts: the quote with its code, and under which name his claim is held.
 */
import { z } from 'zod';
import { type DialogBoard, turnAfter } from '../purchase/order-board-port.ts';
import { Fault } from '../result.ts';
import type { Clock, DurationMs } from '../time.ts';

const quoteSchema = z.object({
  code: z.string().regex(/^\d{3}$/),
  purchaseId: z.string(),
  machineNumber: z.string(),
  orderSeq: z.number().int(),
  orderId: z.string(),
  item: z.number().int().nullable(),
  amountMinor: z.string().regex(/^\d{1,18}$/),
  currency: z.string(),
  deliveryMs: z.number(),
  productName: z.string(),
});

/** An offer by SMS. Whoever reads it takes it, so a code has one try. */
export type SmsQuote = z.infer<typeof quoteSchema>;

const claimSchema = z.object({
  /** Named before the claim it is for. */
  purchaseId: z.string(),
  machineNumber: z.string(),
  /** False once it was confirmed, canceled or voided: the next order gets a new name. */
  isOpen: z.boolean(),
  /** Name of a confirmation whose commit has no answer: until the journal knows it, nobody knows of its money. */
  unansweredId: z.string().nullable().default(null),
});

/** Under which name a sender's claim is held. */
export type SmsClaim = z.infer<typeof claimSchema>;

/** A claim as read, with the number of its turn; 0 when there was none. */
export type ReadClaim = { readonly turn: number; readonly claim: SmsClaim | null };

const savesMax = 3;

/** Reads and keeps conversations. Calls that may be repeated are, once, when their answer was lost. */
export function createConversations(dialogs: DialogBoard, clock: Clock, ttlMs: DurationMs) {
  const nameOf = (payer: string): string => `sms:${payer}`;

  async function readClaim(account: string, payer: string): Promise<ReadClaim> {
    const found = await dialogs.load(account, nameOf(payer));
    if (found === null) return { turn: 0, claim: null };
    const read = claimSchema.safeParse(parseJson(found.body));
    return { turn: found.turn, claim: read.success ? read.data : null };
  }

  return {
    readClaim,
    /**
     * Keeps the claim's name, over whatever another text has kept meanwhile: the later text counts. An unanswered
     * confirmation stays, whatever claim comes after it, unless the claim says otherwise. @returns the turn it is kept under
     */
    keepClaim: async (
      account: string,
      payer: string,
      claim: Omit<SmsClaim, 'unansweredId'> & Partial<Pick<SmsClaim, 'unansweredId'>>,
    ): Promise<number> => {
      for (let saves = 0; saves < savesMax; saves += 1) {
        const { turn: turnRead, claim: before } = await readClaim(account, payer);
        const body = JSON.stringify({ unansweredId: before?.unansweredId ?? null, ...claim });
        const turn = turnAfter(turnRead, clock);
        if (await dialogs.save({ account, payer: nameOf(payer), turnRead, turn, body, ttlMs })) return turn;
      }
      throw new Fault('conversation_moved', 'no');
    },
    keepQuote: (account: string, payer: string, quote: SmsQuote, quoteMs: DurationMs): Promise<void> =>
      dialogs.saveQuote(account, payer, JSON.stringify(quote), quoteMs),
    takeQuote: async (account: string, payer: string): Promise<SmsQuote | null> => {
      const body = await dialogs.takeQuote(account, payer);
      if (body === null) return null;
      const read = quoteSchema.safeParse(parseJson(body));
      return read.success ? read.data : null;
    },
  };
}

/** The conversations of one node. */
export type Conversations = ReturnType<typeof createConversations>;

/** The same conversations; `onTurn` hears the number of each turn that is read or kept. */
export function watchTurns(talks: Conversations, onTurn: (turn: number) => void): Conversations {
  return {
    ...talks,
    readClaim: async (account, payer) => {
      const read = await talks.readClaim(account, payer);
      onTurn(read.turn);
      return read;
    },
    keepClaim: async (account, payer, claim) => {
      const turn = await talks.keepClaim(account, payer, claim);
      onTurn(turn);
      return turn;
    },
  };
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
