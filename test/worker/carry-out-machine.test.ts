import type { Effect } from '../../src/purchase/effect.ts';
import { aLive } from '../support/purchase-builders.ts';
import { tell } from './carry-out-bench.ts';

describe('carrying out approve', () => {
  const approve: Effect = { kind: 'approve' };
  const a = 'approve approve/1';
  const approving = aLive('approving');
  tell([
    ['notes an acceptance', approving, approve, { machine: { kind: 'accepted' } }, {}, [a, 'accepted']],
    [
      'takes a duplicate for an acceptance',
      approving,
      approve,
      { machine: { kind: 'duplicate', state: 'accepted' } },
      {},
      [a, 'accepted'],
    ],
    [
      'offers a rejection',
      approving,
      approve,
      { machine: { kind: 'rejected', reason: 'late' } },
      {},
      [a, 'event approval_rejected'],
    ],
    [
      'comes again at once when the machine said nothing',
      approving,
      approve,
      { machine: { kind: 'unknown' } },
      {},
      [a, 'again in 0: unknown'],
    ],
    [
      'comes again where the machine’s socket is by then',
      approving,
      approve,
      { machine: { kind: 'not_here' } },
      {},
      [a, 'again in 0: not_here, unsent'],
    ],
    ['sends nothing in another state', aLive('vending'), approve, {}, {}, []],
    ['sends nothing once its lease is over', approving, approve, {}, { leaseEndsAtMs: 2999 }, []],
    ['sends nothing with less than the dispatch margin left', approving, approve, { leftMs: 2999 }, {}, []],
    [
      'sends nothing once the machine has accepted: that is recorded',
      approving,
      approve,
      { isAccepted: true },
      {},
      ['event approval_accepted'],
    ],
  ]);
});

describe('carrying out query_order', () => {
  const ask: Effect = { kind: 'query_order' };
  tell([
    [
      'asks the machine again every minute',
      aLive('in_doubt'),
      ask,
      { isAsked: true },
      {},
      ['query_order 17', 'again in 60000: asked'],
    ],
    [
      'waits for a machine that is not here',
      aLive('in_doubt'),
      ask,
      {},
      {},
      ['query_order 17', 'again in 60000: not_here'],
    ],
  ]);
});

describe('carrying out query_order, late', () => {
  tell([['asks nothing', aLive('in_doubt'), { kind: 'query_order' }, {}, { leaseEndsAtMs: 9999 }, []]]);
});

describe('carrying out notify', () => {
  const notify: Effect = { kind: 'notify', template: 'receipt' };
  const sent = 'send receipt to 221771234501';
  tell([
    ['is finished when the text is sent', aLive('settling'), notify, {}, {}, [sent, 'finish notify/receipt']],
    [
      'sends nothing once finding the payer took so long that the text could go out twice',
      aLive('settling'),
      notify,
      { lookUpMs: 5001 },
      {},
      [],
    ],
    [
      'comes again when the room says so',
      aLive('settling'),
      notify,
      { notice: { kind: 'later', inMs: 5000, why: 'throttled' } },
      {},
      [sent, 'again in 5000: throttled'],
    ],
    [
      'is finished and reported when it is given up',
      aLive('settling'),
      notify,
      { notice: { kind: 'given_up', why: 'refused' } },
      {},
      [sent, 'trouble notice_given_up', 'finish notify/receipt'],
    ],
    [
      'asks the payer to approve while that is wanted',
      aLive('validating'),
      { kind: 'notify', template: 'sms_validate' },
      {},
      {},
      ['send sms_validate to 221771234501', 'finish notify/sms_validate'],
    ],
    [
      'asks nobody to approve what is over',
      aLive('approving'),
      { kind: 'notify', template: 'sms_validate' },
      {},
      {},
      ['finish notify/sms_validate'],
    ],
  ]);
});
