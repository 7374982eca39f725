/**
 * Random calls of two nodes on the real board and on the one in memory, reply by reply: the model is the memory board,
 * with deadlines so far away that only the calls decide.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import type { Board } from '../../src/order-board/board.ts';
import { createMemoryRedis } from '../support/memory-order-board.ts';
import { drink } from './board-subject.ts';
import { openRedis, type RedisSubject } from './redis-subject.ts';
import { createStillClock } from './still-clock.ts';

const machineIds = fc.constantFrom('m1', 'm2');
const purchaseIds = fc.constantFrom('p1', 'p2', 'p3');
const orderSeqs = fc.integer({ min: 1, max: 4 });
const holds = fc.constantFrom(0, 600_000);
const minLefts = fc.constantFrom(0, 500_000, 2_000_000);

type Act = (board: Board) => Promise<unknown>;
const acts: fc.Arbitrary<{ readonly far: boolean; readonly what: string; readonly act: Act }> = fc.oneof(
  fc
    .tuple(fc.boolean(), machineIds, orderSeqs, fc.constantFrom('print', 'other'), fc.constantFrom(0, 1_000_000))
    .map(([far, machineId, orderSeq, print, waitMs]) => ({
      far,
      what: `place ${orderSeq} on ${machineId}, ${print}, ${waitMs} ms`,
      act: ({ orders }: Board) => orders.place({ machineId, orderSeq, print, order: drink, waitMs }),
    })),
  fc
    .tuple(fc.boolean(), machineIds, purchaseIds, holds, minLefts)
    .map(([far, machineId, purchaseId, holdMs, minLeftMs]) => ({
      far,
      what: `claim ${machineId} for ${purchaseId}, ${holdMs}, ${minLeftMs}`,
      act: ({ orders }: Board) => orders.claim({ machineId, purchaseId, holdMs, minLeftMs }),
    })),
  fc
    .tuple(fc.boolean(), machineIds, purchaseIds, orderSeqs, minLefts)
    .map(([far, machineId, purchaseId, orderSeq, minLeftMs]) => ({
      far,
      what: `take ${orderSeq} of ${machineId} for ${purchaseId}, ${minLeftMs}`,
      act: ({ orders }: Board) => orders.takeForPayment({ machineId, purchaseId, orderSeq, minLeftMs }),
    })),
  fc.tuple(fc.boolean(), machineIds, purchaseIds, fc.boolean()).map(([far, machineId, purchaseId, fromPaying]) => ({
    far,
    what: `release ${machineId} by ${purchaseId}, ${fromPaying}`,
    act: ({ orders }: Board) => orders.release({ machineId, purchaseId, fromPaying }),
  })),
  fc
    .tuple(fc.boolean(), machineIds, orderSeqs, fc.constantFrom('canceled', 'sold'))
    .map(([far, machineId, orderSeq, why]) => ({
      far,
      what: `close ${orderSeq} of ${machineId}, ${why}`,
      act: ({ orders }: Board) => orders.close({ machineId, orderSeq, why }),
    })),
  fc.tuple(fc.boolean(), machineIds).map(([far, machineId]) => ({
    far,
    what: `look at ${machineId}`,
    act: ({ orders }: Board) => orders.look(machineId),
  })),
  fc.tuple(fc.boolean(), fc.nat(3), fc.constantFrom('one', 'other')).map(([far, turnRead, body]) => ({
    far,
    what: `save turn ${turnRead}, ${body}`,
    act: ({ dialogs }: Board) =>
      dialogs.save({ account: 'a', payer: 'p', turnRead, turn: turnRead + 1, body, ttlMs: 600_000 }),
  })),
  fc
    .tuple(fc.boolean(), fc.integer({ min: 1, max: 3 }), fc.integer({ min: 2, max: 3 }), fc.constantFrom('a', 'b'))
    .map(([far, part, total, text]) => ({
      far,
      what: `add part ${part} of ${total}, ${text}`,
      act: ({ dialogs }: Board) =>
        dialogs.addPart({ account: 'a', payer: 'p', reference: '1', total, part, text, ttlMs: 600_000 }),
    })),
);

/** The reply without what the clocks differ in. */
function timeless(reply: unknown): unknown {
  if (typeof reply !== 'object' || reply === null || Array.isArray(reply)) return reply;
  return Object.fromEntries(Object.entries(reply).filter(([name]) => name !== 'leftMs' && name !== 'holdLeftMs'));
}

describe('the Redis board, beside the one in memory', () => {
  let subject: RedisSubject;
  beforeEach(async () => {
    subject = await openRedis();
  });
  afterEach(() => subject.close());

  it('answers any calls of two nodes alike', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(acts, { minLength: 5, maxLength: 60, size: 'max' }), async (calls) => {
        await subject.redis.flushall();
        const memory = createMemoryRedis(createStillClock());
        const [near, far] = [memory.board('near'), memory.board('far')];
        for (const { far: isFar, what, act } of calls) {
          const real = await act(isFar ? subject.far : subject.near);
          const modeled = await act(isFar ? far : near);
          expect(timeless(real), what).to.deep.equal(timeless(modeled));
        }
      }),
      { numRuns: 50, interruptAfterTimeLimit: 4_000, markInterruptAsFailure: false },
    );
  });
});
