/**
 * Dialogs, quotes by SMS, parts of texts and rates, as the order board in memory keeps them.
 */
import type { DialogBoard } from '../../src/purchase/order-board-port.ts';
import { Fault } from '../../src/result.ts';
import { createShelf, type Shelf } from './memory-shelf.ts';

/** Sees what is kept of dialogs in the moment in which it is kept. `payer` as in the calls. */
export type DialogWatch = {
  readonly saved: (payer: string, body: string) => void;
  readonly quoteSaved: (payer: string, body: string) => void;
  readonly quoteTaken: (payer: string, body: string) => void;
};

/** The memory that they share. */
export type DialogMemory = {
  readonly nowMs: () => number;
  readonly texts: Shelf<string>;
  readonly dialogs: Shelf<{ turn: number; body: string }>;
  readonly parts: Shelf<{ readonly total: number; readonly texts: Map<number, string> }>;
  readonly counters: Shelf<{ count: number }>;
  readonly watch: DialogWatch | null;
  /** A new token, unlike any other. */
  readonly newToken: () => string;
  /** Carries a call out as if over a connection. */
  readonly over: <Reply>(act: () => Reply) => Promise<Reply>;
};

function addPart({ parts, nowMs, over }: DialogMemory): DialogBoard['addPart'] {
  return ({ account, payer, reference, total, part, text, ttlMs }) =>
    over(() => {
      const isPossible =
        Number.isInteger(total) && Number.isInteger(part) && part >= 1 && part <= total && total <= 255;
      if (!isPossible) return null;
      const key = `${account}:${payer}:${reference}`;
      const there = parts.get(key);
      const isOther = there?.total !== total || (there.texts.has(part) && there.texts.get(part) !== text);
      const kept = there === undefined || isOther ? { total, texts: new Map<number, string>() } : there;
      kept.texts.set(part, text);
      parts.set(key, kept, nowMs() + ttlMs);
      if (kept.texts.size < total) return null;
      return [...kept.texts].sort(([one], [other]) => one - other).map(([, whole]) => whole);
    });
}

/** The dialogs of one node's board. While not `isReachable`, rates are counted by each node for itself. */
export function createDialogs(memory: DialogMemory, isReachable: () => boolean): DialogBoard {
  const { dialogs, texts, counters, nowMs, over, newToken, watch } = memory;
  const doubtful = new Map<string, string>();
  /** Uses counted while the memory could not be reached: each node for itself, as the real one does. */
  const insurance = createShelf<{ count: number }>(nowMs);
  return {
    load: (account, payer) => over(() => dialogs.get(`${account}:${payer}`) ?? null),
    save: ({ account, payer, turnRead, turn, body, ttlMs }) =>
      over(() => {
        const key = `${account}:${payer}`;
        const there = dialogs.get(key);
        if ((there?.turn ?? 0) !== turnRead) return there?.body === body;
        dialogs.set(key, { turn, body }, nowMs() + ttlMs);
        watch?.saved(payer, body);
        return true;
      }),
    isFirst: (account, digest, ttlMs) => {
      // As over Redis: a mark whose reply was lost keeps its token, by which its maker knows it again.
      const key = `seen:${account}:${digest}`;
      const token = doubtful.get(key) ?? newToken();
      doubtful.delete(key);
      return over(() => {
        const before = texts.get(key);
        if (before === undefined) texts.set(key, token, nowMs() + ttlMs);
        return before === undefined || before === token;
      }).catch((error: unknown) => {
        if (error instanceof Fault && error.happened === 'unknown') doubtful.set(key, token);
        throw error;
      });
    },
    saveQuote: (account, payer, body, ttlMs) =>
      over(() => {
        texts.set(`quote:${account}:${payer}`, body, nowMs() + ttlMs);
        watch?.quoteSaved(payer, body);
      }),
    takeQuote: (account, payer) =>
      over(() => {
        const quote = texts.get(`quote:${account}:${payer}`);
        texts.delete(`quote:${account}:${payer}`);
        if (quote !== undefined) watch?.quoteTaken(payer, quote);
        return quote ?? null;
      }),
    addPart: addPart(memory),
    isWithinRate: async (what, id, limit, windowMs) => {
      const shelf = isReachable() ? counters : insurance;
      const counter = shelf.get(`${what}:${id}`) ?? { count: 0 };
      if (counter.count === 0) shelf.set(`${what}:${id}`, counter, nowMs() + windowMs);
      counter.count += 1;
      return counter.count <= limit;
    },
  };
}
