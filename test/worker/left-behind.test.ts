/**
 * What a node leaves in each state, when it dies or stands still there, and how another one brings it to its end. A node
 * that wakes after that acts on nothing it had held before.
 */
import { expect } from 'chai';
import { Secret } from '../../src/purchase/payment-port.ts';
import { books, sold } from '../purchase/books.ts';
import { buildHouse, firstId, type House } from '../support/house.ts';
import { keyOf } from '../support/house-node.ts';

type Row = {
  readonly says: string;
  /** Where the purchase is when node a is struck. */
  readonly state: string;
  readonly isConnected?: boolean;
  readonly before?: (house: House) => void;
  /** After the yes. */
  readonly strikeAfterMs: number;
  readonly arrange?: (house: House) => Promise<void>;
  /** The strike comes by itself, at this commit of node a. */
  readonly atCommit?: number;
  /** Once node a is struck: the payer's next key, say. */
  readonly then?: (house: House) => void;
  /** The machine, that is: when it comes to node b after the strike. */
  readonly machineAfterMs?: number | null;
  readonly withinMs: number;
  readonly books: string;
};

const jam = ({ machine }: House): void => machine.setDelivery({ kind: 'fails', code: 'jam' });
const slow = ({ machine }: House): void => machine.setDelivery({ kind: 'delivers' }, 10_000);
const asking = ({ wallet }: House): void => wallet.setAsking({ by: 'pin', pin: '8642' });
const givePin = (house: House): void => void house.node('b').purchases.giveValidation(firstId, new Secret('8642'));

async function refundWanted(house: House): Promise<void> {
  const amountMinor = 500n;
  const effect = { kind: 'refund', n: 1, amountMinor, reason: 'paid_after_close' } as const;
  const row = { effect, key: keyOf(firstId, 'refund', 1), dueInMs: 0, isOwn: false };
  const who = { purchaseId: firstId, n: 1, amountMinor, requestedBy: 'awa', reason: 'paid_after_close' };
  await house.node('b').store.purchases.refund({ ...who, effect: row, opened: [] });
  const taken = (): boolean => house.wallet.calls.some((call) => call.startsWith('reverse'));
  while (!taken()) await house.advance(50);
}

// Lease 15 s, a poll a second, the first question a second later, 0.2 s an answer.
const rows: readonly Row[] = [
  {
    says: 'with the wallet’s answer on its way',
    state: 'authorizing',
    strikeAfterMs: 100,
    withinMs: 21_000,
    books: sold,
  },
  {
    says: 'with a call that the wallet never heard',
    state: 'authorizing',
    before: ({ wallet }) => wallet.fail('authorize', { kind: 'request_lost' }),
    strikeAfterMs: 100,
    withinMs: 21_000,
    books: sold,
  },
  {
    says: 'with the lease on a call not made yet',
    state: 'authorizing',
    strikeAfterMs: 0,
    atCommit: 1,
    withinMs: 21_000,
    books: sold,
  },
  {
    says: 'with the payer being asked',
    state: 'validating',
    before: asking,
    strikeAfterMs: 500,
    then: givePin,
    withinMs: 10_000,
    books: sold,
  },
  {
    says: 'with the PIN in its hands, not passed on',
    state: 'validating',
    before: asking,
    strikeAfterMs: 500,
    arrange: async (house) => {
      house.node('a').stallAtCommit(1);
      void house.node('a').purchases.giveValidation(firstId, new Secret('8642'));
      await house.clock.settle();
    },
    then: (house) => house.clock.after(20_000, () => givePin(house)),
    withinMs: 30_000,
    // The word waits for the dialog 10 s, and was on its way when the payer came back.
    books: sold.replace('sent receipt', 'sent sms_validate receipt'),
  },
  {
    says: 'with an approval for a machine that is away',
    state: 'approving',
    isConnected: false,
    strikeAfterMs: 500,
    withinMs: 10_000,
    books: sold,
  },
  {
    says: 'with an approval for a machine that stays away',
    state: 'approving',
    isConnected: false,
    strikeAfterMs: 500,
    machineAfterMs: null,
    withinMs: 72_000,
    books: 'reversed; sent refunded',
  },
  {
    says: 'with the lease on an approval not sent yet',
    state: 'approving',
    strikeAfterMs: 250,
    atCommit: 2,
    withinMs: 10_000,
    books: sold,
  },
  {
    says: 'with an approval sent and not answered',
    state: 'approving',
    strikeAfterMs: 220,
    withinMs: 10_000,
    books: sold,
  },
  {
    says: 'with a delivery under way',
    state: 'vending',
    before: slow,
    strikeAfterMs: 3000,
    withinMs: 12_000,
    books: sold,
  },
  {
    says: 'with a delivery under way that fails',
    state: 'vending',
    before: ({ machine }) => machine.setDelivery({ kind: 'fails', code: 'jam' }, 10_000),
    strikeAfterMs: 3000,
    withinMs: 12_000,
    books: 'reversed; sent refunded',
  },
  {
    says: 'with the wallet’s answer to the settlement on its way',
    state: 'settling',
    strikeAfterMs: 2300,
    withinMs: 17_000,
    books: sold,
  },
  {
    says: 'with the lease on a settlement not begun',
    state: 'settling',
    strikeAfterMs: 2300,
    atCommit: 4,
    withinMs: 17_000,
    books: sold,
  },
  {
    says: 'with the wallet’s answer to the reversal on its way',
    state: 'reversing',
    before: jam,
    strikeAfterMs: 2300,
    withinMs: 17_000,
    books: 'reversed; sent refunded',
  },
  {
    says: 'with a reversal that the wallet never heard',
    state: 'reversing',
    before: (house) => {
      jam(house);
      house.wallet.fail('reverse', { kind: 'request_lost' });
    },
    strikeAfterMs: 2300,
    withinMs: 17_000,
    books: 'reversed; sent refunded',
  },
  {
    says: 'with a machine that speaks again',
    state: 'in_doubt',
    before: ({ machine }) => machine.setDelivery({ kind: 'says_nothing' }),
    strikeAfterMs: 65_000,
    then: ({ clock, machine }) => {
      const event = { type: 'vend_succeeded', basis: null } as const;
      clock.after(8000, () => machine.reportLate(17, { kind: 'success', event }));
    },
    withinMs: 10_000,
    books: sold.replace('sent receipt', 'sent in_doubt receipt'),
  },
  {
    says: 'with a machine that never speaks again',
    state: 'in_doubt',
    before: ({ machine }) => machine.setDelivery({ kind: 'says_nothing' }),
    strikeAfterMs: 65_000,
    machineAfterMs: null,
    withinMs: 24 * 3_600_000 + 2000,
    books: 'reversed in_doubt; sent in_doubt refunded',
  },
  {
    says: 'with a text to send',
    state: 'declined',
    before: ({ wallet }) => wallet.refuse('221771234501', 'limit_exceeded'),
    strikeAfterMs: 1000,
    withinMs: 11_000,
    books: 'declined; sent declined',
  },
  {
    says: 'with a refund on its way',
    state: 'completed',
    strikeAfterMs: 5000,
    arrange: refundWanted,
    withinMs: 17_000,
    books: 'completed; dropped 1; sent receipt',
  },
];

/** The house a moment after node a was struck; node b lives. */
async function struck(row: Row, how: 'kill' | 'stall'): Promise<House> {
  const house = await buildHouse({ isConnected: row.isConnected ?? true });
  const a = house.node('a');
  row.before?.(house);
  await house.select();
  if (row.atCommit !== undefined) a.stallAtCommit(row.atCommit);
  void house.confirm();
  await house.advance(row.strikeAfterMs);
  await row.arrange?.(house);
  a[how]();
  house.node('b');
  expect(house.purchase().state, 'state at the strike').to.equal(row.state);
  house.machine.disconnect();
  const { machineAfterMs = 2000 } = row;
  if (machineAfterMs !== null) house.clock.after(machineAfterMs, () => house.machine.connect(house.node('b')));
  row.then?.(house);
  return house;
}

describe('what a dead node left', () => {
  for (const row of rows) {
    it(`in ${row.state}, ${row.says}, ends within ${row.withinMs / 1000} s`, async () => {
      const house = await struck(row, 'kill');
      await house.advance(row.withinMs);
      expect(books(house)).to.equal(row.books);
      await house.rest();
      expect([books(house), house.world.tables.effects.size]).to.deep.equal([row.books, 0]);
    });
  }
});

describe('a node that stood still while another one went on', () => {
  for (const row of rows) {
    it(`in ${row.state}, ${row.says}, calls nobody when it wakes`, async () => {
      const house = await struck(row, 'stall');
      await house.advance(row.withinMs);
      expect(books(house)).to.equal(row.books);
      const before = [[...house.wallet.calls], [...house.machine.approvals], house.notices.length];
      house.node('a').wake();
      await house.rest();
      expect([house.wallet.calls, house.machine.approvals, house.notices.length]).to.deep.equal(before);
      expect([books(house), house.node('a').troubles]).to.deep.equal([row.books, []]);
    });
  }
});
