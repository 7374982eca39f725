import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { GSMA_PATH } from '../../src/payment/gsma-messages.ts';
import {
  CLIENT_TOKEN,
  OPERATOR,
  objectIn,
  openTestWallet,
  startTestCentre,
  type TestCentre,
} from './centre-for-test.ts';
import { gsmaJudge } from './gsma-schema.ts';

describe('the answers of the centre', () => {
  let test: TestCentre;
  let judge: ReturnType<typeof gsmaJudge>;
  before(async function () {
    this.timeout(30_000);
    test = await startTestCentre();
    judge = gsmaJudge();
  });
  after(() => test.stop());

  async function ask(method: string, path: string, body?: unknown, key: string = randomUUID()) {
    const answer = await fetch(`${test.centre.url}${GSMA_PATH}${path}`, {
      method,
      headers: { authorization: `Bearer ${CLIENT_TOKEN}`, 'x-correlationid': key, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: objectIn(await answer.text()), date: answer.headers.get('x-date') };
  }

  function expectFit(
    answer: { status: number; body: unknown; date: string | null },
    status: number,
    schema: string,
  ): void {
    expect(answer.status).to.equal(status);
    expect(judge(schema, answer.body)).to.deep.equal([]);
    expect(Number.isNaN(Date.parse(answer.date ?? ''))).to.equal(false);
  }

  const payment = (msisdn: string, more: Record<string, unknown> = {}) => ({
    amount: '100',
    currency: 'XOF',
    debitParty: [{ key: 'msisdn', value: `+${msisdn}` }],
    creditParty: [{ key: 'organisationid', value: OPERATOR }],
    requestingOrganisationTransactionReference: 'P1',
    servicingIdentity: '4567',
    descriptionText: 'Chips',
    ...more,
  });
  const code = {
    amount: '100',
    currency: 'XOF',
    amountType: 'exact',
    codeLifetime: 60,
    holdFundsIndicator: true,
    redemptionAccountIdentifiers: [{ key: 'organisationid', value: OPERATOR }],
  };

  it('to payments, reversals, refunds and their reads fit the published schemas', async () => {
    const { msisdn } = await openTestWallet(test, 1_000n);
    const key = randomUUID();
    const paid = await ask('POST', '/transactions/type/merchantpay', payment(msisdn), key);
    expectFit(paid, 201, 'responseTransactionType');
    const reference = String(paid.body['transactionReference']);
    expectFit(await ask('GET', `/transactions/${reference}`), 200, 'responseTransaction');
    const link = await ask('GET', `/responses/${key}`);
    expectFit(link, 200, 'responseResponse');
    expect(link.body['link']).to.equal(`${GSMA_PATH}/transactions/${reference}`);
    expect(
      (
        await ask('PATCH', `/transactions/${reference}`, [
          { op: 'replace', path: '/transactionStatus', value: 'settled' },
        ])
      ).status,
    ).to.equal(204);
    const part = await ask('POST', `/transactions/${reference}/reversals`, {
      type: 'adjustment',
      amount: '40',
      currency: 'XOF',
    });
    expectFit(part, 201, 'responseReversal');
    expectFit(await ask('POST', `/transactions/${reference}/reversals`, { type: 'reversal' }), 201, 'responseReversal');
    expectFit(await ask('POST', `/transactions/${reference}/reversals`, { type: 'reversal' }), 400, 'errorObject');
    const unseen = payment(msisdn, { metadata: [{ key: 'originalCorrelationId', value: randomUUID() }] });
    expectFit(await ask('POST', '/transactions/type/reversal', unseen), 201, 'responseReversal');
  });

  it('to holds fit the published schemas, before and after the capture', async () => {
    const { msisdn } = await openTestWallet(test, 1_000n);
    const made = await ask('POST', `/accounts/msisdn/+${msisdn}/authorisationcodes`, code);
    expectFit(made, 201, 'responseAuthorisationCode');
    const id = String(made.body['authorisationCode']);
    const path = `/accounts/msisdn/+${msisdn}/authorisationcodes/${id}`;
    expectFit(
      await ask('POST', '/transactions/type/merchantpay', payment(msisdn, { oneTimeCode: id })),
      201,
      'responseTransactionType',
    );
    const read = await ask('GET', path);
    expectFit(read, 200, 'responseAuthorisationCode');
    expect(read.body['codeState']).to.equal('expired');
    expectFit(
      await ask('PATCH', path, [{ op: 'replace', path: '/codeState', value: 'cancelled' }]),
      400,
      'errorObject',
    );
  });

  it('to requests that wait for the payer fit the published schemas', async () => {
    const { msisdn } = await openTestWallet(test, 1_000n, 'always');
    const waiting = await ask('POST', '/transactions/type/merchantpay', payment(msisdn));
    expectFit(waiting, 202, 'requestStateObject');
    expect(waiting.body).to.include.keys('expiryTime', 'objectReference', 'pendingReason');
    expectFit(
      await ask('GET', `/requeststates/${String(waiting.body['serverCorrelationId'])}`),
      200,
      'requestStateObject',
    );
    const refused = randomUUID();
    await ask('POST', '/transactions/type/merchantpay', payment(msisdn, { amount: '5000' }), refused);
    const link = await ask('GET', `/responses/${refused}`);
    const state = await ask('GET', String(link.body['link']).slice(GSMA_PATH.length));
    expectFit(state, 200, 'requestStateObject');
    expect(state.body['status']).to.equal('failed');
  });

  it('to questions and to mistakes fit the published schemas', async () => {
    const { msisdn } = await openTestWallet(test, 1_000n);
    expectFit(await ask('GET', `/accounts/msisdn/+${msisdn}/status`), 200, 'responseAccountStatus');
    expectFit(
      await ask('GET', `/accounts/msisdn/+${msisdn}/status?amount=5.00&currency=XOF`),
      200,
      'responseAccountStatus',
    );
    expectFit(await ask('GET', '/accounts/msisdn/+33639999999/status'), 404, 'errorObject');
    expectFit(await ask('GET', `/accounts/msisdn/+${msisdn}/balance?currency=XOF`), 200, 'responseAccountBalance');
    expectFit(await ask('GET', '/accounts/msisdn/+33639999999/balance'), 404, 'errorObject');
    expectFit(await ask('GET', `/accounts/msisdn/+${msisdn}/balance?currency=XXX`), 400, 'errorObject');
    expectFit(await ask('GET', '/heartbeat'), 200, 'responseHeartbeat');
    expectFit(await ask('GET', '/transactions/REF-1'), 404, 'errorObject');
    expectFit(await ask('GET', `/responses/${randomUUID()}`), 404, 'errorObject');
    expectFit(await ask('POST', '/transactions/type/merchantpay', {}), 400, 'errorObject');
  });

  it('would be found out if they did not fit', () => {
    expect(judge('errorObject', { errorCategory: 'businessRule', errorCode: 'moonPhase' })).to.have.length(1);
    expect(judge('requestStateObject', { status: 'pending' })).to.have.length(2);
    expect(
      judge('responseAuthorisationCode', { authorisationCode: 'x', codeState: 'active', amount: '1.' }),
    ).to.have.length(1);
  });
});
