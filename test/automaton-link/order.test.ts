import { expect } from 'chai';
import type { OrderRecord } from '../../src/automaton-link/agent/journal.ts';
import { isTooLateToGo, judgeApproval, type LiveOrder, type Trial } from '../../src/automaton-link/agent/order.ts';

const waiting: OrderRecord = {
  seq: 42,
  item: 7,
  amount: 500n,
  currency: 'XOF',
  maxWaitMs: 120_000,
  bootId: 'b1',
  state: 'waiting',
  approval: null,
  outcome: null,
  closed: null,
  isOwed: false,
};
const live: LiveOrder = {
  seq: 42,
  selection: 3,
  selectedAtMs: 1_000,
  selectedWallMs: 1_000_000,
  maxWaitMs: 120_000,
  amount: 500n,
};
const approval: Trial['approval'] = {
  orderSeq: 42,
  orderId: 'O42',
  approvalId: 'A9',
  amount: 500n,
  currency: 'XOF',
  item: 7,
  validMs: 80_000,
};
function aTrial(over: Partial<Trial> = {}): Trial {
  return {
    approval,
    receivedAtMs: 32_000,
    record: waiting,
    firstSeq: 1,
    highWater: 42,
    live,
    isOutOfOrder: false,
    isRequested: true,
    nowMs: 32_000,
    wallMs: 1_031_000,
    vmcMarginMs: 2_000,
    ...over,
  };
}
function verdict(over: Partial<Trial>): string {
  const judged = judgeApproval(aTrial(over));
  if (judged.kind === 'rejected') return `${judged.reason}, closes ${judged.closes}, raises ${judged.raisesTo}`;
  return judged.kind === 'duplicate' ? `duplicate ${judged.state}` : judged.kind;
}
function closed(result: NonNullable<OrderRecord['closed']>['result']): Partial<Trial> {
  return { record: { ...waiting, state: 'closed', closed: { result, approvalSeen: null }, isOwed: true }, live: null };
}
const delivering: OrderRecord = { ...waiting, state: 'delivering', approval: { id: 'A9', amount: 500n } };

describe('the acceptance test', () => {
  const rows: readonly (readonly [string, Partial<Trial>, string])[] = [
    ['accepts what fits', {}, 'accepted'],
    ['1: knows its approval again', { record: delivering }, 'duplicate delivering'],
    [
      '1: knows it again when all else has changed',
      { record: delivering, isOutOfOrder: true, live: null, nowMs: 9e9 },
      'duplicate delivering',
    ],
    [
      '1: rejects another approval',
      { record: { ...delivering, approval: { id: 'A1', amount: 500n } } },
      'other_approval, closes null, raises null',
    ],
    ['2: expired is late', closed('expired'), 'late, closes null, raises null'],
    ['2: rebooted is late', closed('rebooted'), 'late, closes null, raises null'],
    ['2: unreachable is late', closed('unreachable'), 'late, closes null, raises null'],
    ['2: canceled', closed('canceled'), 'canceled, closes null, raises null'],
    ['2: replaced', closed('replaced'), 'replaced, closes null, raises null'],
    ['2: closed by a rejection', closed('rejected'), 'already_closed, closes null, raises null'],
    ['2: denied', closed('denied'), 'already_closed, closes null, raises null'],
    ['3: a number that was never minted', { record: null, highWater: 41 }, 'unknown_order, closes null, raises 42'],
    [
      '3: a number before this journal',
      { record: null, firstSeq: 43, highWater: 50 },
      'unknown_order, closes null, raises null',
    ],
    ['3: a number that is no longer kept', { record: null, highWater: 50 }, 'already_closed, closes null, raises null'],
    ['4: out of order', { isOutOfOrder: true }, 'out_of_order, closes rejected, raises null'],
    ['4: the controller is not in the request', { isRequested: false }, 'vmc_not_ready, closes rejected, raises null'],
    ['4: another selection is in hand', { live: { ...live, seq: 43 } }, 'vmc_not_ready, closes rejected, raises null'],
    ['5: another amount', { approval: { ...approval, amount: 501n } }, 'amount_mismatch, closes rejected, raises null'],
    ['5: another item', { approval: { ...approval, item: 8 } }, 'amount_mismatch, closes rejected, raises null'],
    [
      '5: another currency',
      { approval: { ...approval, currency: 'XAF' } },
      'amount_mismatch, closes rejected, raises null',
    ],
    ['5: an amount the machine never knew', { live: { ...live, amount: null } }, 'accepted'],
    ['6: the last moment', { nowMs: 118_999, receivedAtMs: 118_999, wallMs: 1_117_999 }, 'accepted'],
    [
      '6: a moment later',
      { nowMs: 119_000, receivedAtMs: 119_000, wallMs: 1_118_000 },
      'late, closes expired, raises null',
    ],
    [
      '6: validMs since receipt is over',
      { approval: { ...approval, validMs: 500 }, receivedAtMs: 31_500 },
      'late, closes expired, raises null',
    ],
    ['6: the host was suspended', { wallMs: 1_036_001 }, 'late, closes expired, raises null'],
    ['6: the wall clock was set back', { wallMs: 5 }, 'accepted'],
  ];
  for (const [name, over, expected] of rows) {
    it(name, () => {
      expect(verdict(over)).to.equal(expected);
    });
  }

  it('looks at the deadline once more before the go-ahead', () => {
    expect([isTooLateToGo(live, 120_500), isTooLateToGo(live, 120_501)]).to.deep.equal([false, true]);
  });
});
