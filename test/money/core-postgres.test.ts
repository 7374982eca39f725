import { expect } from 'chai';
import { keyOf } from '../../src/composition/names.ts';
import { createCoordinator } from '../../src/purchase/coordinator.ts';
import type { PurchaseStore } from '../../src/purchase/store-port.ts';
import { type HarnessMaker, postgresHarness } from '../store/harness.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { createMemoryRedis } from '../support/memory-order-board.ts';
import { rules } from '../support/purchase-builders.ts';
import {
  aPurchase,
  authorize,
  authorizedOf,
  beginOf,
  commitOf,
  effectRow,
  refundOf,
  statementOf,
} from '../support/store-builders.ts';

const HOUR = 3_600_000;

describe('the journal on PostgreSQL', () => {
  let maker: HarnessMaker;
  before(async () => {
    maker = await postgresHarness();
  });
  after(() => maker.close());

  const coordinatorOver = (store: PurchaseStore) => {
    const clock = createFakeClock();
    return createCoordinator({
      store,
      board: createMemoryRedis(clock).board('a').orders,
      machines: { holds: () => false, deny: async () => undefined },
      keyOf,
      clock,
      rules,
      leaseMs: 15_000,
      run: () => undefined,
      nudge: () => undefined,
      onChange: () => undefined,
      onTrouble: () => undefined,
    });
  };

  it('applies the event of a statement that was stored beside the path, and keeps the statement once', async () => {
    const the = await maker.fresh();
    const store = the.one.purchases;
    const purchase = aPurchase();
    await store.begin(beginOf(purchase));
    await store.commit(authorizedOf(purchase));
    const statement = statementOf(purchase);
    await store.keepStatement(statement, purchase.id, ['contradicting_result']);
    const applied = await coordinatorOver(store).apply(purchase.id, { type: 'vend_succeeded', basis: null }, statement);
    const loaded = await the.two.purchases.load(purchase.id);
    const { machineId, orderSeq } = purchase.order;
    expect([applied.kind, loaded?.purchase.state, await the.statements(machineId, orderSeq)]).to.deep.equal([
      'committed',
      'settling',
      ['success'],
    ]);
  });

  it('hands out the refund of a purchase that has been moved to the past, with its purchase', async () => {
    const the = await maker.fresh();
    const { purchases } = the.one;
    const purchase = aPurchase();
    await purchases.begin(beginOf(purchase));
    await purchases.commit(
      commitOf(
        purchase,
        'declined',
        { type: 'authorize_declined', code: 'wallet_unavailable', leftMs: 0 },
        { dropped: [effectRow(purchase.id, authorize).key] },
      ),
    );
    await purchases.planQuery(purchase.id, effectRow(purchase.id, { kind: 'query_payment' }, { isOwn: false }));
    await the.pass(HOUR);
    const count = await the.one.movePast(10);
    expect(await purchases.refund(refundOf(purchase.id, 1, purchase.order.price.minor))).to.equal('recorded');
    const taken = await the.two.purchases.takeDue(10, 15_000);
    const loaded = await the.two.purchases.load(purchase.id);
    expect([count, taken.map(({ effect }) => effect.kind).sort(), loaded?.purchase.state]).to.deep.equal([
      1,
      ['query_payment', 'refund'],
      'declined',
    ]);
  });
});
