/**
 * What every journal must do with the effects of machines: approvals that count as sent, and their withdrawal.
 */
import { expect } from 'chai';
import type { Effect } from '../../src/purchase/effect.ts';
import type { Purchase } from '../../src/purchase/purchase.ts';
import { aPurchase, authorizedOf, beginOf, commitOf, effectRow, keyOf, moved } from '../support/store-builders.ts';
import type { Harness } from './harness.ts';
import { begun, found } from './store.contract.ts';

const LEASE = 15_000;
const approve: Effect = { kind: 'approve' };

/** A purchase in `approving` whose approval waits for the machine's node. */
async function approving(h: Harness, changes: Parameters<typeof aPurchase>[0] = {}): Promise<Purchase> {
  const purchase = await begun(h, changes);
  await h.one.purchases.commit(authorizedOf(purchase));
  return moved(purchase, 'approving', { walletRef: 'W-1', inDoubtMs: 60_000 });
}

/** `approval_unreachable`, which must withdraw the approval. */
function unreachable(purchase: Purchase): ReturnType<typeof commitOf> {
  const key = keyOf(purchase.id, approve);
  return commitOf(
    purchase,
    'reversing',
    { type: 'approval_unreachable' },
    {
      onlyIfUnsent: key,
      dropped: [key],
      planned: [effectRow(purchase.id, { kind: 'reverse', n: 1, reason: 'machine_unreachable' })],
    },
  );
}

/** Effects that only the holder of a socket can carry out. */
export function machineEffectContract(the: () => Harness): void {
  describe("a machine's effect", () => {
    it('is never taken by who holds no socket', async () => {
      await approving(the());
      expect(await the().one.purchases.takeDue(10, LEASE)).to.deep.equal([]);
      expect(await the().one.purchases.takeForMachines(['M-other', 'M-none'], 10, LEASE)).to.deep.equal([]);
      expect(await the().one.purchases.takeForMachines([], 10, LEASE)).to.deep.equal([]);
    });

    it('counts as sent once it is taken', async () => {
      const purchase = await approving(the());
      const [taken] = await the().two.purchases.takeForMachines(['M-4567'], 10, LEASE);
      expect(taken).to.deep.include({ purchaseId: purchase.id, effect: approve, tries: 1, maySent: true });
      expect((await the().one.purchases.effectsOf(purchase.id))[0]?.maySent).to.equal(true);
    });

    it('counts as sent when the committing node sends it itself', async () => {
      const purchase = await begun(the());
      const planned = [effectRow(purchase.id, approve, { isOwn: true })];
      await the().one.purchases.commit(authorizedOf(purchase, { planned }));
      expect((await the().one.purchases.effectsOf(purchase.id))[0]).to.deep.include({ maySent: true, tries: 1 });
      expect(await the().one.purchases.takeForMachines(['M-4567'], 10, LEASE)).to.deep.equal([]);
    });

    it('goes to the newer socket before the lease of the older one ends', async () => {
      await approving(the());
      await the().one.purchases.takeForMachines(['M-4567'], 10, LEASE);
      const [taken] = await the().two.purchases.takeForMachines(['M-4567'], 10, LEASE);
      expect(taken?.tries).to.equal(2);
      expect(await the().two.purchases.takeForMachines(['M-4567'], 10, LEASE)).to.deep.equal([]);
    });

    it('counts as unsent again when its taker put it back provably unsent', async () => {
      const purchase = await approving(the());
      const [taken] = await the().two.purchases.takeForMachines(['M-4567'], 10, LEASE);
      if (taken === undefined) throw new Error('nothing was taken');
      expect(taken.maySentBefore).to.equal(false);
      expect(await the().two.purchases.reschedule(taken, 0, 'not_here', 'provably_not')).to.equal(true);
      expect((await the().one.purchases.effectsOf(purchase.id))[0]?.maySent).to.equal(false);
      expect(await the().one.purchases.commit(unreachable(purchase))).to.deep.equal({ kind: 'committed' });
    });

    it('counts as unsent again also when the committing node had leased it itself', async () => {
      const purchase = await begun(the());
      const planned = [effectRow(purchase.id, approve, { isOwn: true })];
      await the().one.purchases.commit(authorizedOf(purchase, { planned }));
      const [own] = await the().one.purchases.effectsOf(purchase.id);
      if (own === undefined) throw new Error('nothing was planned');
      const unsent = { ...own, maySentBefore: false };
      expect(await the().one.purchases.reschedule(unsent, 0, 'not_here', 'provably_not')).to.equal(true);
      expect((await the().one.purchases.effectsOf(purchase.id))[0]?.maySent).to.equal(false);
    });

    it('stays sent when an earlier taker may have sent it', async () => {
      const purchase = await approving(the());
      await the().one.purchases.takeForMachines(['M-4567'], 10, LEASE);
      const [taken] = await the().two.purchases.takeForMachines(['M-4567'], 10, LEASE);
      if (taken === undefined) throw new Error('nothing was taken');
      expect(taken.maySentBefore).to.equal(true);
      await the().two.purchases.reschedule(taken, 0, 'not_here', 'provably_not');
      expect((await the().one.purchases.effectsOf(purchase.id))[0]?.maySent).to.equal(true);
    });

    it('stays sent when its taker has lost the lease meanwhile, whatever it says', async () => {
      const purchase = await approving(the());
      const [lost] = await the().one.purchases.takeForMachines(['M-4567'], 10, LEASE);
      await the().two.purchases.takeForMachines(['M-4567'], 10, LEASE);
      if (lost === undefined) throw new Error('nothing was taken');
      expect(await the().one.purchases.reschedule(lost, 0, 'not_here', 'provably_not')).to.equal(false);
      expect((await the().one.purchases.effectsOf(purchase.id))[0]?.maySent).to.equal(true);
    });

    it('waits until it is due again after it was put off', async () => {
      await approving(the());
      const [taken] = await the().one.purchases.takeForMachines(['M-4567'], 10, LEASE);
      if (taken === undefined) throw new Error('nothing was taken');
      await the().one.purchases.reschedule(taken, 3_000, 'no answer');
      expect(await the().two.purchases.takeForMachines(['M-4567'], 10, LEASE)).to.deep.equal([]);
      await the().pass(3_001);
      expect(await the().two.purchases.takeForMachines(['M-4567'], 10, LEASE)).to.have.length(1);
    });

    it('that is planned anew still counts as sent', async () => {
      const purchase = await approving(the());
      await the().one.purchases.takeForMachines(['M-4567'], 10, LEASE);
      const planned = [effectRow(purchase.id, approve)];
      const event = { type: 'payment_unknown', ref: null } as const;
      await the().one.purchases.commit(commitOf(purchase, 'approving', event, { planned }));
      expect((await the().one.purchases.effectsOf(purchase.id))[0]).to.deep.include({ maySent: true, tries: 0 });
    });

    it('that is a question does not count as sent', async () => {
      const purchase = aPurchase();
      const effects = [effectRow(purchase.id, { kind: 'query_order' })];
      await the().one.purchases.begin(beginOf(purchase, { effects }));
      const [taken] = await the().one.purchases.takeForMachines(['M-4567'], 10, LEASE);
      expect(taken).to.deep.include({ effect: { kind: 'query_order' }, maySent: false });
    });
  });

  describe('withdrawing an approval', () => {
    it('is committed when it was never sent', async () => {
      const purchase = await approving(the());
      expect(await the().two.purchases.commit(unreachable(purchase))).to.deep.equal({ kind: 'committed' });
      const effects = await the().one.purchases.effectsOf(purchase.id);
      expect(effects.map(({ effect }) => effect.kind)).to.deep.equal(['reverse']);
    });

    it('is refused once it may have been sent', async () => {
      const purchase = await approving(the());
      await the().two.purchases.takeForMachines(['M-4567'], 10, LEASE);
      expect(await the().one.purchases.commit(unreachable(purchase))).to.deep.equal({ kind: 'lost_race' });
      expect(await the().one.purchases.effectsOf(purchase.id)).to.have.length(1);
    });

    it('leaves the approval when another commit came first', async () => {
      const purchase = await approving(the());
      await the().one.purchases.commit(commitOf(purchase, 'approving', { type: 'payment_unknown', ref: null }));
      expect(await the().two.purchases.commit(unreachable(purchase))).to.deep.equal({ kind: 'lost_race' });
      const effects = await the().one.purchases.effectsOf(purchase.id);
      expect(effects.map(({ effect }) => effect.kind)).to.deep.equal(['approve']);
    });

    it('and taking it exclude each other, in every race', async () => {
      const outcomes: string[] = [];
      for (let n = 1; n <= 60; n += 1) {
        const purchase = await approving(the(), { orderSeq: n });
        const take = (): Promise<readonly unknown[]> => the().two.purchases.takeForMachines(['M-4567'], 10, LEASE);
        const withdraw = (): Promise<{ kind: string }> => the().one.purchases.commit(unreachable(purchase));
        const race = n % 2 === 0 ? [take(), withdraw()] : [withdraw(), take()];
        await Promise.all(race);
        const { state } = (await found(the().one.purchases.load(purchase.id))).purchase;
        const [effect] = await the().one.purchases.effectsOf(purchase.id);
        outcomes.push(`${state} ${effect?.effect.kind} ${effect?.maySent}`);
        if (state === 'approving') await declinedApproval(the(), purchase);
      }
      expect([...new Set(outcomes)].sort()).to.satisfy((all: string[]) =>
        all.every((one) => one === 'reversing reverse false' || one === 'approving approve true'),
      );
    });
  });
}

async function declinedApproval(h: Harness, purchase: Purchase): Promise<void> {
  const event = { type: 'approval_rejected', reason: 'late', wasSentBefore: false } as const;
  await h.one.purchases.commit(commitOf(purchase, 'reversing', event, { dropped: [keyOf(purchase.id, approve)] }));
}
