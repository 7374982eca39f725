import { expect } from 'chai';
import { aLive, anEnded, eventOf, rules } from '../support/purchase-builders.ts';
import { decided, tell } from './decision-rows.ts';

const querying = { isQuerying: true };
const neverSeen =
  'to reversing; +reverse/1 never_seen now; -query_payment; deadline 86400000; isQuerying=false; reversalReason=never_seen';

describe('the payer’s validation', () => {
  tell([
    {
      says: 'is asked after a silence too, and the question is put off',
      in: 'authorizing',
      with: { facts: querying },
      event: eventOf.validation_required,
      leads:
        'to validating; +notify/sms_validate in 10000; ~query_payment in 45000; walletRef=W-2; validation={"by":"pin","triesLeft":3}',
    },
    {
      says: 'by push is asked about every second',
      in: 'authorizing',
      event: { ...eventOf.validation_required, by: 'push', triesLeft: null },
      leads:
        'to validating; +query_payment in 1000; -authorize; walletRef=W-2; isQuerying=true; validation={"by":"push","triesLeft":null}',
    },
    {
      says: 'is asked by SMS where no dialog is open',
      in: 'authorizing',
      with: { channel: 'sms' },
      event: { ...eventOf.validation_required, by: 'confirm' },
      leads:
        'to validating; +query_payment in 45000; +notify/sms_validate now; -authorize; walletRef=W-2; isQuerying=true; validation={"by":"confirm","triesLeft":3}',
    },
    {
      says: 'needs no SMS of ours when the wallet pushes its own',
      in: 'authorizing',
      with: { channel: 'sms' },
      event: { ...eventOf.validation_required, by: 'push' },
      leads:
        'to validating; +query_payment in 1000; -authorize; walletRef=W-2; isQuerying=true; validation={"by":"push","triesLeft":3}',
    },
    {
      says: 'asks again after a wrong answer',
      in: 'validating',
      with: { channel: 'sms' },
      event: { ...eventOf.validation_required, triesLeft: 2 },
      leads: 'stays; ~query_payment in 45000; walletRef=W-2; validation={"by":"pin","triesLeft":2}',
    },
    {
      says: 'is not passed on with less than the cut-off left',
      in: 'validating',
      event: { ...eventOf.validation_given, leftMs: 19_999 },
      leads: 'refused too_late',
    },
    {
      says: 'is passed on with exactly the cut-off left',
      in: 'validating',
      event: { ...eventOf.validation_given, leftMs: 20_000 },
      leads: 'stays; ~query_payment in 15000; validateAttempts=1',
    },
    {
      says: 'is asked about only once a slow wallet has had its time to hear it',
      in: 'validating',
      event: { ...eventOf.validation_given, leftMs: 20_000 },
      rules: { ...rules, validateMs: 60_000 },
      leads: 'stays; ~query_payment in 63000; validateAttempts=1',
    },
    {
      says: 'is never passed on once late',
      in: 'validating',
      with: { facts: { isLate: true } },
      event: { ...eventOf.validation_given, leftMs: 3_000_000 },
      leads: 'refused too_late',
    },
    {
      says: 'is never passed on for an order that the machine has closed',
      in: 'validating',
      with: { facts: { isOrderGone: true } },
      event: { ...eventOf.validation_given, leftMs: 60_000 },
      leads: 'refused too_late',
    },
    {
      says: 'is not ours to pass on when the wallet pushed',
      in: 'validating',
      with: { facts: { validation: { by: 'push', triesLeft: null } } },
      event: eventOf.validation_given,
      leads: 'refused no_answer_wanted',
    },
    {
      says: 'is not passed on when nothing is awaited',
      in: 'validating',
      with: { facts: { validation: null } },
      event: eventOf.validation_given,
      leads: 'refused no_answer_wanted',
    },
  ]);
});

describe('a key that the wallet has never seen (edge 10)', () => {
  tell([
    {
      says: 'is sent again in time',
      in: 'authorizing',
      with: { facts: querying },
      event: eventOf.payment_not_found,
      leads: 'stays; +authorize expires 47000 resend now; -query_payment; isQuerying=false',
    },
    {
      says: 'says nothing while its first call is on its way',
      in: 'authorizing',
      event: eventOf.payment_not_found,
      leads: 'already',
    },
    {
      says: 'is reversed by key with no more than the cut-off left',
      in: 'authorizing',
      with: { facts: querying },
      event: { ...eventOf.payment_not_found, leftMs: 20_000 },
      leads: neverSeen,
    },
    {
      says: 'is reversed by key when late',
      in: 'authorizing',
      with: { facts: { ...querying, isLate: true } },
      event: { ...eventOf.payment_not_found, leftMs: 3_000_000 },
      leads: neverSeen,
    },
    {
      says: 'is reversed by key when the order is gone',
      in: 'authorizing',
      with: { facts: { ...querying, isOrderGone: true } },
      event: eventOf.payment_not_found,
      leads: neverSeen,
    },
    {
      says: 'is reversed by key where the wallet does not replay',
      in: 'authorizing',
      with: { facts: querying, wallet: { resendsByKey: false } },
      event: eventOf.payment_not_found,
      leads: neverSeen,
    },
    {
      says: 'is asked about until nothing can be pending any more, where the wallet cannot reverse by key',
      in: 'validating',
      with: { wallet: { reversesByKey: false } },
      event: { ...eventOf.payment_not_found, sinceConfirmedMs: 374_999 },
      leads: 'already',
    },
    {
      says: 'is then given up, and asked about once more a day later',
      in: 'authorizing',
      with: { facts: querying, wallet: { reversesByKey: false, resendsByKey: false } },
      event: { ...eventOf.payment_not_found, sinceConfirmedMs: 375_000 },
      leads:
        'to declined; +notify/declined in 10000; ~query_payment in 86400000; isQuerying=false; declineCode=wallet_unavailable',
    },
  ]);
});

describe('the machine’s word on an approval', () => {
  tell([
    {
      says: 'unknown_order is no evidence after an approval that may have been sent (edge 12)',
      in: 'approving',
      event: { type: 'approval_rejected', reason: 'unknown_order', wasSentBefore: true },
      leads: 'to in_doubt; +query_order now; +notify/in_doubt now; -approve; deadline 80000000; open in_doubt',
    },
    {
      says: 'unknown_order gives the money back when nothing was sent before',
      in: 'approving',
      event: { type: 'approval_rejected', reason: 'unknown_order', wasSentBefore: false },
      leads:
        'to reversing; +reverse/1 rejected_unknown_order now; -approve; deadline 86400000; reversalReason=rejected_unknown_order',
    },
    {
      says: 'another rejection is definite though an approval was sent before',
      in: 'approving',
      event: { type: 'approval_rejected', reason: 'out_of_order', wasSentBefore: true },
      leads:
        'to reversing; +reverse/1 rejected_out_of_order now; -approve; deadline 86400000; reversalReason=rejected_out_of_order',
    },
    {
      says: 'unknown_order in doubt stays no evidence',
      in: 'in_doubt',
      event: { type: 'approval_rejected', reason: 'unknown_order', wasSentBefore: true },
      leads: 'already',
    },
    {
      says: 'unknown_order in doubt is definite when nothing was sent before',
      in: 'in_doubt',
      event: { type: 'approval_rejected', reason: 'unknown_order', wasSentBefore: false },
      leads:
        'to reversing; +reverse/1 rejected_unknown_order now; -query_order; deadline 86400000; close in_doubt; reversalReason=rejected_unknown_order',
    },
    {
      says: 'a success presumed after a reset settles, and is listed apart (edge 16)',
      in: 'vending',
      event: { type: 'vend_succeeded', basis: 'reboot' },
      leads: 'to settling; +settle/1 now; +notify/receipt now; deadline 86400000; presumed=reboot',
    },
    {
      says: 'no result before the acceptance is doubt',
      in: 'approving',
      event: { type: 'vend_succeeded', basis: 'no_result' },
      leads: 'to in_doubt; +query_order now; +notify/in_doubt now; -approve; deadline 80000000; open in_doubt',
    },
    {
      says: 'no result after the acceptance is doubt',
      in: 'vending',
      event: { type: 'vend_succeeded', basis: 'no_result' },
      leads: 'to in_doubt; +query_order now; +notify/in_doubt now; deadline 80000000; open in_doubt',
    },
    {
      says: 'no result in doubt says nothing new',
      in: 'in_doubt',
      event: { type: 'vend_succeeded', basis: 'no_result' },
      leads: 'already',
    },
    {
      says: 'without a bound by the hold the doubt lasts as the rules say',
      in: 'vending',
      with: { facts: { inDoubtMs: null } },
      event: eventOf.deadline_passed,
      leads: 'to in_doubt; +query_order now; +notify/in_doubt now; deadline 86400000; open in_doubt',
    },
  ]);
});

describe('settling', () => {
  const holdGone = { isHoldGone: true, attention: ['settlement_overdue'] } as const;
  tell([
    {
      says: 'stops asking when the hold is gone, and opens a case (edge 20)',
      in: 'settling',
      event: { type: 'settle_refused', code: 'hold_gone' },
      leads: 'stays; -settle/1; open settlement_overdue; isHoldGone=true',
    },
    {
      says: 'hears once that the hold is gone',
      in: 'settling',
      with: { facts: holdGone },
      event: { type: 'settle_refused', code: 'hold_gone' },
      leads: 'already',
    },
    {
      says: 'ends as a loss that a person accepted',
      in: 'settling',
      with: { facts: holdGone },
      event: eventOf.loss_accepted,
      leads: 'to completed; close settlement_overdue; isUncollected=true',
    },
    {
      says: 'ends well when the money came after all',
      in: 'settling',
      with: { facts: { settleAttempt: 3, attention: ['settlement_overdue'] } },
      event: eventOf.settled,
      leads: 'to completed; -settle/3; close settlement_overdue; lazy',
    },
    {
      says: 'waits up to a quarter of an hour before a later attempt',
      in: 'settling',
      with: { facts: { settleAttempt: 40 } },
      event: eventOf.settle_refused,
      leads: 'stays; +settle/41 in 900000; -settle/40; settleAttempt=41',
    },
  ]);
});

describe('reversing', () => {
  tell([
    {
      says: 'tells the payer once that the refund is late (edge 19)',
      in: 'reversing',
      with: { facts: { attention: ['reversal_overdue'] } },
      event: eventOf.deadline_passed,
      leads: 'stays; deadline 86400000',
    },
    {
      says: 'goes on under the reason it began with',
      in: 'reversing',
      with: { facts: { reverseAttempt: 2, reversalReason: 'secured_late' } },
      event: eventOf.reverse_refused,
      leads: 'stays; +reverse/3 secured_late in 4000; -reverse/2; reverseAttempt=3',
    },
    {
      says: 'ends as a decline in the payer’s eyes when no money was ever seen',
      in: 'reversing',
      with: { facts: { reversalReason: 'never_seen' } },
      event: eventOf.reversed,
      leads: 'to reversed; +notify/declined in 10000; -reverse/1',
    },
    {
      says: 'waits with the SMS while the dialog may show it',
      in: 'reversing',
      with: { facts: { reversalReason: 'rejected_late', attention: ['reversal_overdue', 'payment_overdue'] } },
      event: eventOf.reversed,
      leads: 'to reversed; +notify/refunded in 10000; -reverse/1; close reversal_overdue; close payment_overdue',
    },
    {
      says: 'sends the SMS at once where there is no dialog',
      in: 'reversing',
      with: { channel: 'sms', facts: { reversalReason: 'rejected_late' } },
      event: eventOf.reversed,
      leads: 'to reversed; +notify/refunded now; -reverse/1',
    },
    {
      says: 'leaves the case of an expired doubt open for a person',
      in: 'reversing',
      with: { facts: { reversalReason: 'doubt_expired', attention: ['in_doubt'] } },
      event: eventOf.reversed,
      leads: 'to reversed; +notify/refunded now; -reverse/1',
    },
  ]);

  it('keeps the case of a doubt that expired', () => {
    expect(decided(aLive('in_doubt'), eventOf.deadline_passed)).not.to.include('close');
  });
});

describe('a purchase that is over', () => {
  it('hears from the wallet again that it never saw the key', () => {
    const purchase = anEnded('reversed', { facts: { reversalReason: 'never_seen' } });
    expect([decided(purchase, eventOf.payment_not_found), decided(purchase, eventOf.authorize_declined)]).to.deep.equal(
      ['already', 'already'],
    );
  });
});
