/** Everything at once on the same few accounts, holds and payments, as after an hour in which the wallet was away. */
import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { v7 } from 'uuid';
import {
  balanceOf,
  captureOf,
  debitOf,
  expectSound,
  holdOf,
  keyed,
  openTestWallet,
  startTestCentre,
  type TestCentre,
  type TestWallet,
} from '../payment/centre-for-test.ts';

const OPENING = 2_000n;

describe('a ledger asked for everything at once', () => {
  let test: TestCentre;
  before(async function () {
    this.timeout(30_000);
    test = await startTestCentre();
  });
  after(() => test.stop());

  async function secured(wallet: TestWallet) {
    const [hold, payment] = [v7(), v7()];
    const [holdKey, paymentKey] = [randomUUID(), randomUUID()];
    await test.ledger.placeHold(keyed(holdKey), hold, holdOf(wallet, 300n, 700n));
    await test.ledger.debit(keyed(paymentKey), payment, debitOf(wallet, 200n, 10n));
    return { wallet, hold, payment, holdKey, paymentKey, unseenKey: randomUUID(), captureKey: randomUUID() };
  }

  it('never deadlocks, and can give every payer all of his money back, once', async function () {
    this.timeout(60_000);
    const act = fc.record({ of: fc.nat(2), what: fc.nat(9), key: fc.nat(3) });
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 40, maxLength: 80 }), async (acts) => {
        const wallets = await Promise.all([0, 1, 2].map(() => openTestWallet(test, OPENING)));
        const cases = await Promise.all(wallets.map(secured));
        const keys = cases.map(() => Array.from({ length: 40 }, () => randomUUID()));
        const run = async ({ of, what, key }: (typeof acts)[number]): Promise<unknown> => {
          const one = cases[of];
          const its = keys[of]?.[what * 4 + key];
          if (one === undefined || its === undefined) return;
          const { ledger } = test;
          switch (what) {
            case 0:
              return await ledger.capture(keyed(one.captureKey), v7(), captureOf(one.wallet, 300n, one.hold, 15n));
            case 1:
              return await ledger.void(keyed(its), one.hold);
            case 2:
              return await ledger.release(keyed(its), v7(), one.payment);
            case 3:
              return await ledger.reverse(keyed(its), v7(), one.payment);
            case 4:
              return await ledger.adjust(keyed(its), v7(), one.payment, 60n, 'XOF');
            case 5:
              return await ledger.reverseByKey(keyed(its), v7(), one.holdKey);
            case 6:
              return await ledger.reverseByKey(keyed(its), v7(), one.paymentKey);
            case 7:
              return await ledger.reverseByKey(keyed(its), v7(), key < 2 ? one.captureKey : one.unseenKey);
            case 8:
              return await ledger.debit(keyed(one.unseenKey), v7(), debitOf(one.wallet, 100n));
            default:
              return await ledger.expireDue(500);
          }
        };
        await Promise.all(acts.map(run));
        // Whatever was left is given back: nobody's money may be anywhere else by then.
        for (const { holdKey, paymentKey, unseenKey, captureKey } of cases) {
          for (const key of [holdKey, paymentKey, unseenKey, captureKey]) {
            const answer = await test.ledger.reverseByKey(keyed(), v7(), key);
            expect(answer.status).to.equal(201);
          }
        }
        for (const { msisdn } of wallets) {
          expect(await balanceOf(test, msisdn)).to.deep.equal({ posted: OPENING, held: 0n });
        }
        await expectSound(test);
      }),
      { numRuns: 25 },
    );
  });
});
