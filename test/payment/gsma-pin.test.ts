import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { GsmaConnector } from '../../src/payment/gsma.ts';
import { type Outcome, Secret } from '../../src/purchase/payment-port.ts';
import type { DeclineCode } from '../../src/purchase/purchase.ts';
import {
  authorizeOf,
  balanceOf,
  connectorFor,
  expectSound,
  openTestWallet,
  refOf,
  startTestCentre,
  type TestCentre,
  termsFor,
} from './centre-for-test.ts';

const declinedWith = (code: DeclineCode): Outcome => ({ kind: 'declined', code });

describe('a payment that waits for the PIN', () => {
  let test: TestCentre;
  let wallet: GsmaConnector;
  before(async function () {
    this.timeout(30_000);
    test = await startTestCentre();
    wallet = connectorFor(test.centre.url);
  });
  after(async () => {
    await wallet.close();
    await test.stop();
  });

  for (const plan of ['debit_refund', 'hold_capture'] as const) {
    describe(`with plan ${plan}`, () => {
      it('moves nothing until the payer has given the PIN', async () => {
        const payer = await openTestWallet(test, 1_000n, 'always');
        const command = authorizeOf(termsFor(payer, 300n, plan));
        const asked = await wallet.authorize(command);
        expect(asked).to.include({ kind: 'needs_validation', by: 'pin', triesLeft: null });
        expect(asked.kind === 'needs_validation' && asked.expiresInMs).to.be.within(55_000, 60_000);
        expect(await balanceOf(test, payer.msisdn)).to.deep.equal({ posted: 1_000n, held: 0n });
        const { terms } = command;
        const key = randomUUID();
        const done = await wallet.validate({ key, terms, ref: refOf(asked), answer: new Secret('2468') });
        expect(done.kind).to.equal('done');
        expect((await wallet.query({ of: 'validate', key, terms, ref: refOf(asked) })).kind).to.equal('done');
        expect((await wallet.query({ of: 'authorize', key: command.key, terms, ref: null })).kind).to.equal('done');
        expect((await wallet.settle({ key: randomUUID(), terms, ref: refOf(done) })).kind).to.equal('done');
        expect(await balanceOf(test, payer.msisdn)).to.deep.equal({ posted: 700n, held: 0n });
        await expectSound(test);
      });

      it('counts the tries of the PIN, asks again, and locks after the third wrong one', async () => {
        const payer = await openTestWallet(test, 1_000n, 'always');
        const command = authorizeOf(termsFor(payer, 300n, plan));
        const { terms } = command;
        const ref = refOf(await wallet.authorize(command));
        const wrong = () => wallet.validate({ key: randomUUID(), terms, ref, answer: new Secret('0000') });
        expect(await wrong()).to.include({ kind: 'needs_validation', triesLeft: 2 });
        const second = await wrong();
        expect(second).to.include({ kind: 'needs_validation', triesLeft: 1 });
        expect(second.kind === 'needs_validation' && second.expiresInMs).to.be.within(50_000, 60_000);
        expect(await wrong()).to.deep.equal(declinedWith('pin_locked'));
        expect(await wallet.query({ of: 'authorize', key: command.key, terms, ref: null })).to.deep.equal(
          declinedWith('pin_locked'),
        );
        expect(await wallet.authorize(authorizeOf(termsFor(payer, 300n, plan)))).to.deep.equal(
          declinedWith('pin_locked'),
        );
        expect(await balanceOf(test, payer.msisdn)).to.deep.equal({ posted: 1_000n, held: 0n });
        await expectSound(test);
      });

      it('takes one try for a validation sent twice', async () => {
        const payer = await openTestWallet(test, 1_000n, 'always');
        const command = authorizeOf(termsFor(payer, 300n, plan));
        const ref = refOf(await wallet.authorize(command));
        const key = randomUUID();
        const again = () => wallet.validate({ key, terms: command.terms, ref, answer: new Secret('0000') });
        const outcomes = [await again(), await again()];
        expect(outcomes.map((outcome) => outcome.kind === 'needs_validation' && outcome.triesLeft)).to.deep.equal([
          2, 2,
        ]);
        await expectSound(test);
      });

      it('fails by itself when the payer stays silent', async () => {
        const payer = await openTestWallet(test, 1_000n, 'always');
        const command = authorizeOf(termsFor(payer, 300n, plan));
        const asked = await wallet.authorize(command);
        const id = (refOf(asked).split(':')[1] ?? '').toLowerCase();
        await test.owner`update ledger.payment set expires_at = now() - interval '1 second' where id = ${id}`;
        await test.owner`update ledger.hold set expires_at = now() - interval '1 second' where id = ${id}`;
        const question = { of: 'authorize' as const, key: command.key, terms: command.terms, ref: null };
        expect(await wallet.query(question)).to.deep.equal(declinedWith('payer_silent'));
        const { terms } = command;
        const answerLate = () =>
          wallet.validate({ key: randomUUID(), terms, ref: refOf(asked), answer: new Secret('2468') });
        expect(await answerLate()).to.deep.equal(declinedWith('payer_silent'));
        await test.ledger.expireDue(100);
        expect(await answerLate()).to.deep.equal(declinedWith('payer_silent'));
        expect(await wallet.query(question)).to.deep.equal(declinedWith('payer_silent'));
        await expectSound(test);
      });

      it('is stopped by the key alone', async () => {
        const payer = await openTestWallet(test, 1_000n, 'always');
        const command = authorizeOf(termsFor(payer, 300n, plan));
        const { terms, key: authorizeKey } = command;
        const ref = refOf(await wallet.authorize(command));
        const undo = { key: randomUUID(), terms, ref: null, authorizeKey, amount: null, reason: 'test' };
        expect((await wallet.reverse(undo)).kind).to.equal('done');
        const question = { of: 'authorize' as const, key: authorizeKey, terms, ref: null };
        expect((await wallet.query(question)).kind).to.equal('declined');
        const late = await wallet.validate({ key: randomUUID(), terms, ref, answer: new Secret('2468') });
        expect(late.kind).to.not.equal('done');
        expect(await balanceOf(test, payer.msisdn)).to.deep.equal({ posted: 1_000n, held: 0n });
        await expectSound(test);
      });

      it('stops a request that waits for the PIN', async () => {
        const payer = await openTestWallet(test, 1_000n, 'always');
        const command = authorizeOf(termsFor(payer, 300n, plan));
        const ref = refOf(await wallet.authorize(command));
        expect(
          (
            await wallet.reverse({
              key: randomUUID(),
              terms: command.terms,
              ref,
              authorizeKey: command.key,
              amount: null,
              reason: 'test',
            })
          ).kind,
        ).to.equal('done');
        const late = await wallet.validate({
          key: randomUUID(),
          terms: command.terms,
          ref,
          answer: new Secret('2468'),
        });
        expect(late.kind).to.equal('declined');
        expect(await balanceOf(test, payer.msisdn)).to.deep.equal({ posted: 1_000n, held: 0n });
        await expectSound(test);
      });
    });
  }

  it('leaves no number and no PIN in the log', async () => {
    const payer = await openTestWallet(test, 1_000n, 'always');
    const command = authorizeOf(termsFor(payer, 300n, 'debit_refund'));
    const ref = refOf(await wallet.authorize(command));
    await wallet.validate({ key: randomUUID(), terms: command.terms, ref, answer: new Secret('2468') });
    const text = JSON.stringify(test.lines);
    expect(test.lines.filter((line) => line.event === 'centre_fault')).to.deep.equal([]);
    expect(text).not.to.contain(payer.msisdn);
    expect(text).not.to.contain('2468');
  });
});
