import type { Effect } from '../../src/purchase/effect.ts';
import type { Outcome } from '../../src/purchase/payment-port.ts';
import { aLive, anEnded } from '../support/purchase-builders.ts';
import { declined, done, notFound, pending, tell, unknown } from './carry-out-bench.ts';

const authorize: Effect = { kind: 'authorize', expiresInMs: 47_000, holdMs: null, isResend: false };
const query: Effect = { kind: 'query_payment' };
const asking = aLive('authorizing', { facts: { isQuerying: true } });

describe('carrying out authorize', () => {
  tell([
    [
      'calls the wallet once, and offers what it said',
      aLive('authorizing'),
      authorize,
      { calls: done },
      {},
      ['authorize authorize/1', 'event authorized'],
    ],
    [
      'never calls what somebody may have called before: it is asked about',
      aLive('authorizing'),
      authorize,
      { calls: done },
      { tries: 2 },
      ['event payment_unknown'],
    ],
    [
      'does not begin a call that could outlive its lease',
      aLive('authorizing'),
      authorize,
      { calls: done },
      { leaseEndsAtMs: 11_999 },
      [],
    ],
    ['calls nothing in another state', aLive('validating'), authorize, { calls: done }, {}, []],
    [
      'takes a refusal of a repetition for no answer',
      aLive('authorizing'),
      { ...authorize, isResend: true },
      { calls: declined },
      {},
      ['authorize authorize/1', 'event payment_unknown'],
    ],
    [
      'opens a case for what contradicts',
      aLive('authorizing'),
      authorize,
      { calls: done, applied: 'noted' },
      {},
      ['authorize authorize/1', 'event authorized', 'open contradicting_result'],
    ],
    [
      'leaves a lost race to the lease',
      aLive('authorizing'),
      authorize,
      { calls: done, applied: 'busy' },
      {},
      ['authorize authorize/1', 'event authorized'],
    ],
  ]);
});

describe('carrying out authorize, late', () => {
  tell([
    [
      'calls nothing when finding the payer took so long that the call could outlive its lease',
      aLive('authorizing'),
      authorize,
      { calls: done, lookUpMs: 3001 },
      {},
      [],
    ],
    [
      'calls while the lease covers the call',
      aLive('authorizing'),
      authorize,
      { calls: done, lookUpMs: 3000 },
      {},
      ['authorize authorize/1', 'event authorized'],
    ],
  ]);
});

describe('carrying out query_payment', () => {
  const asks: Outcome = { kind: 'needs_validation', ref: 'W-1', by: 'pin', triesLeft: 3, expiresInMs: 30_000 };
  const q = 'query authorize/1';
  tell([
    ['offers a definite answer', asking, query, { queries: [done] }, {}, [q, 'event authorized']],
    ['does not begin a call that could outlive its lease', asking, query, {}, { leaseEndsAtMs: 9999 }, []],
    ['comes again after 1 s', asking, query, { queries: [unknown] }, {}, [q, 'event none', 'again in 1000: unknown']],
    [
      'comes again after 2, 4, 8 s',
      asking,
      query,
      { queries: [unknown] },
      { tries: 4 },
      [q, 'event none', 'again in 8000: unknown'],
    ],
    [
      'comes again every minute in the end',
      asking,
      query,
      { queries: [unknown] },
      { tries: 99 },
      [q, 'event none', 'again in 60000: unknown'],
    ],
    [
      'comes again when the wallet says so',
      asking,
      query,
      { queries: [pending] },
      {},
      [q, 'event none', 'again in 7000: pending'],
    ],
    [
      'comes again when the payer’s time is over',
      aLive('validating'),
      query,
      { queries: [asks] },
      {},
      [q, 'event none', 'again in 30000: needs_validation'],
    ],
    [
      'comes again within a minute while the payer has longer',
      aLive('validating'),
      query,
      { queries: [{ ...asks, expiresInMs: 300_000 }] },
      {},
      [q, 'event none', 'again in 60000: needs_validation'],
    ],
    [
      'comes again soon while the wallet’s push is open',
      aLive('validating', { facts: { validation: { by: 'push', triesLeft: null } } }),
      query,
      { queries: [{ ...asks, by: 'push', triesLeft: null }] },
      {},
      [q, 'event none', 'again in 1000: needs_validation'],
    ],
    [
      'comes again when what was said changed nothing yet',
      asking,
      query,
      { queries: [notFound], applied: 'already' },
      {},
      [q, 'event payment_not_found', 'again in 1000: not_found'],
    ],
    [
      'is finished by the last look at a purchase that is over',
      anEnded('declined'),
      query,
      { queries: [declined], applied: 'already' },
      {},
      [q, 'event authorize_declined', 'finish query_payment/1 of take 1'],
    ],
    [
      'goes on while the wallet is silent about a purchase that is over',
      anEnded('declined'),
      query,
      { queries: [unknown] },
      {},
      [q, 'event none', 'again in 1000: unknown'],
    ],
    [
      'gives money back that was found after the end',
      anEnded('declined'),
      query,
      { queries: [done], applied: 'refund_due' },
      {},
      [q, 'event authorized', 'refund refund/1', 'finish query_payment/1'],
    ],
  ]);
});

describe('carrying out settle', () => {
  const settle: Effect = { kind: 'settle', n: 1 };
  const settling = aLive('settling');
  tell([
    ['offers that it is done', settling, settle, { calls: done }, {}, ['settle settle/1', 'event settled']],
    [
      'believes a refusal only when a query confirms it',
      settling,
      settle,
      { calls: declined, queries: [declined] },
      {},
      ['settle settle/1', 'query settle/1', 'event settle_refused'],
    ],
    [
      'takes a refusal for done when the query says so',
      settling,
      settle,
      { calls: declined, queries: [done] },
      {},
      ['settle settle/1', 'query settle/1', 'event settled'],
    ],
    [
      'tries the same key again when the query leaves it open',
      settling,
      settle,
      { calls: declined, queries: [unknown] },
      {},
      ['settle settle/1', 'query settle/1', 'again in 1000: unknown'],
    ],
    [
      'tries the same key again, every quarter of an hour in the end',
      settling,
      settle,
      { calls: pending },
      { tries: 40 },
      ['settle settle/1', 'again in 900000: pending'],
    ],
    [
      'takes its lease anew before it asks what a slow refusal meant',
      settling,
      settle,
      { calls: declined, queries: [declined], answersAfterMs: 6000 },
      {},
      ['settle settle/1', 'keep the lease', 'query settle/1', 'event settle_refused'],
    ],
    [
      'leaves a slow refusal to who has taken the effect meanwhile',
      settling,
      settle,
      { calls: declined, queries: [declined], answersAfterMs: 6000, isTaken: true },
      {},
      ['settle settle/1', 'keep the lease'],
    ],
    ['calls nothing in another state', aLive('reversing'), settle, {}, {}, []],
    ['does not begin a call that could outlive its lease', settling, settle, {}, { leaseEndsAtMs: 9999 }, []],
  ]);
});

describe('carrying out reverse', () => {
  const second: Effect = { kind: 'reverse', n: 2, reason: 'failed_jam' };
  const first: Effect = { ...second, n: 1 };
  const reversing = aLive('reversing');
  tell([
    ['offers that it is done', reversing, first, { calls: done }, {}, ['reverse reverse/1 ref W-1', 'event reversed']],
    [
      'believes a refusal only when a query confirms it',
      reversing,
      first,
      { calls: declined, queries: [declined] },
      {},
      ['reverse reverse/1 ref W-1', 'query reverse/1', 'event reverse_refused'],
    ],
    [
      'tries the same key again while it is open',
      reversing,
      first,
      { calls: unknown },
      {},
      ['reverse reverse/1 ref W-1', 'again in 1000: unknown'],
    ],
    [
      'ends when an earlier attempt went through after all',
      reversing,
      second,
      { queries: [done] },
      {},
      ['query reverse/1', 'event reversed'],
    ],
    [
      'waits while an earlier attempt is open',
      reversing,
      second,
      { queries: [pending] },
      {},
      ['query reverse/1', 'again in 1000: pending'],
    ],
    [
      'goes on when every earlier attempt is refused',
      reversing,
      second,
      { queries: [declined], calls: done },
      {},
      ['query reverse/1', 'reverse reverse/2 ref W-1', 'event reversed'],
    ],
    [
      'goes on when an earlier attempt was never seen',
      reversing,
      second,
      { queries: [notFound], calls: done },
      {},
      ['query reverse/1', 'reverse reverse/2 ref W-1', 'event reversed'],
    ],
    [
      'takes its lease anew as often as slow answers need it',
      reversing,
      { ...second, n: 3 },
      { queries: [declined, declined], calls: done, answersAfterMs: 6000 },
      {},
      [
        'query reverse/1',
        'keep the lease',
        'query reverse/2',
        'keep the lease',
        'reverse reverse/3 ref W-1',
        'event reversed',
      ],
    ],
    [
      'asks nothing more once another node has taken the effect',
      reversing,
      { ...second, n: 3 },
      { queries: [declined], answersAfterMs: 6000, isTaken: true },
      {},
      ['query reverse/1', 'keep the lease'],
    ],
    [
      'gives nothing back once another node has taken the effect',
      reversing,
      second,
      { queries: [declined], calls: done, answersAfterMs: 6000, isTaken: true },
      {},
      ['query reverse/1', 'keep the lease'],
    ],
    [
      'leaves a slow refusal to who has taken the effect meanwhile',
      reversing,
      first,
      { calls: declined, queries: [declined], answersAfterMs: 6000, isTaken: true },
      {},
      ['reverse reverse/1 ref W-1', 'keep the lease'],
    ],
    ['calls nothing in another state', aLive('settling'), first, {}, {}, []],
    ['does not begin a call that could outlive its lease', reversing, first, {}, { leaseEndsAtMs: 9999 }, []],
  ]);
});

describe('carrying out refund', () => {
  const whole: Effect = { kind: 'refund', n: 1, amountMinor: 500n, reason: 'paid_after_close' };
  tell([
    [
      'records that it is done',
      anEnded('completed'),
      whole,
      { calls: done },
      {},
      ['reverse refund/1 ref W-1', 'refunded 1'],
    ],
    [
      'gives a part back',
      anEnded('completed'),
      { ...whole, amountMinor: 200n },
      { calls: done },
      {},
      ['reverse refund/1 ref W-1', 'refunded 1'],
    ],
    [
      'tries the same key again, and tells a person when the wallet refuses',
      anEnded('completed'),
      whole,
      { calls: declined },
      { tries: 2 },
      ['reverse refund/1 ref W-1', 'open reversal_overdue', 'again in 2000: declined'],
    ],
    [
      'learns the reference of money that was found after a decline',
      anEnded('declined'),
      whole,
      { calls: done, queries: [done] },
      {},
      ['query authorize/1', 'reverse refund/1 ref W-1', 'refunded 1'],
    ],
    [
      'goes by key when the reference cannot be learned',
      anEnded('declined'),
      whole,
      { calls: done, queries: [unknown] },
      {},
      ['query authorize/1', 'reverse refund/1 ref null', 'refunded 1'],
    ],
    [
      'gives nothing back once another node has taken the effect',
      anEnded('declined'),
      whole,
      { queries: [done], calls: done, answersAfterMs: 6000, isTaken: true },
      {},
      ['query authorize/1', 'keep the lease'],
    ],
    [
      'leaves an answer that proves nothing to who has taken the effect meanwhile',
      anEnded('completed'),
      whole,
      { calls: { kind: 'unknown', cause: 'status' }, answersAfterMs: 6000, isTaken: true },
      {},
      ['reverse refund/1 ref W-1', 'keep the lease'],
    ],
    [
      'does not begin a call that could outlive its lease',
      anEnded('completed'),
      whole,
      {},
      { leaseEndsAtMs: 9999 },
      [],
    ],
  ]);
});
