import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { expect } from 'chai';
import type { GsmaConnector } from '../../src/payment/gsma.ts';
import { allErrorCodes, readError } from '../../src/payment/gsma-messages.ts';
import { outcomeOfError } from '../../src/payment/gsma-outcome.ts';
import { readRef, writeRef } from '../../src/payment/gsma-ref.ts';
import type { Outcome, Terms } from '../../src/purchase/payment-port.ts';
import { authorizeOf, connectorFor, xof } from './centre-for-test.ts';

const TERMS: Terms = {
  purchaseId: '00000000-0000-7000-8000-000000000001',
  payer: '33639980001',
  operator: 'SNACKS',
  machineNumber: '4567',
  price: xof(500n),
  plan: 'debit_refund',
};

const TRANSACTION = {
  transactionReference: 'T1',
  transactionStatus: 'completed',
  type: 'merchantpay',
  amount: '500.0',
  currency: 'XOF',
  debitParty: [{ key: 'msisdn', value: '+33639980001' }],
  creditParty: [{ key: 'organisationid', value: 'SNACKS' }],
  requestingOrganisationTransactionReference: TERMS.purchaseId,
};

type Canned = {
  readonly status: number;
  readonly body?: unknown;
  readonly text?: string;
  readonly headers?: Record<string, string>;
};

const error = (errorCategory: string, errorCode: string, parameters: Record<string, string> = {}): unknown => ({
  errorCategory,
  errorCode,
  errorParameters: Object.entries(parameters).map(([key, value]) => ({ key, value })),
});

const unknownBy = (cause: 'status' | 'shape' | 'mismatch'): Outcome => ({ kind: 'unknown', cause });

describe('the answers of an outside GSMA wallet', () => {
  let server: Server;
  let wallet: GsmaConnector;
  let canned: (path: string) => Canned;
  let paths: string[];

  before(async () => {
    server = createServer((request, response) => {
      request.resume();
      const path = request.url ?? '';
      paths.push(path);
      const answer = canned(path);
      response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
      response.end(answer.text ?? (answer.body === undefined ? '' : JSON.stringify(answer.body)));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    wallet = connectorFor(`http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`, { id: 'acme' });
  });
  beforeEach(() => {
    paths = [];
  });
  after(async () => {
    await wallet.close();
    server.close();
  });

  const authorizeGets = async (answer: Canned): Promise<Outcome> => {
    canned = () => answer;
    return await wallet.authorize(authorizeOf(TERMS));
  };

  const cases: readonly (readonly [string, Canned, Outcome | Outcome['kind']])[] = [
    ['201 completed with our terms', { status: 201, body: TRANSACTION }, 'done'],
    ['a completed in capitals', { status: 201, body: { ...TRANSACTION, transactionStatus: 'Completed' } }, 'done'],
    ['201 pending', { status: 201, body: { ...TRANSACTION, transactionStatus: 'pending' } }, 'pending'],
    [
      'a status nobody knows',
      { status: 201, body: { ...TRANSACTION, transactionStatus: 'accepted' } },
      unknownBy('shape'),
    ],
    ['another amount', { status: 201, body: { ...TRANSACTION, amount: '5' } }, unknownBy('mismatch')],
    ['no amount', { status: 201, body: { ...TRANSACTION, amount: undefined } }, unknownBy('mismatch')],
    [
      'another payer',
      { status: 201, body: { ...TRANSACTION, debitParty: [{ key: 'msisdn', value: '+33639980002' }] } },
      unknownBy('mismatch'),
    ],
    [
      'another operator',
      { status: 201, body: { ...TRANSACTION, creditParty: [{ key: 'organisationid', value: 'X' }] } },
      unknownBy('mismatch'),
    ],
    [
      'another reference',
      { status: 201, body: { ...TRANSACTION, requestingOrganisationTransactionReference: 'x' } },
      unknownBy('mismatch'),
    ],
    ['200 to a POST', { status: 200, body: TRANSACTION }, unknownBy('status')],
    ['a redirect', { status: 307, headers: { location: '/elsewhere' } }, unknownBy('status')],
    ['a 4xx without an error object', { status: 403, text: '<p>forbidden</p>' }, unknownBy('status')],
    [
      'a 500 with an error object',
      { status: 500, body: error('businessRule', 'insufficientFunds') },
      unknownBy('status'),
    ],
    ['a 503', { status: 503, body: error('serviceUnavailable', 'genericError') }, unknownBy('status')],
    ['no JSON', { status: 201, text: 'ok' }, unknownBy('shape')],
    [
      'more than 64 KiB',
      { status: 201, text: JSON.stringify({ ...TRANSACTION, x: 'x'.repeat(70_000) }) },
      unknownBy('shape'),
    ],
    [
      'insufficient funds',
      { status: 400, body: error('businessRule', 'insufficientFunds') },
      { kind: 'declined', code: 'insufficient_funds' },
    ],
    [
      'words in other cases',
      { status: 400, body: error('BusinessRule', 'InsufficientFunds') },
      { kind: 'declined', code: 'insufficient_funds' },
    ],
    ['a duplicate', { status: 400, body: error('businessRule', 'duplicateRequest') }, unknownBy('status')],
    ['a rate limit', { status: 400, body: error('businessRule', 'rateLimitError') }, unknownBy('status')],
    [
      'a new code of a known category',
      { status: 400, body: error('businessRule', 'moonPhase') },
      { kind: 'declined', code: 'wallet_refused' },
    ],
    ['a new category', { status: 400, body: error('astrology', 'moonPhase') }, unknownBy('status')],
  ];
  for (const [name, answer, expected] of cases) {
    it(`reads ${name}`, async () => {
      const outcome = await authorizeGets(answer);
      if (typeof expected === 'string') expect(outcome.kind).to.equal(expected);
      else expect(outcome).to.deep.equal(expected);
      expect(paths).to.have.length(1);
    });
  }

  it('counts the remaining time by the times of the wallet, never by its own clock', async () => {
    const state = {
      serverCorrelationId: randomUUID(),
      status: 'pending',
      notificationMethod: 'polling',
      objectReference: 'T1',
      pendingReason: 'validation:pin',
      expiryTime: '2001-01-01T01:00:30+01:00',
    };
    const outcome = await authorizeGets({ status: 202, body: state, headers: { 'x-date': '2001-01-01T00:00:00Z' } });
    expect(outcome).to.include({ kind: 'needs_validation', by: 'pin', expiresInMs: 30_000 });
  });

  it('reads a request that failed after its expiry as a silent payer', async () => {
    const state = { serverCorrelationId: 'S', status: 'failed', expiryTime: '2001-01-01T00:00:00Z' };
    const outcome = await authorizeGets({ status: 202, body: state, headers: { 'x-date': '2001-01-01T00:00:01Z' } });
    expect(outcome).to.deep.equal({ kind: 'declined', code: 'payer_silent' });
  });

  const query = { of: 'authorize' as const, key: randomUUID(), terms: TERMS, ref: null };

  it('follows a link only as a path of the configured origin', async () => {
    canned = (path) =>
      path.includes('/responses/')
        ? { status: 200, body: { link: 'http://evil.example/transactions/T1' } }
        : { status: 200, body: TRANSACTION };
    expect(await wallet.query(query)).to.deep.equal(unknownBy('shape'));
    expect(paths).to.have.length(1);
  });

  it('follows a link with and without the base path', async () => {
    for (const link of ['/transactions/T1', '/1.2.0/mm/transactions/T1']) {
      canned = (path) =>
        path.includes('/responses/') ? { status: 200, body: { link } } : { status: 200, body: TRANSACTION };
      expect((await wallet.query(query)).kind).to.equal('done');
    }
  });

  it('takes a 404 without an error object for no proof', async () => {
    canned = () => ({ status: 404, text: 'nginx' });
    expect(await wallet.query(query)).to.deep.equal(unknownBy('status'));
  });

  it('takes an error in reading the object for no decline', async () => {
    canned = (path) =>
      path.includes('/responses/')
        ? { status: 200, body: { link: '/transactions/T1' } }
        : { status: 400, body: error('businessRule', 'insufficientFunds') };
    expect(await wallet.query(query)).to.deep.equal(unknownBy('status'));
  });

  it('has a reading for each of the 38 codes', () => {
    expect(allErrorCodes).to.have.length(38);
    const open = allErrorCodes.filter((code) => {
      const read = readError({ errorCategory: 'businessRule', errorCode: code });
      return read === null || outcomeOfError(read, 'authorize', 'answer').kind !== 'declined';
    });
    expect(open).to.deep.equal(['duplicateRequest', 'rateLimitError']);
  });

  it('reads a lost hold at the capture, and a blocked account at the payment', () => {
    const read = readError({ errorCategory: 'businessRule', errorCode: 'incorrectState' });
    expect(read).not.to.equal(null);
    if (read === null) return;
    expect(outcomeOfError(read, 'settle', 'answer')).to.deep.equal({ kind: 'declined', code: 'hold_gone' });
    expect(outcomeOfError(read, 'authorize', 'answer')).to.deep.equal({ kind: 'declined', code: 'account_blocked' });
  });

  it('reads back the references it writes', () => {
    const ref = { kind: 'code' as const, id: 'a:b/c d', state: 'e:f' };
    expect(readRef(writeRef(ref))).to.deep.equal(ref);
    expect(readRef('mtn:1')).to.equal(null);
  });
});
