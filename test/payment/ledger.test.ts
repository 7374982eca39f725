import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { v7 } from 'uuid';
import type { Answer } from '../../src/payment/centre/ledger.ts';
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
} from './centre-for-test.ts';

function countOf(answers: readonly Answer[], status: number): number {
  return answers.filter((answer) => answer.status === status).length;
}

async function refusalOf(act: Promise<unknown>): Promise<string> {
  return await act.then(
    () => 'accepted',
    (error: unknown) => (error instanceof Error ? error.message : 'thrown'),
  );
}

describe('the ledger', () => {
  let test: TestCentre;
  before(async function () {
    this.timeout(30_000);
    test = await startTestCentre();
  });
  after(() => test.stop());

  async function hold(wallet: TestWallet, amount: bigint): Promise<string> {
    const id = v7();
    expect((await test.ledger.placeHold(keyed(), id, holdOf(wallet, amount))).status).to.equal(201);
    return id;
  }

  async function debit(wallet: TestWallet, amount: bigint, fee = 0n): Promise<string> {
    const id = v7();
    expect((await test.ledger.debit(keyed(), id, debitOf(wallet, amount, fee))).status).to.equal(201);
    return id;
  }

  describe('under races', () => {
    it('grants six of eight racing holds of 150 on 1000', async () => {
      const wallet = await openTestWallet(test, 1_000n);
      const answers = await Promise.all(
        Array.from({ length: 8 }, () => test.ledger.placeHold(keyed(), v7(), holdOf(wallet, 150n))),
      );
      expect([countOf(answers, 201), countOf(answers, 400)]).to.deep.equal([6, 2]);
      expect(await balanceOf(test, wallet.msisdn)).to.deep.equal({ posted: 1_000n, held: 900n });
      await expectSound(test);
    });

    it('lets one of 32 racing captures and voids of a hold take effect', async () => {
      const wallet = await openTestWallet(test, 1_000n);
      const id = await hold(wallet, 150n);
      const acts = Array.from({ length: 32 }, (_, n) =>
        n % 2 === 0 ? test.ledger.capture(keyed(), v7(), captureOf(wallet, 150n, id)) : test.ledger.void(keyed(), id),
      );
      const answers = await Promise.all(acts);
      const { posted, held } = await balanceOf(test, wallet.msisdn);
      expect(held).to.equal(0n);
      // Either one capture and no void, or voids only: repeating a void has no effect and says 204.
      expect(posted === 850n ? [1, 0] : [0, 16]).to.deep.equal([countOf(answers, 201), countOf(answers, 204)]);
      await expectSound(test);
    });

    it('debits once for 32 racing requests with one key', async () => {
      const wallet = await openTestWallet(test, 1_000n);
      const key = randomUUID();
      const order = debitOf(wallet, 100n);
      const answers = await Promise.all(Array.from({ length: 32 }, () => test.ledger.debit(keyed(key), v7(), order)));
      expect(new Set(answers.map((answer) => answer.object)).size).to.equal(1);
      expect(answers.filter((answer) => answer.isReplayed)).to.have.length(31);
      expect((await balanceOf(test, wallet.msisdn)).posted).to.equal(900n);
      await expectSound(test);
    });

    it('gives back once for one release against four reversals', async () => {
      const wallet = await openTestWallet(test, 10_000n);
      for (let round = 0; round < 10; round += 1) {
        const id = await debit(wallet, 100n);
        const reversals = Array.from({ length: 4 }, () => test.ledger.reverse(keyed(), v7(), id));
        const [, ...answers] = await Promise.all([test.ledger.release(keyed(), v7(), id), ...reversals]);
        expect(countOf(answers, 201)).to.equal(1);
      }
      expect((await balanceOf(test, wallet.msisdn)).posted).to.equal(10_000n);
      await expectSound(test);
    });

    it('lets a debit and its reversal by key race to either order and leaves the payer whole', async () => {
      const wallet = await openTestWallet(test, 1_000n);
      for (let round = 0; round < 12; round += 1) {
        const key = randomUUID();
        const [made, undone] = await Promise.all([
          test.ledger.debit(keyed(key), v7(), debitOf(wallet, 100n)),
          test.ledger.reverseByKey(keyed(), v7(), key),
        ]);
        expect(undone.status).to.equal(201);
        expect(made.status).to.be.oneOf([201, 400]);
      }
      expect((await balanceOf(test, wallet.msisdn)).posted).to.equal(1_000n);
      await expectSound(test);
    });
  });

  describe('keys', () => {
    it('answers a key again with its first answer, a decline too', async () => {
      const wallet = await openTestWallet(test, 50n);
      const key = randomUUID();
      await test.ledger.debit(keyed(key), v7(), debitOf(wallet, 100n));
      await test.ledger.cashIn(keyed(), v7(), wallet.wallet, 1_000n);
      const again = await test.ledger.debit(keyed(key), v7(), debitOf(wallet, 100n));
      expect(again).to.include({ status: 400, isReplayed: true });
      expect(again.error?.errorCode).to.equal('insufficientFunds');
      expect((await balanceOf(test, wallet.msisdn)).posted).to.equal(1_050n);
      await expectSound(test);
    });

    it('refuses a key that was used for something else, and moves nothing', async () => {
      const wallet = await openTestWallet(test, 500n);
      const key = randomUUID();
      await test.ledger.debit(keyed(key, 'one'), v7(), debitOf(wallet, 100n));
      const other = await test.ledger.debit(keyed(key, 'other'), v7(), debitOf(wallet, 200n));
      expect(other.error?.errorCode).to.equal('duplicateRequest');
      expect((await balanceOf(test, wallet.msisdn)).posted).to.equal(400n);
      await expectSound(test);
    });

    it('keeps the keys of two clients apart', async () => {
      const wallet = await openTestWallet(test, 500n);
      const key = randomUUID();
      await test.ledger.debit(keyed(key), v7(), debitOf(wallet, 100n));
      const other = await test.ledger.debit({ ...keyed(key), client: 'other' }, v7(), debitOf(wallet, 100n));
      expect(other.isReplayed).to.equal(false);
      await expectSound(test);
    });

    it('never lets a key succeed that was reversed before it was seen', async () => {
      const wallet = await openTestWallet(test, 500n);
      const key = randomUUID();
      expect((await test.ledger.reverseByKey(keyed(), v7(), key)).status).to.equal(201);
      const late = await test.ledger.debit(keyed(key), v7(), debitOf(wallet, 100n));
      expect(late).to.include({ status: 400, isReplayed: true });
      expect((await balanceOf(test, wallet.msisdn)).posted).to.equal(500n);
      await expectSound(test);
    });

    it('voids a hold that is reversed by its key', async () => {
      const wallet = await openTestWallet(test, 500n);
      const key = randomUUID();
      const id = v7();
      await test.ledger.placeHold(keyed(key), id, holdOf(wallet, 100n));
      await test.ledger.reverseByKey(keyed(), v7(), key);
      expect(await balanceOf(test, wallet.msisdn)).to.deep.equal({ posted: 500n, held: 0n });
      expect((await test.ledger.capture(keyed(), v7(), captureOf(wallet, 100n, id))).error?.errorCode).to.equal(
        'incorrectState',
      );
      await expectSound(test);
    });

    it('gives back what a captured hold took when it is reversed by its key', async () => {
      const wallet = await openTestWallet(test, 500n);
      const key = randomUUID();
      const id = v7();
      await test.ledger.placeHold(keyed(key), id, holdOf(wallet, 100n));
      await test.ledger.capture(keyed(), v7(), captureOf(wallet, 100n, id));
      await test.ledger.reverseByKey(keyed(), v7(), key);
      await test.ledger.reverseByKey(keyed(), v7(), key);
      expect(await balanceOf(test, wallet.msisdn)).to.deep.equal({ posted: 500n, held: 0n });
      await expectSound(test);
    });
  });

  describe('the database itself', () => {
    async function transferAsOwner(
      lines: readonly { account: string; delta: bigint; seq?: bigint; balance?: bigint }[],
      original: string | null,
      kind: string,
    ): Promise<string> {
      return await refusalOf(
        test.owner.begin(async (tx) => {
          const id = v7();
          await tx`insert into ledger.transfer (id, kind, currency, amount, original) values (${id}, ${kind}, 'XOF', 100, ${original})`;
          await tx`insert into ledger.posting ${tx(lines.map((line) => ({ transfer: id, account: line.account, delta: line.delta, seq: line.seq ?? null, balance: line.balance ?? null })))}`;
        }),
      );
    }

    async function derived(kind: string, currency = 'XOF'): Promise<string> {
      const rows = await test.owner<
        { id: string }[]
      >`select ledger.account_of(ledger.nil(), ${kind}, ${currency}) as id`;
      return rows[0]?.id ?? '';
    }

    it('refuses a transfer that does not balance', async () => {
      const lines = [
        { account: await derived('float'), delta: -99n },
        { account: await derived('fees'), delta: 100n },
      ];
      expect(await transferAsOwner(lines, null, 'debit')).to.match(/is not balanced/);
    });

    it('refuses a transfer over two currencies', async () => {
      const lines = [
        { account: await derived('float'), delta: -100n },
        { account: await derived('fees', 'EUR'), delta: 100n },
      ];
      expect(await transferAsOwner(lines, null, 'debit')).to.match(/is not balanced/);
    });

    it('refuses lines that are added to an older transfer', async () => {
      const wallet = await openTestWallet(test, 500n);
      const id = await debit(wallet, 100n);
      const [float, fees] = [await derived('float'), await derived('fees')];
      const added = test.owner`insert into ledger.posting (transfer, account, delta) values (${id}, ${float}, -5), (${id}, ${fees}, 5)`;
      expect(await refusalOf(added)).to.match(/is not balanced/);
    });

    it('refuses an overdraft', async () => {
      const wallet = await openTestWallet(test, 500n);
      const update = test.owner`update ledger.account set posted = posted - 501 where id = ${wallet.wallet}`;
      expect(await refusalOf(update)).to.match(/no_overdraft/);
    });

    it('refuses to spend what is held', async () => {
      const wallet = await openTestWallet(test, 500n);
      await hold(wallet, 450n);
      expect((await test.ledger.debit(keyed(), v7(), debitOf(wallet, 51n))).error?.errorCode).to.equal(
        'insufficientFunds',
      );
      await expectSound(test);
    });

    it('refuses a second reversal of one payment', async () => {
      const wallet = await openTestWallet(test, 500n);
      const id = await debit(wallet, 100n);
      await test.ledger.reverse(keyed(), v7(), id);
      const lines = [
        { account: await derived('float'), delta: -100n },
        { account: await derived('fees'), delta: 100n },
      ];
      expect(await transferAsOwner(lines, id, 'reversal')).to.match(/once/);
      await expectSound(test);
    });

    it('refuses to change or remove a line', async () => {
      expect(await refusalOf(test.owner`update ledger.posting set delta = delta + 1`)).to.match(/never change/);
      expect(await refusalOf(test.owner`delete from ledger.posting`)).to.match(/never change/);
      expect(await refusalOf(test.owner`truncate ledger.posting`)).to.match(/never change/);
    });

    it('lets the running centre write no table and read no PIN', async () => {
      expect(await refusalOf(test.app`update ledger.account set posted = 0`)).to.match(/permission denied/);
      expect(
        await refusalOf(
          test.app`insert into ledger.alias (kind, value, holder) values ('msisdn', '1', ${randomUUID()})`,
        ),
      ).to.match(/permission denied/);
      expect(await refusalOf(test.app`select * from ledger.pin`)).to.match(/permission denied/);
      expect(await refusalOf(test.app`select ledger.account_of(ledger.nil(), 'wallet', 'EUR')`)).to.match(
        /permission denied/,
      );
    });
  });

  describe('holds', () => {
    it('frees what a hold took once its time is up, and refuses the late capture', async () => {
      const wallet = await openTestWallet(test, 500n);
      const id = await hold(wallet, 400n);
      await test.owner`update ledger.hold set expires_at = now() - interval '1 second' where id = ${id}`;
      const late = await test.ledger.capture(keyed(), v7(), captureOf(wallet, 400n, id));
      expect(late.error?.errorCode).to.equal('incorrectState');
      expect(await balanceOf(test, wallet.msisdn)).to.deep.equal({ posted: 500n, held: 0n });
      await expectSound(test);
    });

    it('ends overdue holds in a sweep, each once, however many sweep', async () => {
      const wallet = await openTestWallet(test, 500n);
      const ids = await Promise.all([hold(wallet, 100n), hold(wallet, 150n)]);
      await test.owner`update ledger.hold set expires_at = now() - interval '1 second' where id in ${test.owner(ids)}`;
      await Promise.all([test.ledger.expireDue(500), test.ledger.expireDue(500), test.ledger.expireDue(500)]);
      expect(await balanceOf(test, wallet.msisdn)).to.deep.equal({ posted: 500n, held: 0n });
      await expectSound(test);
    });

    it('says yes to a second void and to a void after expiry', async () => {
      const wallet = await openTestWallet(test, 500n);
      const [one, other] = [await hold(wallet, 100n), await hold(wallet, 100n)];
      await test.owner`update ledger.hold set expires_at = now() - interval '1 second' where id = ${other}`;
      await test.ledger.expireDue(500);
      const answers = [
        await test.ledger.void(keyed(), one),
        await test.ledger.void(keyed(), one),
        await test.ledger.void(keyed(), other),
      ];
      expect(countOf(answers, 204)).to.equal(3);
      expect((await balanceOf(test, wallet.msisdn)).held).to.equal(0n);
      await expectSound(test);
    });

    it('captures neither more nor less than was held', async () => {
      const wallet = await openTestWallet(test, 500n);
      const id = await hold(wallet, 100n);
      expect((await test.ledger.capture(keyed(), v7(), captureOf(wallet, 101n, id))).error?.errorCode).to.equal(
        'overPaymentNotAllowed',
      );
      expect((await test.ledger.capture(keyed(), v7(), captureOf(wallet, 99n, id))).error?.errorCode).to.equal(
        'underPaymentNotAllowed',
      );
      await expectSound(test);
    });

    it('cannot capture a hold that was declined', async () => {
      const wallet = await openTestWallet(test, 50n);
      const id = v7();
      await test.ledger.placeHold(keyed(), id, holdOf(wallet, 100n));
      expect((await test.ledger.capture(keyed(), v7(), captureOf(wallet, 100n, id))).status).to.equal(400);
      await expectSound(test);
    });
  });

  describe('money given back', () => {
    it('takes the fee back when a settled payment is reversed', async () => {
      const wallet = await openTestWallet(test, 500n);
      const before = await test.accounts.operatorBalance(wallet.operator, 'XOF');
      const id = await debit(wallet, 200n, 10n);
      await test.ledger.release(keyed(), v7(), id);
      expect((await test.accounts.operatorBalance(wallet.operator, 'XOF')).available - before.available).to.equal(190n);
      await test.ledger.reverse(keyed(), v7(), id);
      expect(await test.accounts.operatorBalance(wallet.operator, 'XOF')).to.deep.equal(before);
      expect((await balanceOf(test, wallet.msisdn)).posted).to.equal(500n);
      await expectSound(test);
    });

    it('refunds in parts up to the price and no further', async () => {
      const wallet = await openTestWallet(test, 500n);
      const id = await debit(wallet, 200n, 10n);
      await test.ledger.release(keyed(), v7(), id);
      const parts = await Promise.all(
        [80n, 80n, 80n].map((part) => test.ledger.adjust(keyed(), v7(), id, part, 'XOF')),
      );
      expect([countOf(parts, 201), countOf(parts, 400)]).to.deep.equal([2, 1]);
      expect((await balanceOf(test, wallet.msisdn)).posted).to.equal(460n);
      expect((await test.ledger.reverse(keyed(), v7(), id)).status).to.equal(201);
      expect((await balanceOf(test, wallet.msisdn)).posted).to.equal(500n);
      await expectSound(test);
    });

    it('is not refused for an account that was blocked meanwhile', async () => {
      const wallet = await openTestWallet(test, 500n);
      const id = await debit(wallet, 200n);
      await test.accounts.setStatus(wallet.wallet, 'unavailable');
      expect((await test.ledger.reverse(keyed(), v7(), id)).status).to.equal(201);
      await expectSound(test);
    });
  });
});
