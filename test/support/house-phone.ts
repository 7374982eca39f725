/**
 * Phones that dial into the house in memory: the real dialog over the house's ports, a telephone network that keeps
 * what it is sent.
 */
import { randomUUID } from 'node:crypto';
import type { PurchaseId } from '../../src/purchase/purchase.ts';
import type { UssdOutcome } from '../../src/smpp/account.ts';
import type { UssdRequest } from '../../src/smpp/inbound.ts';
import { createUssdGateway, type UssdAccount } from '../../src/ussd/ussd-gateway.ts';
import { phrases, settings } from '../ussd/support/phone-bench.ts';
import { type House, payer } from './house.ts';

/** A phone in somebody's hand. */
export interface Phone {
  /** A new dial, `*123*4567#` by default; the screen that comes back, `END ` before a last one, `nothing` when none does. */
  dial(text?: string): Promise<string>;
  /** A key on the open screen, after 6 s of reading it. */
  key(text: string, afterMs?: number): Promise<string>;
  /** The last request again, as a network does that did not hear its acknowledgement. */
  again(): Promise<string>;
  /** A key that two nodes get at the same time. */
  keyAt(text: string, ...nodes: readonly string[]): Promise<string>;
  hangUp(): Promise<void>;
  /** From now on dials and keys reach another node. */
  moveTo(node: string): void;
  /** What becomes of the next screens at the network. */
  setNetwork(outcome: UssdOutcome): void;
}

const echo: UssdRequest['echo'] = {
  bind: 'bind1',
  serviceType: 'USSD',
  subscriber: { ton: 1, npi: 1, addr: payer },
  service: { ton: 0, npi: 0, addr: '123' },
  sessionInfo: '0001',
  userMessageReference: null,
  dataCoding: 15,
};
/** Longer than any screen may take. */
const PATIENCE_MS = 10_000;
const STEP_MS = 100;

type Line = {
  readonly replies: string[];
  outcome: UssdOutcome;
  send(request: UssdRequest): Promise<void>;
};

/** Opens the network of a house. */
export function createPhones(house: House): (msisdn?: string) => Phone {
  const lines = new Map<string, Line>();
  let ids = 0;
  let sequence = 0;
  const newPurchaseId = (): PurchaseId => {
    ids += 1;
    return `00000000-0000-7000-8000-${String(ids).padStart(12, '0')}`;
  };
  const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

  function lineOf(name: string): Line {
    const known = lines.get(name);
    if (known !== undefined) return known;
    const { board, store, purchases } = house.node(name);
    const gateway = createUssdGateway({
      settings,
      cutoffMs: 20_000,
      phrases,
      dialogs: board.dialogs,
      orders: board.orders,
      directory: store.directory,
      subscribers: store.subscribers,
      purchases,
      newPurchaseId,
      newId: randomUUID,
      clock: house.clock,
      log: silent,
      metrics: { count: () => undefined, observe: () => undefined },
    });
    let listener: (request: UssdRequest) => Promise<void> = async () => undefined;
    const line: Line = { replies: [], outcome: 'taken', send: (request) => listener(request) };
    const account: UssdAccount = {
      name: 'operator',
      onUssd: (given) => {
        listener = given;
      },
      sendUssd: async ({ kind, text }) => {
        line.replies.push(`${kind === 'end' ? 'END ' : ''}${text}`);
        return line.outcome;
      },
    };
    gateway.listen(account);
    lines.set(name, line);
    return line;
  }

  return (msisdn = payer) => {
    let node = 'a';
    let session = 0;
    let last: UssdRequest | null = null;

    /** Sends to each node at once; the last screen that came back from any. */
    async function send(request: UssdRequest, ...nodes: readonly string[]): Promise<string> {
      const to = (nodes.length === 0 ? [node] : nodes).map((name) => lineOf(name));
      const before = to.map((line) => line.replies.length);
      last = request;
      let isOver = false;
      void Promise.all(to.map((line) => line.send(request))).finally(() => {
        isOver = true;
      });
      await house.clock.settle();
      for (let ms = 0; !isOver && ms < PATIENCE_MS; ms += STEP_MS) await house.advance(STEP_MS);
      return to.flatMap((line, index) => line.replies.slice(before[index])).at(-1) ?? 'nothing';
    }

    function request(given: Partial<UssdRequest>): UssdRequest {
      sequence += 1;
      const usual = { opStated: true, account: 'operator', bind: 'bind1', msisdn, serviceCode: null, damaged: false };
      return { ...usual, kind: 'continue', text: null, sessionId: `${msisdn}-${session}`, sequence, echo, ...given };
    }

    return {
      dial: (text = '*123*4567#') => {
        session += 1;
        return send(request({ kind: 'begin', text, serviceCode: '123' }));
      },
      key: async (text, afterMs = 6000) => {
        await house.advance(afterMs);
        return send(request({ text }));
      },
      again: async () => (last === null ? 'nothing' : send(last)),
      keyAt: async (text, ...nodes) => {
        await house.advance(6000);
        return send(request({ text }), ...nodes);
      },
      hangUp: async () => {
        await send(request({ kind: 'abort' }));
      },
      moveTo: (name) => {
        node = name;
      },
      setNetwork: (outcome) => {
        lineOf(node).outcome = outcome;
      },
    };
  };
}

/** The one purchase that the phones have begun. */
export function onlyPurchase(house: House): PurchaseId {
  const [id, ...more] = house.world.tables.purchases.keys();
  if (id === undefined || more.length > 0)
    throw new Error(`there are ${more.length + (id === undefined ? 0 : 1)} purchases`);
  return id;
}
