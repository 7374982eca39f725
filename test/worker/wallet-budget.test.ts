import { aLive, anEnded } from '../support/purchase-builders.ts';
import { done, tell } from './carry-out-bench.ts';

const slow = { authorizeMs: 14_000, otherMs: 14_000 };

describe('a wallet that may take longer than others', () => {
  tell([
    [
      'is not asked to pay by a call that could outlive its lease',
      aLive('authorizing'),
      { kind: 'authorize', expiresInMs: 47_000, holdMs: null, isResend: false },
      { calls: done, budgets: slow },
      { leaseEndsAtMs: 13_999 },
      [],
    ],
    [
      'is not asked to settle by a call that could outlive its lease',
      aLive('settling'),
      { kind: 'settle', n: 1 },
      { calls: done, budgets: slow },
      { leaseEndsAtMs: 13_999 },
      [],
    ],
    [
      'is not asked to give back by a call that could outlive its lease',
      anEnded('completed'),
      { kind: 'refund', n: 1, amountMinor: 500n, reason: 'paid_after_close' },
      { calls: done, budgets: slow },
      { leaseEndsAtMs: 13_999 },
      [],
    ],
    [
      'has a refusal confirmed under a lease taken anew, when the old one could end before the answer',
      aLive('settling'),
      { kind: 'settle', n: 1 },
      { calls: { kind: 'declined', code: 'wallet_refused' }, queries: [done], answersAfterMs: 1001, budgets: slow },
      {},
      ['settle settle/1', 'keep the lease', 'query settle/1', 'event settled'],
    ],
  ]);
});
