import { expect } from 'chai';
import { leftMsOf } from '../../src/purchase/coordinator.ts';
import { buildHouse, firstId, type House } from '../support/house.ts';
import { aPurchase } from '../support/store-builders.ts';
import { books, sold } from './books.ts';

async function confirmed(before: (house: House) => void = () => undefined): Promise<House> {
  const house = await buildHouse();
  before(house);
  await house.select();
  await house.confirm();
  return house;
}

const silent = ({ machine }: House): void => machine.setDelivery({ kind: 'says_nothing' });
const jam = { type: 'vend_failed', code: 'jam' } as const;
const failure = { machineId: 'M-4567', orderSeq: 17, kind: 'failure', content: {} } as const;

describe('the coordinator', () => {
  it('knows nothing of a purchase that never was', async () => {
    const house = await buildHouse();
    const { coordinator } = house.node('a');
    expect([await coordinator.apply(firstId, jam), await coordinator.reload(firstId)]).to.deep.equal([
      { kind: 'no_purchase' },
      null,
    ]);
  });

  it('decides again by what it reads when another node came first', async () => {
    const house = await confirmed(silent);
    await house.advance(2000);
    await house.node('b').coordinator.apply(firstId, jam);
    expect((await house.node('a').coordinator.apply(firstId, jam)).kind).to.equal('already');
    await house.rest();
    expect(books(house)).to.equal('reversed; sent refunded');
  });

  it('says no by the journal only, never by an old memory', async () => {
    const house = await confirmed(silent);
    await house.advance(2000);
    await house.node('b').coordinator.apply(firstId, { type: 'deadline_passed' });
    const applied = await house.node('a').coordinator.apply(firstId, {
      type: 'operator_refunded',
      by: 'awa',
      reason: 'payer called',
    });
    expect(applied.kind).to.equal('committed');
  });

  it('gives up after five lost races, and the caller tries later', async () => {
    const house = await confirmed(silent);
    await house.advance(500);
    house
      .node('a')
      .failJournal(
        ...Array.from({ length: 5 }, () => ({ on: 'commit', happened: 'lost_race', isDone: false }) as const),
      );
    const { coordinator } = house.node('a');
    expect([await coordinator.apply(firstId, jam), (await coordinator.apply(firstId, jam)).kind]).to.deep.equal([
      { kind: 'busy' },
      'committed',
    ]);
  });

  it('withdraws no approval that may have been sent', async () => {
    const house = await confirmed(({ machine }) => machine.failApproval({ kind: 'lost' }));
    await house.advance(300);
    expect(await house.node('b').coordinator.apply(firstId, { type: 'approval_unreachable' })).to.deep.equal({
      kind: 'busy',
    });
    expect(house.purchase().state).to.equal('approving');
  });

  it('applies the event of a statement that was stored without it', async () => {
    const house = await confirmed(silent);
    await house.advance(2000);
    await house.node('b').store.purchases.keepStatement(failure, firstId, []);
    expect((await house.node('a').coordinator.apply(firstId, jam, failure)).kind).to.equal('committed');
    expect(house.purchase().state).to.equal('reversing');
  });

  it('forgets what it remembered when a commit has no answer', async () => {
    const house = await confirmed(silent);
    await house.advance(2000);
    const { coordinator } = house.node('a');
    house.node('a').failJournal({ on: 'commit', happened: 'unknown', isDone: true });
    let thrown: unknown;
    await coordinator.apply(firstId, jam).catch((error: unknown) => {
      thrown = error;
    });
    const seen = await coordinator.load(firstId);
    expect([String(thrown), seen?.purchase.state]).to.deep.equal(['Fault: journal_unreachable', 'reversing']);
  });

  it('remembers ten thousand purchases, and reads the oldest again', async () => {
    const house = await buildHouse();
    const { coordinator } = house.node('a');
    const one = (n: number) => ({
      purchase: aPurchase({ id: `p-${n}`, orderSeq: n }),
      leftMs: 1,
      sinceConfirmedMs: 0,
      sinceEndedMs: null,
    });
    for (let n = 0; n <= 10_000; n += 1) coordinator.begun(one(n), [], 0);
    const [oldest, next] = [await coordinator.load('p-0'), await coordinator.load('p-1')];
    expect([oldest, next?.purchase.id]).to.deep.equal([null, 'p-1']);
  });

  it('reads nothing back for a sale that is over within a second of the acceptance', async () => {
    const house = await confirmed(({ machine }) => machine.setDelivery({ kind: 'delivers' }, 100));
    await house.advance(1000);
    expect(house.purchase().state).to.equal('completed');
    house.node('a').failJournal({ on: 'load', happened: 'no', isDone: false });
    await house.advance(2000);
    expect(house.node('a').troubles).to.not.include('acceptance_not_recorded');
  });

  it('forgets an acceptance that it heard after the end', async () => {
    const house = await confirmed();
    await house.rest();
    const { coordinator } = house.node('a');
    coordinator.accepted(firstId);
    const before = coordinator.isAccepted(firstId);
    await house.advance(2000);
    expect([before, coordinator.isAccepted(firstId)]).to.deep.equal([true, false]);
  });

  it('keeps an acceptance whose commit lost its race too often', async () => {
    const house = await confirmed(silent);
    await house.advance(400);
    const lost = { on: 'commit', happened: 'lost_race', isDone: false } as const;
    house.node('a').failJournal(lost, lost, lost, lost, lost);
    await house.advance(1100);
    expect([house.node('a').coordinator.isAccepted(firstId), house.purchase().state]).to.deep.equal([
      true,
      'approving',
    ]);
  });

  it('counts on from what it remembers', async () => {
    const house = await confirmed();
    await house.clock.settle();
    const loaded = await house.node('a').coordinator.load(firstId);
    await house.clock.advance(100);
    const later = await house.node('a').coordinator.load(firstId);
    expect([loaded, later].map((each) => [each?.leftMs, each?.sinceConfirmedMs, each?.sinceEndedMs])).to.deep.equal([
      [60_000, 0, null],
      [59_900, 100, null],
    ]);
  });

  it('records an acceptance by itself after a second, once, however often it was heard', async () => {
    const house = await confirmed(silent);
    await house.advance(400);
    const { coordinator, changes } = house.node('a');
    coordinator.accepted(firstId);
    coordinator.accepted(firstId);
    await house.advance(800);
    const before = changes.map(({ event }) => event);
    await house.advance(3000);
    expect([before, changes.map(({ event }) => event)]).to.deep.equal([
      ['confirmed', 'authorized'],
      ['confirmed', 'authorized', 'approval_accepted'],
    ]);
  });

  it('reports an acceptance that could not be recorded; the approval comes again and finds it', async () => {
    const house = await confirmed(silent);
    await house.advance(500);
    house.node('a').failJournal({ on: 'commit', happened: 'no', isDone: false });
    await house.advance(1500);
    const before = house.purchase().state;
    await house.advance(16_000);
    expect([house.node('a').troubles, before, house.purchase().state, house.machine.approvals.length]).to.deep.equal([
      ['acceptance_not_recorded'],
      'approving',
      'vending',
      1,
    ]);
  });

  it('wakes who waits for a change, or lets him go when his time is over', async () => {
    const house = await confirmed();
    const { coordinator } = house.node('a');
    const woken: string[] = [];
    void coordinator.changed(firstId, 10_000).then(() => woken.push('changed'));
    void coordinator.changed('another', -5).then(() => woken.push('over'));
    await house.advance(300);
    expect(woken).to.deep.equal(['over', 'changed']);
  });

  it('tells the board of a late decline that the order is closed, and the machine that nobody will pay', async () => {
    const house = await confirmed(({ wallet }) => {
      wallet.refuse('221771234501', 'limit_exceeded');
      wallet.fail('authorize', { kind: 'answer_lost' });
      wallet.fail('query', ...Array.from({ length: 6 }, () => ({ kind: 'request_lost' }) as const));
    });
    await house.rest();
    expect([books(house), house.machine.denials]).to.deep.equal(['declined; sent declined', [17]]);
  });

  it('tells the board of a decline with less than the cut-off left that the order is closed', async () => {
    const house = await confirmed(({ wallet }) => {
      wallet.refuse('221771234501', 'limit_exceeded');
      wallet.fail('authorize', { kind: 'answer_lost' });
      wallet.fail('query', ...Array.from({ length: 3 }, () => ({ kind: 'request_lost' }) as const));
    });
    await house.advance(53_000);
    const order = await house.node('a').board.orders.look('M-4567');
    expect([house.stateOf(), order?.state, house.machine.denials]).to.deep.equal(['declined', 'closed', [17]]);
  });

  it('goes on when it cannot tell the board', async () => {
    const house = await confirmed();
    house.redis.setReachable(false);
    await house.rest();
    expect([books(house), house.node('a').troubles]).to.deep.equal([sold, ['board_not_told']]);
  });

  it('counts nothing as left of a purchase that has ended', async () => {
    const house = await confirmed();
    await house.rest();
    const loaded = await house.node('b').coordinator.load(firstId);
    expect(loaded === null ? null : [loaded.leftMs, leftMsOf(loaded)]).to.deep.equal([null, 0]);
  });
});
