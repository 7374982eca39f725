/**
 * What the phone rooms keep for a few minutes: dialogs, quotes, parts of long messages, marks of doubled ones. No full
 * phone number becomes a key: the payer's number is hashed here, whoever calls.
 */
import { randomBytes } from 'node:crypto';
import type { DialogBoard } from '../purchase/order-board-port.ts';
import { assert, Bug, Fault } from '../result.ts';
import type { DurationMs } from '../time.ts';
import { dialogKey, partsKey, quoteKey, seenKey } from './keys.ts';
import type { RateLimit } from './rate-limit.ts';
import type { RedisCommands } from './redis-client.ts';
import { listOf, textAt, textOrNull } from './redis-reply.ts';

/** What the dialog board stands on. */
export type DialogBoardDeps = {
  readonly commands: RedisCommands;
  readonly rates: RateLimit;
  /** Keyed hash of the payer's number, the same on every node. */
  readonly payerMac: (payer: string) => string;
};

/** 3GPP TS 23.040, 9.2.3.24.1: a concatenated message has 1 to 255 parts. */
const MOST_PARTS = 255;
/** Marks whose outcome is not known and may be asked for again; the oldest is forgotten first. */
const MOST_DOUBTFUL_MARKS = 1_000;

function ttl(durationMs: DurationMs): number {
  return Math.max(1, Math.ceil(durationMs));
}

function looksLikeNumber(id: string): boolean {
  return /^\+?\d{8,15}$/.test(id);
}

/**
 * Marks messages as taken. A mark whose reply was cut off keeps its token, so that asking again tells "it was I" from
 * "it was taken before": otherwise a message could be lost between the two.
 */
function createMarks(commands: RedisCommands): (key: string, ttlMs: DurationMs) => Promise<boolean> {
  const doubtful = new Map<string, string>();
  return async (key, ttlMs) => {
    const token = doubtful.get(key) ?? randomBytes(9).toString('base64url');
    doubtful.delete(key);
    try {
      const before = textOrNull(await commands.call('set', key, token, 'NX', 'GET', 'PX', ttl(ttlMs)));
      return before === null || before === token;
    } catch (error) {
      if (error instanceof Fault && error.happened === 'unknown') {
        doubtful.set(key, token);
        for (const oldest of doubtful.keys()) {
          if (doubtful.size <= MOST_DOUBTFUL_MARKS) break;
          doubtful.delete(oldest);
        }
      }
      throw error;
    }
  };
}

function readDialog(reply: unknown): { readonly turn: number; readonly body: string } | null {
  const [turn, body] = listOf(reply);
  if (turn === null) return null;
  assert(typeof turn === 'string' && typeof body === 'string', 'a dialog has a turn and a body');
  return { turn: Number(turn), body };
}

function saveDialog(commands: RedisCommands, keyOf: (account: string, payer: string) => string): DialogBoard['save'] {
  return async ({ account, payer, turnRead, turn, body, ttlMs }) => {
    const reply = await commands.run('save_dialog', keyOf(account, payer), turnRead, turn, ttl(ttlMs), body);
    const kind = textAt(reply, 0);
    if (kind === 'saved') return true;
    if (kind !== 'moved') throw new Bug(`save_dialog answered ${kind}`);
    // Our own words: the reply to the first call was cut off.
    return textAt(reply, 1) === body;
  };
}

/**
 * The dialog board over one connection. Every call may be repeated.
 *
 * `takeQuote`: a reply that is cut off may lose the quote; the payer is asked to text again.
 * `addPart`: every part of a whole message that is added again hears all parts again; a part that cannot be (not within
 * 1..total, total not within 1..255) is not kept and hears null.
 * @throws Fault `board_unreachable` from every method but `isWithinRate`
 */
export function createDialogBoard({ commands, rates, payerMac }: DialogBoardDeps): DialogBoard {
  const isFirst = createMarks(commands);
  const keyOf = (account: string, payer: string): string => dialogKey(account, payerMac(payer));
  return {
    load: async (account, payer) => readDialog(await commands.call('hmget', keyOf(account, payer), 'turn', 'body')),
    save: saveDialog(commands, keyOf),
    isFirst: (account, digest, ttlMs) => isFirst(seenKey(account, digest), ttlMs),
    saveQuote: async (account, payer, body, ttlMs) => {
      await commands.call('set', quoteKey(account, payerMac(payer)), body, 'PX', ttl(ttlMs));
    },
    takeQuote: async (account, payer) => textOrNull(await commands.call('getdel', quoteKey(account, payerMac(payer)))),
    addPart: async ({ account, payer, reference, total, part, text, ttlMs }) => {
      const isPossible = Number.isInteger(total) && Number.isInteger(part) && part >= 1 && part <= total;
      if (!isPossible || total > MOST_PARTS) return null;
      const key = partsKey(account, payerMac(payer), reference);
      const reply = await commands.run('add_part', key, total, part, text, ttl(ttlMs));
      if (textAt(reply, 0) === 'part_missing') return null;
      return reply.slice(1).map((_, place) => textAt(reply, place + 1));
    },
    isWithinRate: (what, id, limit, windowMs) =>
      rates.isWithin({ what, id: looksLikeNumber(id) ? payerMac(id) : id, limit, windowMs }),
  };
}
