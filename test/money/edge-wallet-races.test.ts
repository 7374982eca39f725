/** The connector and the built-in centre, when answers are lost, late or cross each other. */
import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { startWalletFaults, type WalletFaults } from '../../simulators/wallet-faults.ts';
import type { GsmaConnector } from '../../src/payment/gsma.ts';
import type { Outcome, Terms } from '../../src/purchase/payment-port.ts';
import { systemClock } from '../../src/time.ts';
import {
  authorizeOf,
  balanceOf,
  connectorFor,
  expectSound,
  openTestWallet,
  refOf,
  startTestCentre,
  type TestCentre,
  type TestWallet,
  termsFor,
} from '../payment/centre-for-test.ts';

const PLANS = ['debit_refund', 'hold_capture'] as const;

describe('the connector and the centre', () => {
  let test: TestCentre;
  let relay: WalletFaults;
  let wallet: GsmaConnector;
  before(async function () {
    this.timeout(30_000);
    test = await startTestCentre();
    relay = await startWalletFaults({ target: test.centre.url, clock: systemClock });
    wallet = connectorFor(relay.url, { budgets: { authorizeMs: 400, otherMs: 400 } });
  });
  beforeEach(() => relay.set({ kind: 'none' }));
  after(async () => {
    await wallet.close();
    await relay.stop();
    await test.stop();
  });

  const undo = (terms: Terms, ref: string | null, authorizeKey: string) =>
    wallet.reverse({ key: randomUUID(), terms, ref, authorizeKey, amount: null, reason: 'jam' });
  const expire = (payer: TestWallet) =>
    test.owner`update ledger.hold set expires_at = now() - interval '1 second' where payer = ${payer.wallet}`;
  const whole = async (payer: TestWallet): Promise<void> => {
    expect(await balanceOf(test, payer.msisdn)).to.deep.equal({ posted: 1_000n, held: 0n });
    await expectSound(test);
  };

  it('find a capture done whose answer was lost, though the hold has run out since', async () => {
    const payer = await openTestWallet(test, 1_000n);
    const terms = termsFor(payer, 300n, 'hold_capture');
    const ref = refOf(await wallet.authorize(authorizeOf(terms)));
    const settling = { key: randomUUID(), terms, ref };
    relay.set({ kind: 'silent' });
    expect((await wallet.settle(settling)).kind).to.equal('unknown');
    await relay.quiet();
    relay.set({ kind: 'none' });
    await expire(payer);
    await test.ledger.expireDue(10);
    expect((await wallet.settle(settling)).kind).to.equal('done');
    expect(await balanceOf(test, payer.msisdn)).to.deep.equal({ posted: 700n, held: 0n });
    await expectSound(test);
  });

  it('call a hold gone whose capture never came, and leave the payer whole', async () => {
    const payer = await openTestWallet(test, 1_000n);
    const terms = termsFor(payer, 300n, 'hold_capture');
    const ref = refOf(await wallet.authorize(authorizeOf(terms)));
    const settling = { key: randomUUID(), terms, ref };
    relay.set({ kind: 'lost_request' });
    expect((await wallet.settle(settling)).kind).to.equal('unknown');
    relay.set({ kind: 'none' });
    await expire(payer);
    const gone: Outcome = { kind: 'declined', code: 'hold_gone' };
    expect(await wallet.settle(settling)).to.deep.equal(gone);
    expect(await wallet.query({ of: 'settle', ...settling })).to.deep.equal(gone);
    await whole(payer);
  });

  for (const plan of PLANS) {
    it(`give everything back by key while the payment itself is still on its way, ${plan}`, async function () {
      this.timeout(30_000);
      for (let run = 0; run < 10; run += 1) {
        const payer = await openTestWallet(test, 1_000n);
        const command = authorizeOf(termsFor(payer, 300n, plan));
        const asks = [
          () => wallet.authorize(command),
          () => undo(command.terms, null, command.key),
          () => wallet.authorize(command),
        ];
        if (run % 2 === 0) asks.reverse();
        await Promise.all(asks.map((ask) => ask()));
        expect((await undo(command.terms, null, command.key)).kind).to.equal('done');
        // Late copies of the payment: never a second one.
        await wallet.authorize(command);
        await whole(payer);
      }
    });

    it(`end a settlement and a reversal that cross with one of them, ${plan}`, async function () {
      this.timeout(30_000);
      for (let run = 0; run < 10; run += 1) {
        const payer = await openTestWallet(test, 1_000n);
        const command = authorizeOf(termsFor(payer, 300n, plan));
        const { terms } = command;
        const ref = refOf(await wallet.authorize(command));
        await Promise.all([
          wallet.settle({ key: randomUUID(), terms, ref }),
          undo(terms, ref, command.key),
          undo(terms, null, command.key),
        ]);
        expect((await undo(terms, ref, command.key)).kind).to.equal('done');
        await whole(payer);
      }
    });

    it(`give back once what was given back with its answer lost, ${plan}`, async () => {
      const payer = await openTestWallet(test, 1_000n);
      const command = authorizeOf(termsFor(payer, 300n, plan));
      const { terms } = command;
      const ref = refOf(await wallet.authorize(command));
      const key = randomUUID();
      const reversal = { key, terms, ref, authorizeKey: command.key, amount: null, reason: 'jam' };
      relay.set({ kind: 'reset' }, ({ method }) => method !== 'GET');
      expect((await wallet.reverse(reversal)).kind).to.equal('unknown');
      await relay.quiet();
      relay.set({ kind: 'none' });
      expect((await wallet.query({ of: 'reverse', key, terms, ref })).kind).to.equal('done');
      expect((await wallet.reverse(reversal)).kind).to.equal('done');
      expect((await undo(terms, ref, command.key)).kind).to.equal('done');
      await whole(payer);
    });
  }
});
