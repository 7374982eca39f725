/**
 * What every journal must do with effects, leases, deadlines, statements, cases and refunds.
 */
import { expect } from 'chai';
import type { Effect } from '../../src/purchase/effect.ts';
import {
  aPurchase,
  authorize,
  beginOf,
  commitOf,
  effectRow,
  keyOf,
  moved,
  refundOf,
  statementOf,
} from '../support/store-builders.ts';
import type { Harness } from './harness.ts';
import { begun, completed, declined, found } from './store.contract.ts';

const LEASE = 15_000;
const HOUR = 3_600_000;
const query: Effect = { kind: 'query_payment' };

/** Leases of effects that need no socket. */
export function leaseContract(the: () => Harness): void {
  describe('a lease', () => {
    it('belongs to the committing node until it lapses', async () => {
      const purchase = await begun(the());
      expect(await the().two.purchases.takeDue(10, LEASE)).to.deep.equal([]);
      await the().pass(LEASE + 1);
      const [taken] = await the().two.purchases.takeDue(10, LEASE);
      expect(taken).to.deep.include({ purchaseId: purchase.id, effect: authorize, tries: 2, maySent: false });
      expect(taken?.leaseLeftMs).to.be.within(LEASE - 1_000, LEASE);
      expect(await the().one.purchases.takeDue(10, LEASE)).to.deep.equal([]);
    });

    it('is given for what is due only, earliest first, and at most so many', async () => {
      const purchase = aPurchase();
      const row = (effect: Effect, dueInMs: number): ReturnType<typeof effectRow> =>
        effectRow(purchase.id, effect, { dueInMs });
      const effects = [row(query, 60_000), row({ kind: 'settle', n: 2 }, 20), row({ kind: 'settle', n: 1 }, 10)];
      await the().one.purchases.begin(beginOf(purchase, { effects }));
      await the().pass(1_000);
      const [first] = await the().one.purchases.takeDue(1, LEASE);
      expect(first?.effect).to.deep.equal({ kind: 'settle', n: 1 });
      const rest = await the().one.purchases.takeDue(10, LEASE);
      expect(rest.map(({ effect }) => effect)).to.deep.equal([{ kind: 'settle', n: 2 }]);
    });

    it('keeps every kind of effect as it was planned', async () => {
      const purchase = aPurchase();
      const planned: readonly Effect[] = [
        { ...authorize, isResend: true, holdMs: null },
        query,
        { kind: 'settle', n: 3 },
        { kind: 'reverse', n: 2, reason: 'failed_jam' },
        { kind: 'refund', n: 1, amountMinor: 9_007_199_254_740_993n, reason: 'because' },
        { kind: 'notify', template: 'receipt' },
      ];
      const effects = planned.map((effect) => effectRow(purchase.id, effect));
      await the().one.purchases.begin(beginOf(purchase, { effects }));
      const taken = await the().two.purchases.takeDue(10, LEASE);
      expect(taken.map(({ effect }) => effect)).to.have.deep.members(planned);
    });

    it('is never given twice, however many take', async () => {
      const all = Array.from({ length: 60 }, (_, n) => aPurchase({ orderSeq: n + 1 }));
      for (const purchase of all) {
        await the().one.purchases.begin(beginOf(purchase, { effects: [effectRow(purchase.id, authorize)] }));
      }
      const nodes = [the().one.purchases, the().two.purchases];
      const rounds = await Promise.all(Array.from({ length: 20 }, async (_, n) => nodes[n % 2]?.takeDue(5, LEASE)));
      const left = await the().one.purchases.takeDue(100, LEASE);
      const taken = [...rounds.flatMap((round) => round ?? []), ...left].map(({ purchaseId }) => purchaseId);
      expect(taken).to.have.length(60);
      expect(new Set(taken)).to.have.property('size', 60);
    });

    it('is fenced: who lost it cannot put the effect off', async () => {
      await begun(the());
      await the().pass(LEASE + 1);
      const [lost] = await the().one.purchases.takeDue(1, LEASE);
      await the().pass(LEASE + 1);
      const [held] = await the().two.purchases.takeDue(1, LEASE);
      if (lost === undefined || held === undefined) throw new Error('nothing was taken');
      expect(await the().one.purchases.reschedule(lost, 0, 'slow')).to.equal(false);
      expect(await the().two.purchases.reschedule(held, 1_000, 'slow')).to.equal(true);
    });

    it('is fenced against who held the same key before it was planned anew', async () => {
      const purchase = await begun(the());
      const row = effectRow(purchase.id, query, { isOwn: true });
      const event = { type: 'payment_unknown', ref: null } as const;
      await the().one.purchases.commit(commitOf(purchase, 'authorizing', event, { planned: [row] }));
      const [old] = (await the().one.purchases.effectsOf(purchase.id)).filter(({ key }) => key === row.key);
      await the().two.purchases.commit(
        commitOf(moved(purchase, 'authorizing'), 'authorizing', event, { planned: [row] }),
      );
      if (old === undefined) throw new Error('nothing was planned');
      expect(await the().one.purchases.reschedule(old, 0, 'slow')).to.equal(false);
      expect(await the().one.purchases.keepLease(old, LEASE)).to.equal(false);
      expect(await the().two.purchases.keepLease(old, LEASE)).to.equal(true);
    });

    it('is kept longer by its holder, also once it has lapsed, and by nobody else', async () => {
      await begun(the());
      await the().pass(LEASE + 1);
      const [held] = await the().one.purchases.takeDue(1, LEASE);
      if (held === undefined) throw new Error('nothing was taken');
      await the().pass(LEASE + 1);
      expect(await the().two.purchases.keepLease(held, LEASE)).to.equal(false);
      expect(await the().one.purchases.keepLease(held, LEASE)).to.equal(true);
      expect(await the().two.purchases.takeDue(1, LEASE)).to.deep.equal([]);
      await the().pass(LEASE + 1);
      expect((await the().two.purchases.takeDue(1, LEASE))[0]?.tries).to.equal(3);
      expect(await the().one.purchases.keepLease(held, LEASE)).to.equal(false);
    });

    it('ends when the effect is put off, until it is due again', async () => {
      await begun(the());
      await the().pass(LEASE + 1);
      const [taken] = await the().one.purchases.takeDue(1, LEASE);
      if (taken === undefined) throw new Error('nothing was taken');
      await the().one.purchases.reschedule(taken, 4_000, 'no answer');
      expect(await the().two.purchases.takeDue(1, LEASE)).to.deep.equal([]);
      await the().pass(4_001);
      expect((await the().two.purchases.takeDue(1, LEASE))[0]?.tries).to.equal(3);
    });

    it('ends with the effect', async () => {
      const purchase = await begun(the());
      await the().one.purchases.finish(purchase.id, keyOf(purchase.id, authorize));
      await the().one.purchases.finish(purchase.id, keyOf(purchase.id, authorize));
      expect(await the().one.purchases.effectsOf(purchase.id)).to.deep.equal([]);
    });
  });

  describe('an effect in a commit', () => {
    it('becomes due at another time, and free for any node', async () => {
      const purchase = await begun(the());
      const rescheduled = [{ key: keyOf(purchase.id, authorize), dueInMs: 2_000 }];
      await the().one.purchases.commit(
        commitOf(purchase, 'authorizing', { type: 'payment_unknown', ref: null }, { rescheduled }),
      );
      expect(await the().two.purchases.takeDue(1, LEASE)).to.deep.equal([]);
      await the().pass(2_001);
      expect(await the().two.purchases.takeDue(1, LEASE)).to.have.length(1);
    });

    it('that is answered and planned again is there once, as planned last', async () => {
      const purchase = await begun(the());
      const again: Effect = { ...authorize, isResend: true };
      const change = { planned: [effectRow(purchase.id, again)], dropped: [keyOf(purchase.id, authorize)] };
      const event = { type: 'payment_not_found', leftMs: 30_000, sinceConfirmedMs: 5_000 } as const;
      await the().one.purchases.commit(commitOf(purchase, 'authorizing', event, change));
      const effects = await the().one.purchases.effectsOf(purchase.id);
      expect(effects.map(({ effect, tries }) => ({ effect, tries }))).to.deep.equal([{ effect: again, tries: 0 }]);
    });
  });
}

/** Deadlines. */
export function deadlineContract(the: () => Harness): void {
  describe('a deadline', () => {
    it('lists a live purchase once it has passed, the oldest first, at most so many', async () => {
      const first = await begun(the(), { orderSeq: 1 });
      await the().pass(1_000);
      const second = await begun(the(), { orderSeq: 2 });
      await completed(the(), { orderSeq: 3 });
      expect(await the().one.purchases.pastDeadline(10)).to.deep.equal([]);
      await the().pass(60_001);
      const due = await the().one.purchases.pastDeadline(10);
      expect(due.map(({ purchase }) => purchase.id)).to.deep.equal([first.id, second.id]);
      expect(due[0]?.leftMs).to.be.below(0);
      expect(await the().one.purchases.pastDeadline(1)).to.have.length(1);
    });

    it('stays as it was where a commit keeps it', async () => {
      const purchase = await begun(the());
      await the().pass(30_000);
      await the().one.purchases.commit(commitOf(purchase, 'authorizing', { type: 'payment_unknown', ref: null }));
      expect((await found(the().one.purchases.load(purchase.id))).leftMs).to.be.within(29_000, 30_000);
    });

    it('is put off for the version that was read, and for no other', async () => {
      const purchase = await begun(the());
      await the().pass(60_001);
      await the().one.purchases.putOffDeadline(purchase.id, 2, 60_000);
      expect(await the().one.purchases.pastDeadline(10)).to.have.length(1);
      await the().one.purchases.putOffDeadline(purchase.id, 1, 60_000);
      expect(await the().one.purchases.pastDeadline(10)).to.deep.equal([]);
    });
  });
}

/** Statements kept beside the path, cases, queries after the end, and refunds. */
export function afterwardsContract(the: () => Harness): void {
  describe('a statement without an edge', () => {
    it('is kept once, with its case, and moves nothing', async () => {
      const purchase = await completed(the());
      const late = statementOf(purchase, 'failure');
      await the().one.purchases.keepStatement(late, purchase.id, ['contradicting_result']);
      await the().two.purchases.keepStatement(late, purchase.id, ['parked']);
      expect(await the().statements('M-4567', 1)).to.deep.equal(['failure', 'success']);
      expect(await the().openCases(purchase.id)).to.deep.equal(['contradicting_result']);
      expect((await found(the().one.purchases.load(purchase.id))).purchase.state).to.equal('completed');
    });
  });

  describe('a case', () => {
    it('is opened once, for a past purchase too', async () => {
      const purchase = await completed(the());
      await the().pass(HOUR);
      await the().one.movePast(10);
      await the().one.purchases.openCase(purchase.id, 'parked');
      await the().two.purchases.openCase(purchase.id, 'parked');
      expect(await the().openCases(purchase.id)).to.deep.equal(['parked']);
    });
  });

  describe('a query after the end', () => {
    it('is planned once', async () => {
      const purchase = await begun(the());
      await declined(the(), purchase);
      await the().one.purchases.planQuery(purchase.id, effectRow(purchase.id, query));
      await the().two.purchases.planQuery(purchase.id, effectRow(purchase.id, query, { dueInMs: 60_000 }));
      expect((await the().one.purchases.takeDue(9, LEASE)).map(({ effect }) => effect)).to.deep.equal([query]);
    });

    it('that is planned again while one is asked outlives the answer to that one', async () => {
      const purchase = await begun(the());
      await declined(the(), purchase);
      const row = effectRow(purchase.id, query);
      await the().one.purchases.planQuery(purchase.id, row);
      const [asked] = await the().one.purchases.takeDue(1, LEASE);
      await the().two.purchases.planQuery(purchase.id, row);
      await the().one.purchases.finish(purchase.id, row.key, asked?.tries);
      const [again] = await the().two.purchases.takeDue(1, LEASE);
      expect(again?.effect).to.deep.equal(query);
      await the().two.purchases.finish(purchase.id, row.key, again?.tries);
      expect(await the().one.purchases.effectsOf(purchase.id)).to.deep.equal([]);
    });
  });

  describe('a refund', () => {
    it('is recorded with its effect and its case, and settled with both', async () => {
      const purchase = await completed(the());
      expect(await the().one.purchases.refund(refundOf(purchase.id, 1, 200n))).to.equal('recorded');
      expect(await the().two.purchases.refund(refundOf(purchase.id, 1, 200n))).to.equal('exists');
      expect(await the().openCases(purchase.id)).to.deep.equal(['paid_after_close']);
      const kinds = async (): Promise<string[]> =>
        (await the().one.purchases.effectsOf(purchase.id)).map(({ effect }) => effect.kind).sort();
      expect(await kinds()).to.deep.equal(['notify', 'refund']);
      await the().one.purchases.refundSettled(purchase.id, 1);
      await the().one.purchases.refundSettled(purchase.id, 1);
      expect(await the().refundStates(purchase.id)).to.deep.equal(['1:settled']);
      expect(await kinds()).to.deep.equal(['notify']);
    });

    it('never gives back more than the price, also once the purchase is past', async () => {
      const purchase = await completed(the());
      expect(await the().one.purchases.refund(refundOf(purchase.id, 1, 300n))).to.equal('recorded');
      expect(await the().one.purchases.refund(refundOf(purchase.id, 2, 201n))).to.equal('above_price');
      await the().pass(HOUR);
      await the().one.movePast(10);
      expect(await the().one.purchases.refund(refundOf(purchase.id, 2, 201n))).to.equal('above_price');
      expect(await the().one.purchases.refund(refundOf(purchase.id, 2, 200n))).to.equal('recorded');
      expect(await the().one.purchases.refund(refundOf(purchase.id, 3, 1n))).to.equal('above_price');
      expect(await the().refundStates(purchase.id)).to.deep.equal(['1:pending', '2:pending']);
    });

    it('never gives back more than the price, in a race of twenty', async () => {
      const purchase = await completed(the());
      const nodes = [the().one.purchases, the().two.purchases];
      const all = await Promise.all(
        Array.from({ length: 20 }, async (_, n) => nodes[n % 2]?.refund(refundOf(purchase.id, n + 1, 100n))),
      );
      expect(all.filter((one) => one === 'recorded')).to.have.length(5);
      expect(all.filter((one) => one === 'above_price')).to.have.length(15);
    });
  });
}
