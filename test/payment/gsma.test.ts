import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { startWalletFaults, type WalletFaults } from '../../simulators/wallet-faults.ts';
import type { GsmaConnector } from '../../src/payment/gsma.ts';
import type { Outcome, Terms } from '../../src/purchase/payment-port.ts';
import type { DeclineCode } from '../../src/purchase/purchase.ts';
import { systemClock } from '../../src/time.ts';
import {
  admin,
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
  xof,
} from './centre-for-test.ts';

const PLANS = ['debit_refund', 'hold_capture'] as const;
const BUDGETS = { connectMs: 500, checkMs: 300, authorizeMs: 300, otherMs: 300 };

describe('the GSMA connector', () => {
  let test: TestCentre;
  let relay: WalletFaults;
  /** Straight to the centre. */
  let wallet: GsmaConnector;
  /** Through the relay. */
  let far: GsmaConnector;
  /** Through the relay, with little patience: for what is never answered. */
  let hasty: GsmaConnector;

  before(async function () {
    this.timeout(30_000);
    test = await startTestCentre();
    relay = await startWalletFaults({ target: test.centre.url, clock: systemClock });
    wallet = connectorFor(test.centre.url);
    far = connectorFor(relay.url);
    hasty = connectorFor(relay.url, { budgets: BUDGETS });
  });
  afterEach(() => relay.set({ kind: 'none' }));
  after(async () => {
    await Promise.all([wallet.close(), far.close(), hasty.close()]);
    await relay.stop();
    await test.stop();
  });

  const undo = (terms: Terms, ref: string | null, authorizeKey: string, key: string = randomUUID()) => ({
    key,
    terms,
    ref,
    authorizeKey,
    amount: null,
    reason: 'test',
  });
  const declinedWith = (code: DeclineCode): Outcome => ({ kind: 'declined', code });

  async function authorized(
    payer: TestWallet,
    price: bigint,
    plan: Terms['plan'],
  ): Promise<{ terms: Terms; key: string; ref: string }> {
    const terms = termsFor(payer, price, plan);
    const command = authorizeOf(terms);
    const outcome = await wallet.authorize(command);
    expect(outcome.kind).to.equal('done');
    return { terms, key: command.key, ref: refOf(outcome) };
  }

  describe('check', () => {
    it('says whether the account is there, usable and funded, and whether a PIN will be asked', async () => {
      const rich = await openTestWallet(test, 500n);
      const poor = await openTestWallet(test, 10n, 'always');
      const blocked = await openTestWallet(test, 500n);
      await admin(test, '/wallets/status', { msisdn: blocked.msisdn, currency: 'XOF', status: 'unavailable' });
      expect(await wallet.check({ payer: rich.msisdn, price: xof(500n) })).to.deep.equal({
        account: 'available',
        affordable: 'yes',
        validation: 'none',
      });
      expect(await wallet.check({ payer: poor.msisdn, price: xof(500n) })).to.deep.equal({
        account: 'available',
        affordable: 'no',
        validation: 'pin',
      });
      expect((await wallet.check({ payer: blocked.msisdn, price: xof(1n) })).account).to.equal('unavailable');
      expect((await wallet.check({ payer: '33639990000', price: xof(1n) })).account).to.equal('unregistered');
    });

    it('knows nothing when the wallet is silent', async () => {
      relay.set({ kind: 'silent' });
      const answer = await hasty.check({ payer: '33639990000', price: xof(1n) });
      expect(answer).to.deep.equal({ account: 'unknown', affordable: 'unknown', validation: 'unknown' });
    });
  });

  for (const plan of PLANS) {
    describe(`with plan ${plan}`, () => {
      it('secures the price, settles it, and the operator has it', async () => {
        const payer = await openTestWallet(test, 1_000n);
        const before = await test.accounts.operatorBalance(payer.operator, 'XOF');
        const { terms, ref } = await authorized(payer, 300n, plan);
        const { posted, held } = await balanceOf(test, payer.msisdn);
        expect(posted - held).to.equal(700n);
        expect((await wallet.settle({ key: randomUUID(), terms, ref })).kind).to.equal('done');
        expect((await test.accounts.operatorBalance(payer.operator, 'XOF')).available - before.available).to.equal(
          300n,
        );
        expect(await balanceOf(test, payer.msisdn)).to.deep.equal({ posted: 700n, held: 0n });
        await expectSound(test);
      });

      it('gives everything back, and says so again under a second key', async () => {
        const payer = await openTestWallet(test, 1_000n);
        const { terms, ref, key } = await authorized(payer, 300n, plan);
        expect((await wallet.reverse(undo(terms, ref, key))).kind).to.equal('done');
        expect((await wallet.reverse(undo(terms, ref, key))).kind).to.equal('done');
        expect(await balanceOf(test, payer.msisdn)).to.deep.equal({ posted: 1_000n, held: 0n });
        await expectSound(test);
      });

      it('gives back after the settlement, in part and then the rest', async () => {
        const payer = await openTestWallet(test, 1_000n);
        const { terms, ref, key } = await authorized(payer, 300n, plan);
        await wallet.settle({ key: randomUUID(), terms, ref });
        expect((await wallet.reverse({ ...undo(terms, ref, key), amount: xof(100n) })).kind).to.equal('done');
        expect((await balanceOf(test, payer.msisdn)).posted).to.equal(800n);
        expect((await wallet.reverse(undo(terms, ref, key))).kind).to.equal('done');
        expect((await balanceOf(test, payer.msisdn)).posted).to.equal(1_000n);
        await expectSound(test);
      });

      it('reverses by the key alone', async () => {
        const payer = await openTestWallet(test, 1_000n);
        const { terms, key } = await authorized(payer, 300n, plan);
        expect((await wallet.reverse(undo(terms, null, key))).kind).to.equal('done');
        expect(await balanceOf(test, payer.msisdn)).to.deep.equal({ posted: 1_000n, held: 0n });
        await expectSound(test);
      });

      it('makes a key that was reversed unseen a definite decline for ever', async () => {
        const payer = await openTestWallet(test, 1_000n);
        const command = authorizeOf(termsFor(payer, 300n, plan));
        const question = { of: 'authorize' as const, key: command.key, terms: command.terms, ref: null };
        expect(await wallet.query(question)).to.deep.equal({ kind: 'not_found' });
        await wallet.reverse(undo(command.terms, null, command.key));
        expect(await wallet.authorize(command)).to.deep.equal(declinedWith('wallet_refused'));
        expect(await wallet.query(question)).to.deep.equal(declinedWith('wallet_refused'));
        expect(await balanceOf(test, payer.msisdn)).to.deep.equal({ posted: 1_000n, held: 0n });
        await expectSound(test);
      });

      it('answers a repeated authorize with the first answer', async () => {
        const payer = await openTestWallet(test, 1_000n);
        const command = authorizeOf(termsFor(payer, 300n, plan));
        const [first, again] = [
          await wallet.authorize(command),
          await wallet.authorize({ ...command, expiresInMs: 5_000 }),
        ];
        expect(refOf(again)).to.equal(refOf(first));
        const { posted, held } = await balanceOf(test, payer.msisdn);
        expect(posted - held).to.equal(700n);
        await expectSound(test);
      });

      it('reads a key used for another price as unknown, never as a decline', async () => {
        const payer = await openTestWallet(test, 1_000n);
        const command = authorizeOf(termsFor(payer, 300n, plan));
        await wallet.authorize(command);
        const other = await wallet.authorize({ ...command, terms: { ...command.terms, price: xof(200n) } });
        expect(other).to.deep.equal({ kind: 'unknown', cause: 'status' });
        await expectSound(test);
      });

      it('takes a queried object with another price for a mismatch', async () => {
        const payer = await openTestWallet(test, 1_000n);
        const { terms, key } = await authorized(payer, 300n, plan);
        const question = { of: 'authorize' as const, key, terms: { ...terms, price: xof(299n) }, ref: null };
        expect(await wallet.query(question)).to.deep.equal({ kind: 'unknown', cause: 'mismatch' });
      });

      for (const fault of [
        { kind: 'silent' },
        { kind: 'reset' },
        { kind: 'status_5xx', when: 'after' },
        { kind: 'nonsense' },
      ] as const) {
        it(`holds an authorize for unknown when the link is ${fault.kind}, and finds it done by asking`, async () => {
          const payer = await openTestWallet(test, 1_000n);
          const command = authorizeOf(termsFor(payer, 300n, plan));
          relay.set(fault);
          expect((await (fault.kind === 'silent' ? hasty : far).authorize(command)).kind).to.equal('unknown');
          relay.set({ kind: 'none' });
          await relay.quiet();
          const found = await wallet.query({ of: 'authorize', key: command.key, terms: command.terms, ref: null });
          expect(found.kind).to.equal('done');
          expect((await wallet.settle({ key: randomUUID(), terms: command.terms, ref: refOf(found) })).kind).to.equal(
            'done',
          );
          expect((await balanceOf(test, payer.msisdn)).posted).to.equal(700n);
          await expectSound(test);
        });
      }

      it('holds a lost request for unknown, and finds that it was never seen', async () => {
        const payer = await openTestWallet(test, 1_000n);
        const command = authorizeOf(termsFor(payer, 300n, plan));
        relay.set({ kind: 'lost_request' });
        expect(await hasty.authorize(command)).to.deep.equal({ kind: 'unknown', cause: 'timeout' });
        expect(
          await wallet.query({ of: 'authorize', key: command.key, terms: command.terms, ref: null }),
        ).to.deep.equal({ kind: 'not_found' });
        expect(await balanceOf(test, payer.msisdn)).to.deep.equal({ posted: 1_000n, held: 0n });
      });

      it('moves money once when the network sends a request twice', async () => {
        const payer = await openTestWallet(test, 1_000n);
        relay.set({ kind: 'double' });
        const command = authorizeOf(termsFor(payer, 300n, plan));
        const outcome = await far.authorize(command);
        expect(outcome.kind).to.equal('done');
        expect((await far.settle({ key: randomUUID(), terms: command.terms, ref: refOf(outcome) })).kind).to.equal(
          'done',
        );
        expect(await balanceOf(test, payer.msisdn)).to.deep.equal({ posted: 700n, held: 0n });
        await expectSound(test);
      });

      it('finds a settlement done whose answer was lost', async () => {
        const payer = await openTestWallet(test, 1_000n);
        const { terms, ref } = await authorized(payer, 300n, plan);
        const key = randomUUID();
        relay.set({ kind: 'silent' });
        expect((await hasty.settle({ key, terms, ref })).kind).to.equal('unknown');
        await relay.quiet();
        expect((await wallet.query({ of: 'settle', key, terms, ref })).kind).to.equal('done');
        expect((await wallet.settle({ key, terms, ref })).kind).to.equal('done');
        await expectSound(test);
      });

      it('finds a reversal done whose answer was lost', async () => {
        const payer = await openTestWallet(test, 1_000n);
        const { terms, ref, key: authorizeKey } = await authorized(payer, 300n, plan);
        const key = randomUUID();
        relay.set({ kind: 'reset' }, (call) => call.method !== 'GET');
        expect((await far.reverse(undo(terms, ref, authorizeKey, key))).kind).to.equal('unknown');
        expect((await wallet.query({ of: 'reverse', key, terms, ref })).kind).to.equal('done');
        expect(await balanceOf(test, payer.msisdn)).to.deep.equal({ posted: 1_000n, held: 0n });
        await expectSound(test);
      });

      it('says that a settlement came too late once the money is back', async () => {
        const payer = await openTestWallet(test, 1_000n);
        const { terms, ref, key: authorizeKey } = await authorized(payer, 300n, plan);
        await wallet.reverse(undo(terms, ref, authorizeKey));
        const key = randomUUID();
        expect(await wallet.settle({ key, terms, ref })).to.deep.equal(declinedWith('hold_gone'));
        expect(await wallet.query({ of: 'settle', key, terms, ref })).to.deep.equal(declinedWith('hold_gone'));
        await expectSound(test);
      });

      it('names each reason of a decline, and the query names the same', async () => {
        const poor = await openTestWallet(test, 10n);
        const blocked = await openTestWallet(test, 1_000n);
        await admin(test, '/wallets/status', { msisdn: blocked.msisdn, currency: 'XOF', status: 'unavailable' });
        const nobody = { ...poor, msisdn: '33639990001' };
        const cases: readonly (readonly [Terms, DeclineCode])[] = [
          [termsFor(poor, 300n, plan), 'insufficient_funds'],
          [termsFor(blocked, 300n, plan), 'account_blocked'],
          [termsFor(nobody, 300n, plan), 'account_unknown'],
          [{ ...termsFor(poor, 300n, plan), operator: 'NOBODY' }, 'payee_not_allowed'],
          [{ ...termsFor(poor, 300n, plan), price: { minor: 5n, currency: 'EUR' } }, 'currency_not_supported'],
        ];
        for (const [terms, code] of cases) {
          const command = authorizeOf(terms);
          expect(await wallet.authorize(command)).to.deep.equal(declinedWith(code));
          expect(await wallet.query({ of: 'authorize', key: command.key, terms, ref: null })).to.deep.equal(
            declinedWith(code),
          );
        }
        await expectSound(test);
      });
    });
  }

  it('tells how long a hold still lives', async () => {
    const payer = await openTestWallet(test, 1_000n);
    const { terms, key } = await authorized(payer, 300n, 'hold_capture');
    const found = await wallet.query({ of: 'authorize', key, terms, ref: null });
    expect(found.kind === 'done' && found.holdExpiresInMs).to.be.within(3_590_000, 3_600_000);
  });

  it('says not_found only where no byte was sent', async () => {
    const payer = await openTestWallet(test, 1_000n);
    const command = authorizeOf(termsFor(payer, 300n, 'debit_refund'));
    await relay.close();
    const lonely = connectorFor(relay.url, { budgets: BUDGETS });
    try {
      expect(await lonely.authorize(command)).to.deep.equal({ kind: 'not_found' });
      const question = { of: 'authorize' as const, key: command.key, terms: command.terms, ref: null };
      expect(await lonely.query(question)).to.deep.equal({ kind: 'unknown', cause: 'connection' });
    } finally {
      await lonely.close();
      await relay.reopen();
    }
  });

  it('sends each act once, whatever happens', async () => {
    const payer = await openTestWallet(test, 1_000n);
    const command = authorizeOf(termsFor(payer, 300n, 'debit_refund'));
    relay.set({ kind: 'reset' });
    await far.authorize(command);
    relay.set({ kind: 'status_5xx', when: 'before' });
    await far.authorize({ ...command, key: randomUUID() });
    expect(relay.calls().filter((call) => call.key === command.key)).to.have.length(1);
  });

  it('reads a revoked token as our own fault, and a query with it as open', async () => {
    const payer = await openTestWallet(test, 1_000n);
    const stranger = connectorFor(test.centre.url, { token: 'a token that nobody issued' });
    const command = authorizeOf(termsFor(payer, 300n, 'debit_refund'));
    expect(await stranger.authorize(command)).to.deep.equal(declinedWith('request_rejected'));
    expect(
      (await stranger.query({ of: 'authorize', key: command.key, terms: command.terms, ref: null })).kind,
    ).to.equal('unknown');
    await stranger.close();
  });

  it('shows one client nothing of what another one does', async () => {
    const payer = await openTestWallet(test, 1_000n);
    const { terms, key, ref } = await authorized(payer, 300n, 'debit_refund');
    const other = connectorFor(test.centre.url, { clientId: 'other', token: 'token-of-another-server' });
    expect(await other.query({ of: 'authorize', key, terms, ref })).to.deep.equal({ kind: 'not_found' });
    expect((await other.reverse(undo(terms, ref, key))).kind).to.equal('declined');
    await other.close();
    expect((await balanceOf(test, payer.msisdn)).posted).to.equal(700n);
    await expectSound(test);
  });
});
