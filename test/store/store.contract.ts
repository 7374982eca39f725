/**
 * What every journal must do, whatever it is kept in: beginning, the one commit, reading, the past.
 */
import { expect } from 'chai';
import { v7 } from 'uuid';
import type { Purchase } from '../../src/purchase/purchase.ts';
import type { Loaded } from '../../src/purchase/store-port.ts';
import {
  aPurchase,
  aRegistry,
  aRegistryMachine,
  authorize,
  authorizedOf,
  beginOf,
  commitOf,
  effectRow,
  keyOf,
  moved,
  statementOf,
  succeededOf,
} from '../support/store-builders.ts';
import type { Harness } from './harness.ts';

const HOUR = 3_600_000;

/** The purchase, which must be there. */
export async function found(loading: Promise<Loaded | null>): Promise<Loaded> {
  const loaded = await loading;
  if (loaded === null) throw new Error('the purchase is not there');
  return loaded;
}

/** Begins a purchase and answers it. */
export async function begun(h: Harness, changes: Parameters<typeof aPurchase>[0] = {}): Promise<Purchase> {
  const purchase = aPurchase(changes);
  expect(await h.one.purchases.begin(beginOf(purchase))).to.deep.equal({ kind: 'begun' });
  return purchase;
}

/** Takes a purchase from its beginning to the delivery and the settlement. */
export async function completed(h: Harness, changes: Parameters<typeof aPurchase>[0] = {}): Promise<Purchase> {
  const store = h.one.purchases;
  const first = await begun(h, changes);
  await store.commit(authorizedOf(first));
  const second = moved(first, 'approving');
  await store.commit(succeededOf(second));
  const third = moved(second, 'settling');
  const settle = keyOf(first.id, { kind: 'settle', n: 1 });
  await store.commit(commitOf(third, 'completed', { type: 'settled' }, { dropped: [settle], isLazy: true }));
  return moved(third, 'completed');
}

/** `declined`, with nothing left to ask. */
export async function declined(h: Harness, purchase: Purchase): Promise<void> {
  const event = { type: 'authorize_declined', code: 'insufficient_funds', leftMs: 40_000 } as const;
  const dropped = [keyOf(purchase.id, authorize)];
  expect(await h.one.purchases.commit(commitOf(purchase, 'declined', event, { dropped }))).to.deep.equal({
    kind: 'committed',
  });
}

/** Commit 1, its refusals and its repetition. */
export function beginContract(the: () => Harness): void {
  describe('beginning a purchase', () => {
    it('keeps the whole purchase, with its deadline, event and first effect', async () => {
      const purchase = await begun(the());
      const loaded = await found(the().two.purchases.load(purchase.id));
      expect(loaded.purchase).to.deep.equal(purchase);
      expect(loaded.leftMs).to.be.within(59_000, 60_000);
      expect(loaded.sinceConfirmedMs).to.be.within(0, 1_000);
      expect(loaded.sinceEndedMs).to.equal(null);
      const [entry] = await the().one.reader.timeline(purchase.id);
      expect(entry).to.include({ event: 'confirmed', state: 'authorizing', version: 1, node: 'one:1' });
      const [effect] = await the().one.purchases.effectsOf(purchase.id);
      expect(effect).to.deep.include({ key: keyOf(purchase.id, authorize), effect: authorize, tries: 1 });
    });

    it('answers the same confirmation with the purchase as it stands', async () => {
      const purchase = await begun(the());
      await the().one.purchases.commit(authorizedOf(purchase));
      const again = await the().two.purchases.begin(beginOf(aPurchase({ id: purchase.id })));
      expect(again).to.deep.include({ kind: 'exists' });
      expect(again.kind === 'exists' && again.loaded.purchase.state).to.equal('approving');
    });

    it('refuses an order that another purchase holds, and names it', async () => {
      const holder = await begun(the());
      const refused = await the().two.purchases.begin(beginOf(aPurchase()));
      expect(refused.kind === 'order_taken' && refused.by?.purchase.id).to.equal(holder.id);
    });

    it('sells an order again after a decline', async () => {
      await declined(the(), await begun(the()));
      expect(await the().two.purchases.begin(beginOf(aPurchase()))).to.deep.equal({ kind: 'begun' });
    });

    it('refuses an order that was paid, also once its purchase has moved to the past', async () => {
      const paid = await completed(the());
      await the().pass(HOUR);
      expect(await the().one.movePast(10)).to.equal(1);
      const refused = await the().two.purchases.begin(beginOf(aPurchase()));
      expect(refused.kind === 'order_taken' && refused.by?.purchase.id).to.equal(paid.id);
    });

    it('refuses an order below the floor that no purchase holds', async () => {
      await completed(the(), { orderSeq: 9 });
      await the().pass(HOUR);
      await the().one.movePast(10);
      expect(await the().one.purchases.begin(beginOf(aPurchase({ orderSeq: 8 })))).to.deep.equal({
        kind: 'order_over',
      });
    });

    it('refuses an order on which the machine has said its last word', async () => {
      await the().one.purchases.keepStatement(statementOf(aPurchase(), 'closed'), null, []);
      expect(await the().one.purchases.begin(beginOf(aPurchase()))).to.deep.equal({ kind: 'order_over' });
    });

    it('refuses a machine that nobody registered', async () => {
      const begin = beginOf(aPurchase({ machineId: 'M-none' }));
      expect(await the().one.purchases.begin(begin)).to.deep.equal({ kind: 'machine_unknown' });
    });

    it('refuses a suspended machine', async () => {
      await the().one.applyRegistry(aRegistry([aRegistryMachine('M-4567', '4567', { isSuspended: true })]));
      expect(await the().one.purchases.begin(beginOf(aPurchase()))).to.deep.equal({ kind: 'machine_suspended' });
    });

    it('lets one of 200 confirmations of one order begin', async () => {
      const nodes = [the().one.purchases, the().two.purchases];
      const all = await Promise.all(
        Array.from({ length: 200 }, async (_, n) => nodes[n % 2]?.begin(beginOf(aPurchase({ payerId: BigInt(n) })))),
      );
      const kinds = all.map((one) => one?.kind);
      expect(kinds.filter((kind) => kind === 'begun')).to.have.length(1);
      expect(kinds.filter((kind) => kind === 'order_taken')).to.have.length(199);
      expect(await the().one.purchases.liveOfMachine('M-4567')).to.have.length(1);
    });

    it('makes one purchase of one confirmation sent 200 times', async () => {
      const purchase = aPurchase();
      const nodes = [the().one.purchases, the().two.purchases];
      const all = await Promise.all(
        Array.from({ length: 200 }, async (_, n) => nodes[n % 2]?.begin(beginOf(purchase))),
      );
      expect(all.filter((one) => one?.kind === 'begun')).to.have.length(1);
      expect(all.filter((one) => one?.kind === 'exists')).to.have.length(199);
      expect(await the().one.purchases.effectsOf(purchase.id)).to.have.length(1);
    });
  });
}

/** The one commit: all of it or nothing. */
export function commitContract(the: () => Harness): void {
  describe('a commit', () => {
    it('moves state, facts, event, effects and deadline together', async () => {
      const purchase = await begun(the());
      const change = authorizedOf(purchase, { deadline: 30_000 });
      expect(await the().two.purchases.commit(change)).to.deep.equal({ kind: 'committed' });
      const loaded = await found(the().one.purchases.load(purchase.id));
      expect(loaded.purchase).to.deep.equal(change.after);
      expect(loaded.leftMs).to.be.within(29_000, 30_000);
      const entries = await the().one.reader.timeline(purchase.id);
      expect(entries.map((entry) => `${entry.version} ${entry.event} ${entry.state} ${entry.node}`)).to.deep.equal([
        '1 confirmed authorizing one:1',
        '2 authorized approving two:1',
      ]);
      expect(entries[1]?.content).to.deep.equal({ ref: 'W-1', holdExpiresInMs: 90_000, leftMs: 50_000 });
      const effects = await the().one.purchases.effectsOf(purchase.id);
      expect(effects.map(({ effect }) => effect.kind)).to.deep.equal(['approve']);
    });

    it('leaves everything as it was when the version is another', async () => {
      const purchase = await begun(the());
      await the().one.purchases.commit(authorizedOf(purchase));
      const late = commitOf(
        purchase,
        'reversing',
        { type: 'deadline_passed' },
        {
          planned: [effectRow(purchase.id, { kind: 'query_payment' })],
          dropped: [keyOf(purchase.id, { kind: 'approve' })],
          statement: statementOf(purchase),
          opened: ['payment_overdue'],
        },
      );
      expect(await the().two.purchases.commit(late)).to.deep.equal({ kind: 'lost_race' });
      expect((await found(the().one.purchases.load(purchase.id))).purchase.state).to.equal('approving');
      expect(await the().one.reader.timeline(purchase.id)).to.have.length(2);
      const effects = await the().one.purchases.effectsOf(purchase.id);
      expect(effects.map(({ effect }) => effect.kind)).to.deep.equal(['approve']);
      expect(await the().statements('M-4567', 1)).to.deep.equal([]);
      expect(await the().openCases(purchase.id)).to.deep.equal([]);
    });

    it('loses when the version is another, though the state is the same', async () => {
      const purchase = await begun(the());
      const unknown = commitOf(purchase, 'authorizing', { type: 'payment_unknown', ref: null });
      expect(await the().one.purchases.commit(unknown)).to.deep.equal({ kind: 'committed' });
      expect(await the().two.purchases.commit(unknown)).to.deep.equal({ kind: 'lost_race' });
      expect(await the().two.purchases.commit(authorizedOf(purchase))).to.deep.equal({ kind: 'lost_race' });
    });

    it('loses when the state is another, though the version is the same', async () => {
      const purchase = await begun(the());
      const wrong = { id: purchase.id, version: 1, state: 'vending' } as const;
      const change = { ...authorizedOf(purchase), before: wrong };
      expect(await the().one.purchases.commit(change)).to.deep.equal({ kind: 'lost_race' });
    });

    it('loses when there is no such purchase', async () => {
      expect(await the().one.purchases.commit(authorizedOf(aPurchase()))).to.deep.equal({ kind: 'lost_race' });
    });

    it('lets one of 200 commits of one version win', async () => {
      const purchase = await begun(the());
      const nodes = [the().one.purchases, the().two.purchases];
      const all = await Promise.all(
        Array.from({ length: 200 }, async (_, n) => nodes[n % 2]?.commit(authorizedOf(purchase))),
      );
      expect(all.filter((one) => one?.kind === 'committed')).to.have.length(1);
      expect(all.filter((one) => one?.kind === 'lost_race')).to.have.length(199);
      expect(await the().one.reader.timeline(purchase.id)).to.have.length(2);
      expect(await the().one.purchases.effectsOf(purchase.id)).to.have.length(1);
    });

    it('ends a purchase: no deadline any more, figures counted', async () => {
      const purchase = await completed(the());
      const loaded = await found(the().one.purchases.load(purchase.id));
      expect(loaded.leftMs).to.equal(null);
      expect(loaded.sinceEndedMs).to.be.within(0, 1_000);
      expect(await the().figures('M-4567')).to.deep.equal({
        sold: 1,
        soldMinor: 500n,
        reversed: 0,
        reversedMinor: 0n,
        declined: 0,
      });
    });

    it('counts what was reversed and declined apart', async () => {
      await declined(the(), await begun(the()));
      const second = await begun(the());
      await the().one.purchases.commit(commitOf(second, 'reversed', { type: 'reversed' }));
      await completed(the(), { orderSeq: 2 });
      expect(await the().figures('M-4567')).to.deep.equal({
        sold: 1,
        soldMinor: 500n,
        reversed: 1,
        reversedMinor: 500n,
        declined: 1,
      });
    });

    it('keeps a statement once: the second commit that brings it moves nothing', async () => {
      const purchase = await begun(the());
      await the().one.purchases.commit(authorizedOf(purchase));
      await the().one.purchases.keepStatement(statementOf(purchase), purchase.id, []);
      const second = moved(purchase, 'approving');
      expect(await the().two.purchases.commit(succeededOf(second))).to.deep.equal({ kind: 'statement_known' });
      expect((await found(the().one.purchases.load(purchase.id))).purchase.version).to.equal(2);
      expect(await the().one.reader.timeline(purchase.id)).to.have.length(2);
    });

    it('says that the race is lost before it looks at the statement', async () => {
      const purchase = await begun(the());
      await the().one.purchases.commit(authorizedOf(purchase));
      const second = moved(purchase, 'approving');
      await the().one.purchases.commit(succeededOf(second));
      expect(await the().two.purchases.commit(succeededOf(second))).to.deep.equal({ kind: 'lost_race' });
    });

    it('opens and closes cases', async () => {
      const purchase = await begun(the());
      const doubt = commitOf(purchase, 'in_doubt', { type: 'deadline_passed' }, { opened: ['in_doubt', 'parked'] });
      await the().one.purchases.commit(doubt);
      expect(await the().openCases(purchase.id)).to.deep.equal(['in_doubt', 'parked']);
      const event = { type: 'vend_succeeded', basis: null } as const;
      await the().one.purchases.commit(commitOf(doubt.after, 'settling', event, { closed: ['in_doubt'] }));
      expect(await the().openCases(purchase.id)).to.deep.equal(['parked']);
    });

    it('opens a case again that was closed', async () => {
      const purchase = await begun(the());
      const event = { type: 'payment_unknown', ref: null } as const;
      const first = commitOf(purchase, 'authorizing', event, { opened: ['parked'] });
      const second = commitOf(first.after, 'authorizing', event, { closed: ['parked'] });
      const third = commitOf(second.after, 'authorizing', event, { opened: ['parked'] });
      for (const change of [first, second, third]) await the().one.purchases.commit(change);
      expect(await the().openCases(purchase.id)).to.deep.equal(['parked']);
    });
  });
}

/** Reading, and what has moved away. */
export function readContract(the: () => Harness): void {
  describe('reading', () => {
    it('finds no purchase under an unknown id', async () => {
      expect(await the().one.purchases.load(v7())).to.equal(null);
    });

    it('finds the purchase that holds an order, and none after a decline', async () => {
      const purchase = await begun(the());
      expect((await the().one.purchases.ofOrder('M-4567', 1))?.purchase.id).to.equal(purchase.id);
      await declined(the(), purchase);
      expect(await the().one.purchases.ofOrder('M-4567', 1)).to.equal(null);
    });

    it('lists the live purchases of a machine by order', async () => {
      await begun(the(), { orderSeq: 5 });
      await begun(the(), { orderSeq: 4 });
      await completed(the(), { orderSeq: 3 });
      const live = await the().one.purchases.liveOfMachine('M-4567');
      expect(live.map(({ purchase }) => purchase.order.orderSeq)).to.deep.equal([4, 5]);
    });

    it('knows the highest order of a machine, declined and past ones included', async () => {
      expect(await the().one.purchases.seqFloorOf('M-4567')).to.equal(0);
      await declined(the(), await begun(the(), { orderSeq: 7 }));
      expect(await the().one.purchases.seqFloorOf('M-4567')).to.equal(7);
      await the().pass(HOUR);
      await the().one.movePast(10);
      expect(await the().two.purchases.seqFloorOf('M-4567')).to.equal(7);
      expect(await the().one.purchases.seqFloorOf('M-none')).to.equal(0);
    });

    it("lists a payer's purchases, newest first, within the time and the limit asked for", async () => {
      await begun(the(), { orderSeq: 1 });
      await the().pass(60_000);
      const second = await begun(the(), { orderSeq: 2 });
      await the().pass(60_000);
      const third = await begun(the(), { orderSeq: 3 });
      await begun(the(), { orderSeq: 4, payerId: 8n });
      const recent = await the().one.purchases.recentOfPayer(7n, 90_000, 10);
      expect(recent.map(({ purchase }) => purchase.id)).to.deep.equal([third.id, second.id]);
      const newest = await the().one.purchases.recentOfPayer(7n, HOUR, 1);
      expect(newest.map(({ purchase }) => purchase.id)).to.deep.equal([third.id]);
    });

    it('reads the same numbers as were written, beyond what a double can hold', async () => {
      const priceMinor = 9_007_199_254_740_993n;
      const purchase = await begun(the(), { priceMinor, payerId: priceMinor, orderSeq: 4_294_967_295 });
      expect((await found(the().two.purchases.load(purchase.id))).purchase).to.deep.equal(purchase);
    });
  });

  describe('the past', () => {
    it('takes ended purchases once they are old enough, oldest first, and no live ones', async () => {
      const first = await completed(the(), { orderSeq: 1 });
      await the().pass(HOUR);
      const second = await completed(the(), { orderSeq: 2 });
      await the().pass(HOUR);
      await begun(the(), { orderSeq: 3 });
      await completed(the(), { orderSeq: 4 });
      expect(await the().one.movePast(1)).to.equal(1);
      expect(await the().two.movePast(10)).to.equal(1);
      expect(await the().two.movePast(10)).to.equal(0);
      expect((await found(the().one.purchases.load(first.id))).purchase).to.deep.include({ state: 'completed' });
      expect((await the().one.purchases.ofOrder('M-4567', 2))?.purchase.id).to.equal(second.id);
    });

    it('loses nothing of a purchase, its age included', async () => {
      const purchase = await completed(the());
      const before = (await found(the().one.purchases.load(purchase.id))).purchase;
      await the().pass(HOUR);
      await the().one.movePast(10);
      const loaded = await found(the().two.purchases.load(purchase.id));
      expect(loaded.purchase).to.deep.equal(before);
      expect(loaded.leftMs).to.equal(null);
      expect(loaded.sinceEndedMs).to.be.within(HOUR, HOUR + 1_000);
      expect(await the().one.reader.timeline(purchase.id)).to.have.length(4);
      expect(await the().one.purchases.recentOfPayer(7n, 2 * HOUR, 5)).to.have.length(1);
    });

    it('answers a confirmation that comes again after the move', async () => {
      const purchase = await completed(the());
      await the().pass(HOUR);
      await the().one.movePast(10);
      const again = await the().two.purchases.begin(beginOf(aPurchase({ id: purchase.id })));
      expect(again.kind === 'exists' && again.loaded.purchase.state).to.equal('completed');
    });
  });
}
