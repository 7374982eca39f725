/**
 * Random calls of two nodes: PostgreSQL must answer each as the memory store does, and hold the same in the end.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import type { Effect } from '../../src/purchase/effect.ts';
import { type LivePurchase, type Purchase, type State } from '../../src/purchase/purchase.ts';
import type { Commit, EffectRow, PurchaseStore } from '../../src/purchase/store-port.ts';
import { isEndedState } from '../../src/store/record.ts';
import {
  aPurchase,
  beginOf,
  commitOf,
  effectRow,
  keyOf,
  moved,
  refundOf,
  statementOf,
} from '../support/store-builders.ts';
import { type Harness, type HarnessMaker, memoryHarness, postgresHarness } from './harness.ts';

// Far apart, so that the seconds PostgreSQL needs never move anything across a boundary.
const LEASE = 150_000;
const DEADLINE = 650_000;
const PASSES = [100_000, 270_000, 3_600_000];

const states: readonly State[] = [
  ...(['authorizing', 'validating', 'approving', 'vending', 'settling'] as const),
  ...(['completed', 'declined', 'reversing', 'reversed', 'in_doubt'] as const),
];
const effects: readonly Effect[] = [
  { kind: 'query_payment' },
  { kind: 'approve' },
  { kind: 'query_order' },
  { kind: 'settle', n: 1 },
  { kind: 'reverse', n: 1, reason: 'failed_jam' },
  { kind: 'notify', template: 'receipt' },
];

const purchaseIndex = fc.nat({ max: 3 });
const someEffects = fc.uniqueArray(fc.nat({ max: effects.length - 1 }), { maxLength: 3 });
const call = fc.oneof(
  { weight: 3, arbitrary: fc.record({ call: fc.constant('begin' as const), purchase: purchaseIndex }) },
  {
    weight: 10,
    arbitrary: fc.record({
      call: fc.constant('commit' as const),
      purchase: purchaseIndex,
      state: fc.constantFrom(...states),
      isStale: fc.integer({ min: 0, max: 2 }).map((n) => n === 0),
      planned: someEffects,
      own: fc.boolean(),
      dropped: someEffects,
      rescheduled: someEffects,
      withdraws: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
      statement: fc.constantFrom(null, null, 'success' as const, 'closed' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ call: fc.constant('takeDue' as const) }) },
  { weight: 2, arbitrary: fc.record({ call: fc.constant('takeForMachines' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ call: fc.constant('reschedule' as const), purchase: purchaseIndex, by: fc.nat(2) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ call: fc.constant('finish' as const), purchase: purchaseIndex, effect: fc.nat(5) }),
  },
  { weight: 1, arbitrary: fc.record({ call: fc.constant('keep' as const), purchase: purchaseIndex }) },
  {
    weight: 1,
    arbitrary: fc.record({
      call: fc.constant('refund' as const),
      purchase: purchaseIndex,
      n: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ call: fc.constant('refundSettled' as const), purchase: purchaseIndex }) },
  { weight: 1, arbitrary: fc.record({ call: fc.constant('planQuery' as const), purchase: purchaseIndex }) },
  { weight: 1, arbitrary: fc.record({ call: fc.constant('pastDeadline' as const) }) },
  { weight: 1, arbitrary: fc.record({ call: fc.constant('movePast' as const) }) },
  { weight: 2, arbitrary: fc.record({ call: fc.constant('pass' as const), ms: fc.constantFrom(...PASSES) }) },
);
type Call = typeof call extends fc.Arbitrary<infer Made> ? Made : never;
type Step = { readonly node: 'one' | 'two'; readonly call: Call };

/** Refunds are told in their order, whatever came first. */
const secondRefundFirst = [2, 1].map((n): Step => ({ node: 'one', call: { call: 'refund', purchase: 0, n } }));

/** A commit that PostgreSQL's own checks would take, from what the model holds. */
function commitFor(now: Purchase, made: Extract<Call, { call: 'commit' }>): Commit {
  const row = (index: number): EffectRow =>
    effectRow(now.id, effects[index] ?? { kind: 'query_payment' }, { isOwn: made.own });
  const key = (index: number): string => row(index).key;
  const version = made.isStale && now.version > 1 ? now.version - 1 : now.version;
  return {
    ...commitOf(now, made.state, { type: 'deadline_passed' }),
    before: { id: now.id, version, state: now.state },
    after: { ...moved(now, made.state), version: version + 1 },
    deadline: isEndedState(made.state) ? null : DEADLINE,
    planned: made.planned.map(row),
    dropped: made.dropped.map(key),
    rescheduled: made.rescheduled
      .filter((n) => !made.planned.includes(n))
      .map((n) => ({ key: key(n), dueInMs: 230_000 })),
    onlyIfUnsent: made.withdraws && !made.planned.includes(1) ? keyOf(now.id, { kind: 'approve' }) : null,
    statement: made.statement === null ? null : statementOf(now, made.statement),
    opened: made.state === 'in_doubt' ? ['in_doubt'] : [],
    closed: made.state === 'in_doubt' ? [] : ['in_doubt'],
  };
}

async function taken(taking: ReturnType<PurchaseStore['takeDue']>): Promise<readonly string[]> {
  return (await taking).map((one) => `${one.purchaseId} ${one.effect.kind} ${one.tries} ${one.maySent}`).sort();
}

/** Makes one call and answers what can be compared. `now`: the purchase as the model holds it. */
async function answer(
  h: Harness,
  { node, call: made }: Step,
  purchases: readonly LivePurchase[],
  now: Purchase | null,
): Promise<unknown> {
  const store = h[node].purchases;
  const first = 'purchase' in made ? purchases[made.purchase] : purchases[0];
  if (first === undefined) throw new Error('no such purchase');
  switch (made.call) {
    case 'begin':
      return (await store.begin(beginOf(first, { deadlineMs: DEADLINE }))).kind;
    case 'commit':
      return now === null || isEndedState(now.state) ? null : store.commit(commitFor(now, made));
    case 'takeDue':
      return taken(store.takeDue(100, LEASE));
    case 'takeForMachines':
      return taken(store.takeForMachines(['M-4567'], 100, LEASE));
    case 'reschedule': {
      const sorted = [...(await store.effectsOf(first.id))].sort((a, b) => (a.key < b.key ? -1 : 1));
      const effect = sorted[0];
      return effect === undefined ? null : store.reschedule({ ...effect, tries: made.by }, 230_000, 'why');
    }
    case 'finish':
      return store.finish(first.id, keyOf(first.id, effects[made.effect] ?? { kind: 'query_payment' }));
    case 'keep':
      return store.keepStatement(
        statementOf(first, 'failure'),
        now === null ? null : first.id,
        now === null ? [] : ['parked'],
      );
    case 'refund':
      return store.refund(refundOf(first.id, made.n, 200n));
    case 'refundSettled':
      return store.refundSettled(first.id, 1);
    case 'planQuery':
      return store.planQuery(first.id, effectRow(first.id, { kind: 'query_payment' }));
    case 'pastDeadline':
      return (await store.pastDeadline(100)).map((loaded) => loaded.purchase.id).sort();
    case 'movePast':
      return h[node].movePast(100);
    case 'pass':
      return h.pass(made.ms);
  }
}

/** All that can be read of a purchase, without the milliseconds. */
async function picture(h: Harness, purchase: Purchase): Promise<unknown> {
  const { machineId, orderSeq } = purchase.order;
  const loaded = await h.one.purchases.load(purchase.id);
  const planned = await h.one.purchases.effectsOf(purchase.id);
  return {
    purchase: loaded?.purchase,
    isLive: loaded === null || loaded.leftMs !== null,
    effects: planned.map((one) => `${one.key} ${one.effect.kind} ${one.tries} ${one.maySent}`).sort(),
    events: (await h.one.reader.timeline(purchase.id)).map(({ version, event, state, node }) => ({
      version,
      event,
      state,
      node,
    })),
    cases: await h.openCases(purchase.id),
    refunds: await h.refundStates(purchase.id),
    statements: await h.statements(machineId, orderSeq),
    holder: (await h.two.purchases.ofOrder(machineId, orderSeq))?.purchase.id,
    floor: await h.two.purchases.seqFloorOf(machineId),
    live: (await h.two.purchases.liveOfMachine(machineId)).map((one) => one.purchase.id),
    figures: await h.figures(machineId),
  };
}

describe('the journal beside its model', () => {
  let model: HarnessMaker;
  let real: HarnessMaker;

  before(async () => {
    model = await memoryHarness();
    real = await postgresHarness();
  });
  after(() => real.close());

  it('answers every call of two nodes alike', async () => {
    const steps = fc.array(fc.record({ node: fc.constantFrom('one' as const, 'two' as const), call }), {
      minLength: 5,
      maxLength: 30,
    });
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const [memory, postgres] = [await model.fresh(), await real.fresh()];
        // Two for the first order, one each for the next two.
        const purchases = [1, 1, 2, 3].map((orderSeq) => aPurchase({ orderSeq }));
        const begins = [0, 2].map((purchase): Step => ({ node: 'one', call: { call: 'begin', purchase } }));
        for (const [at, step] of [...begins, ...all].entries()) {
          const index = 'purchase' in step.call ? step.call.purchase : 0;
          const now = (await memory.one.purchases.load(purchases[index]?.id ?? ''))?.purchase ?? null;
          const expected = await answer(memory, step, purchases, now);
          expect(await answer(postgres, step, purchases, now), `call ${at}`).to.deep.equal(expected);
        }
        for (const purchase of purchases) {
          expect(await picture(postgres, purchase)).to.deep.equal(await picture(memory, purchase));
        }
      }),
      { numRuns: 25, examples: [[secondRefundFirst]] },
    );
  });
});
