import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { v7 } from 'uuid';
import { verifyLedger } from '../../src/payment/centre/verify.ts';
import {
  captureOf,
  debitOf,
  holdOf,
  keyed,
  openTestWallet,
  startTestCentre,
  type TestCentre,
} from './centre-for-test.ts';

describe('the ledger as a whole', () => {
  let test: TestCentre;
  before(async function () {
    this.timeout(30_000);
    test = await startTestCentre();
  });
  after(() => test.stop());

  it('conserves money under any sequence of acts', async function () {
    this.timeout(30_000);
    const act = fc.record({
      kind: fc.constantFrom('debit', 'hold', 'capture', 'void', 'release', 'reverse', 'adjust', 'byKey', 'expire'),
      amount: fc.bigInt({ min: 1n, max: 400n }),
      pick: fc.nat({ max: 7 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 1, maxLength: 25 }), async (acts) => {
        const wallet = await openTestWallet(test, 1_000n);
        const payments: string[] = [v7()];
        const holds: { id: string; amount: bigint }[] = [{ id: v7(), amount: 1n }];
        const keys: string[] = [randomUUID()];
        for (const { kind, amount, pick } of acts) {
          const payment = payments[pick % payments.length] ?? '';
          const held = holds[pick % holds.length] ?? { id: '', amount: 1n };
          const key = randomUUID();
          const id = v7();
          if (kind === 'debit') await test.ledger.debit(keyed(key), id, debitOf(wallet, amount, amount / 20n));
          if (kind === 'hold') await test.ledger.placeHold(keyed(key), id, holdOf(wallet, amount));
          if (kind === 'capture')
            await test.ledger.capture(keyed(key), id, captureOf(wallet, held.amount, held.id, held.amount));
          if (kind === 'void') await test.ledger.void(keyed(key), held.id);
          if (kind === 'release') await test.ledger.release(keyed(key), id, payment);
          if (kind === 'reverse') await test.ledger.reverse(keyed(key), id, payment);
          if (kind === 'adjust') await test.ledger.adjust(keyed(key), id, payment, amount, 'XOF');
          if (kind === 'byKey') await test.ledger.reverseByKey(keyed(key), id, keys[pick % keys.length] ?? '');
          if (kind === 'expire') {
            await test.owner`update ledger.hold set expires_at = now() where id = ${held.id} and state = 'active'`;
            await test.ledger.expireDue(10);
          }
          if (kind === 'debit' || kind === 'capture') payments.push(id);
          if (kind === 'hold') holds.push({ id, amount });
          keys.push(key);
        }
        expect(await verifyLedger(test.app)).to.deep.equal([]);
      }),
      { numRuns: 12 },
    );
  });
});
