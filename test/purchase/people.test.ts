import { expect } from 'chai';
import { createCoordinator } from '../../src/purchase/coordinator.ts';
import { type ActOutcome, createPeople, type People, type RefundEntry } from '../../src/purchase/people.ts';
import { defaultRules } from '../../src/purchase/rules.ts';
import type { PurchaseStore, RefundCommit } from '../../src/purchase/store-port.ts';
import { buildHouse, firstId, type House } from '../support/house.ts';
import { keyOf } from '../support/house-node.ts';
import { books } from './books.ts';

const awa = { by: 'awa', reason: 'the payer called' };
const bintou = { by: 'bintou', reason: 'seen on camera' };

type Desk = { readonly people: People; readonly refunds: RefundEntry[]; readonly store: PurchaseStore };

/** A person's process beside the nodes of a house: no worker, no machine, no board. */
function openDesk(
  house: House,
  deps: { parts?: boolean; around?: (store: PurchaseStore) => Partial<PurchaseStore> } = {},
): Desk {
  const bare = house.world.store('person');
  const refunds: RefundEntry[] = [];
  const recording = async (change: RefundCommit) => {
    const answer = await bare.purchases.refund(change);
    const { n, amountMinor, requestedBy, reason } = change;
    if (answer === 'recorded') refunds.push({ n, amountMinor, requestedBy, reason, state: 'pending', at: 1 });
    return answer;
  };
  const kept: PurchaseStore = Object.assign(Object.create(bare.purchases) as PurchaseStore, {
    load: (id: string) => bare.purchases.load(id),
    commit: (change: Parameters<PurchaseStore['commit']>[0]) => bare.purchases.commit(change),
    refund: recording,
  });
  const store = Object.assign(kept, deps.around?.(kept) ?? {});
  const coordinator = createCoordinator({
    store,
    board: { release: async () => 'not_held', close: async () => ({ kind: 'none' }) },
    machines: { holds: () => false, deny: async () => undefined },
    keyOf,
    clock: house.clock,
    rules: defaultRules,
    leaseMs: 15_000,
    keepsEffects: false,
    run: () => {
      throw new Error('a person carries nothing out');
    },
    nudge: () => undefined,
    onChange: () => undefined,
    onTrouble: () => undefined,
  });
  const people = createPeople({
    coordinator,
    store,
    reader: bare.reader,
    refundsOf: async () => [...refunds],
    givesBackParts: () => deps.parts ?? true,
    keyOf,
  });
  return { people, refunds, store };
}

/** A purchase that was confirmed, and what a machine or a wallet did then. */
async function bought(prepare: (house: House) => void = () => undefined, advanceMs = 5_000): Promise<House> {
  const house = await buildHouse();
  prepare(house);
  await house.select();
  void house.confirm();
  await house.advance(advanceMs);
  return house;
}

/** In doubt: the approval got lost, and the machine is away. */
async function inDoubt(): Promise<House> {
  const house = await bought(({ machine }) => machine.failApproval({ kind: 'lost' }), 2_000);
  house.machine.disconnect();
  await house.advance(60_000);
  expect(house.stateOf()).to.equal('in_doubt in_doubt');
  return house;
}

function why(outcome: ActOutcome): string {
  return outcome.kind === 'refused' ? outcome.why : outcome.kind;
}

describe('a person at the desk', () => {
  it('gives the money back while nobody knows what came out, and any node carries it out', async () => {
    const house = await inDoubt();
    const outcome = await openDesk(house).people.refund(firstId, awa, null);
    expect([outcome.kind, house.stateOf()]).to.deep.equal(['done', 'reversing']);
    await house.rest();
    expect(books(house)).to.equal('reversed; sent in_doubt refunded');
  });

  it('confirms a delivery, and the operator gets the price', async () => {
    const house = await inDoubt();
    expect((await openDesk(house).people.confirm(firstId, bintou)).kind).to.equal('done');
    await house.rest();
    expect(books(house)).to.equal('completed; payer -500; operator +500; sent in_doubt receipt');
  });

  it('presses twice, and hears who did it and when', async () => {
    const house = await inDoubt();
    const { people } = openDesk(house);
    await people.refund(firstId, awa, 500n);
    const again = await people.refund(firstId, bintou, null);
    expect(again).to.deep.include({ kind: 'done_before', by: 'awa', amountMinor: 500n });
    expect(again.kind === 'done_before' ? again.at : null).to.equal(house.world.tables.events.get(firstId)?.at(-1)?.at);
  });

  it('hears of the other one when both press at once', async () => {
    const house = await inDoubt();
    const [one, other] = [openDesk(house), openDesk(house)];
    const outcomes = await Promise.all([
      one.people.refund(firstId, awa, null),
      other.people.refund(firstId, bintou, null),
    ]);
    expect(outcomes.map(why).sort()).to.deep.equal(['done', 'done_before']);
    await house.rest();
    expect(books(house)).to.equal('reversed; sent in_doubt refunded');
  });

  it('is told that something else came first', async () => {
    const house = await inDoubt();
    const racing = openDesk(house, {
      around: () => ({
        commit: async (change) => {
          await openDesk(house).people.confirm(firstId, bintou);
          return house.world.store('person').purchases.commit(change);
        },
      }),
    });
    expect(why(await racing.people.refund(firstId, awa, null))).to.equal('changed_meanwhile');
  });

  it('is told so too when the race is lost again and again', async () => {
    const house = await inDoubt();
    const racing = openDesk(house, { around: () => ({ commit: async () => ({ kind: 'lost_race' }) }) });
    expect(why(await racing.people.refund(firstId, awa, null))).to.equal('changed_meanwhile');
  });

  it('gives back in whole only what has no end yet', async () => {
    const house = await inDoubt();
    expect(why(await openDesk(house).people.refund(firstId, awa, 200n))).to.equal('only_whole');
    expect(house.stateOf()).to.equal('in_doubt in_doubt');
  });
});

describe('a refund of a sale', () => {
  it('gives all of it back once, however often it is asked for', async () => {
    const house = await bought();
    await house.rest();
    const { people } = openDesk(house);
    expect((await people.refund(firstId, awa, null)).kind).to.equal('done');
    expect(await people.refund(firstId, bintou, null)).to.deep.include({
      kind: 'done_before',
      by: 'awa',
      amountMinor: 500n,
    });
    await house.rest();
    expect(books(house)).to.equal('completed; dropped 1; sent receipt');
    expect(house.evidenceOf().refundedMinor).to.equal(500n);
  });

  it('in parts gives back at most the price', async () => {
    const house = await bought();
    await house.rest();
    const { people, refunds } = openDesk(house);
    const outcomes = [
      await people.refund(firstId, awa, 200n),
      await people.refund(firstId, awa, 200n),
      await people.refund(firstId, bintou, 301n),
      await people.refund(firstId, bintou, null),
      await people.refund(firstId, bintou, 1n),
    ];
    expect(outcomes.map(why)).to.deep.equal(['done', 'done_before', 'above_rest', 'done', 'above_rest']);
    expect(refunds.map((each) => each.amountMinor)).to.deep.equal([200n, 300n]);
  });

  it('in parts is refused where the wallet cannot', async () => {
    const house = await bought();
    await house.rest();
    expect(why(await openDesk(house, { parts: false }).people.refund(firstId, awa, 200n))).to.equal('not_in_parts');
  });

  it('by two at once happens once', async () => {
    const house = await bought();
    await house.rest();
    const desk = openDesk(house);
    const outcomes = await Promise.all([
      desk.people.refund(firstId, awa, null),
      desk.people.refund(firstId, bintou, null),
    ]);
    expect(outcomes.map(why).sort()).to.deep.equal(['done', 'done_before']);
    await house.rest();
    expect(house.evidenceOf().refundedMinor).to.equal(500n);
  });

  for (const [says, amountMinor] of [
    ['all of it', null],
    ['as much for another reason', 200n],
  ] as const) {
    it(`of a part is not taken for the one of another person, who asks for ${says} at once`, async () => {
      const house = await bought();
      await house.rest();
      const { people, refunds } = openDesk(house);
      const outcomes = await Promise.all([
        people.refund(firstId, awa, 200n),
        people.refund(firstId, bintou, amountMinor),
      ]);
      expect(outcomes.map(why)).to.deep.equal(['done', 'changed_meanwhile']);
      expect(why(await people.refund(firstId, bintou, amountMinor))).to.equal('done');
      await house.rest();
      expect(house.evidenceOf().refundedMinor).to.equal(amountMinor === null ? 500n : 400n);
      expect(refunds).to.have.length(2);
    });
  }

  it('of a part asked for twice at once for one reason happens once', async () => {
    const house = await bought();
    await house.rest();
    const { people } = openDesk(house);
    const outcomes = await Promise.all([people.refund(firstId, awa, 200n), people.refund(firstId, awa, 200n)]);
    expect(outcomes.map(why)).to.deep.equal(['done', 'done_before']);
    await house.rest();
    expect(house.evidenceOf().refundedMinor).to.equal(200n);
  });

  for (const [answer, says] of [
    ['above_price', 'above_rest'],
    ['exists', 'changed_meanwhile'],
  ] as const) {
    it(`is refused where the journal says ${answer}`, async () => {
      const house = await bought();
      await house.rest();
      const desk = openDesk(house, { around: () => ({ refund: async () => answer }) });
      expect(why(await desk.people.refund(firstId, awa, null))).to.equal(says);
    });
  }
});

describe('what a person may not do', () => {
  const stories: readonly (readonly [
    says: string,
    prepare: (house: House) => void,
    advanceMs: number,
    expected: readonly string[],
  ])[] = [
    [
      'declined',
      ({ wallet }) => wallet.refuse('221771234501', 'account_blocked'),
      5_000,
      ['nothing_moved', 'not_in_doubt', 'nothing_to_accept'],
    ],
    [
      'reversed',
      ({ machine }) => machine.setDelivery({ kind: 'fails', code: 'jam' }),
      60_000,
      ['already_back', 'not_in_doubt', 'nothing_to_accept'],
    ],
    [
      'approving',
      ({ machine }) => machine.failApproval({ kind: 'lost' }),
      2_000,
      ['still_delivering', 'not_in_doubt', 'nothing_to_accept'],
    ],
    [
      'settling',
      ({ wallet }) => wallet.fail('settle', { kind: 'request_lost' }),
      3_000,
      ['being_collected', 'not_in_doubt', 'hold_not_gone'],
    ],
    [
      'authorizing',
      ({ wallet }) => wallet.fail('authorize', { kind: 'late', afterMs: 9_000 }),
      2_000,
      ['not_overdue', 'not_in_doubt', 'nothing_to_accept'],
    ],
  ];
  for (const [state, prepare, advanceMs, expected] of stories) {
    it(`is refused while ${state}, each act by its reason, and changes nothing`, async () => {
      const house = await bought(prepare, advanceMs);
      expect(house.purchase().state).to.equal(state);
      const { version } = house.purchase();
      const { people } = openDesk(house);
      const outcomes = [
        await people.refund(firstId, awa, null),
        await people.confirm(firstId, awa),
        await people.acceptLoss(firstId, awa),
      ];
      expect(outcomes.map(why)).to.deep.equal(expected);
      expect(house.purchase().version).to.equal(version);
    });
  }

  it('is refused for a purchase that is none', async () => {
    const { people } = openDesk(await buildHouse());
    const outcomes = [await people.refund(firstId, awa, null), await people.confirm(firstId, awa)];
    expect(outcomes.map(why)).to.deep.equal(['no_purchase', 'no_purchase']);
  });
});

describe('a loss', () => {
  it('is accepted once the hold is gone, and then there is nothing to give back', async () => {
    const gone = { kind: 'answers', outcome: { kind: 'declined', code: 'hold_gone' } } as const;
    const house = await bought(({ wallet }) => {
      wallet.fail('settle', gone);
      wallet.fail('query', gone);
    });
    expect(house.stateOf()).to.equal('settling settlement_overdue');
    const { people } = openDesk(house);
    expect(why(await people.acceptLoss(firstId, awa))).to.equal('done');
    expect(house.purchase().state).to.equal('completed');
    expect([why(await people.acceptLoss(firstId, bintou)), why(await people.refund(firstId, awa, null))]).to.deep.equal(
      ['done_before', 'nothing_collected'],
    );
  });
});
