import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { expect } from 'chai';
import type { GsmaConnector } from '../../src/payment/gsma.ts';
import { writeRef } from '../../src/payment/gsma-ref.ts';
import { type Outcome, Secret, type Terms } from '../../src/purchase/payment-port.ts';
import { authorizeOf, connectorFor, xof } from '../payment/centre-for-test.ts';

const TERMS: Terms = {
  purchaseId: '00000000-0000-7000-8000-000000000001',
  payer: '33639980001',
  operator: 'SNACKS',
  machineNumber: '4567',
  price: xof(500n),
  plan: 'debit_refund',
};
const HELD: Terms = { ...TERMS, plan: 'hold_capture' };
const TX = writeRef({ kind: 'tx', id: 'T1', state: 'S1' });
const HOLD = writeRef({ kind: 'code', id: 'C1', state: null });

const TRANSACTION = {
  transactionReference: 'T1',
  transactionStatus: 'completed',
  type: 'merchantpay',
  amount: '500',
  currency: 'XOF',
  debitParty: [{ key: 'msisdn', value: '+33639980001' }],
  creditParty: [{ key: 'organisationid', value: 'SNACKS' }],
};
const CODE = { authorisationCode: 'C1', codeState: 'active', amount: '500', currency: 'XOF', codeLifetime: 3600 };
const REVERSAL = {
  transactionReference: 'R1',
  originalTransactionReference: 'T1',
  transactionStatus: 'completed',
  type: 'reversal',
  amount: '500',
  currency: 'XOF',
};

type Canned = { readonly status: number; readonly body?: unknown };
type Heard = { readonly method: string; readonly path: string };

const error = (errorCategory: string, errorCode: string, parameters: Record<string, string> = {}): unknown => ({
  errorCategory,
  errorCode,
  errorParameters: Object.entries(parameters).map(([key, value]) => ({ key, value })),
});

describe('what no answer of a wallet may be taken for', () => {
  let server: Server;
  let wallet: GsmaConnector;
  let url: string;
  let canned: (heard: Heard) => Canned;

  before(async () => {
    server = createServer((request, response) => {
      request.resume();
      request.once('end', () => {
        const answer = canned({ method: request.method ?? '', path: request.url ?? '' });
        response.writeHead(answer.status, { 'content-type': 'application/json' });
        response.end(answer.body === undefined ? undefined : JSON.stringify(answer.body));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
    wallet = connectorFor(url, { id: 'acme' });
  });
  after(async () => {
    await wallet.close();
    server.close();
  });

  const authorizeGets = async (terms: Terms, answer: Canned): Promise<Outcome> => {
    canned = () => answer;
    return await wallet.authorize(authorizeOf(terms));
  };

  for (const terms of [TERMS, HELD]) {
    it(`204 to the payment is no money, ${terms.plan}`, async () => {
      expect((await authorizeGets(terms, { status: 204 })).kind).to.equal('unknown');
    });
  }

  it('204 to the capture is no capture', async () => {
    canned = () => ({ status: 204 });
    const outcome = await wallet.settle({ key: randomUUID(), terms: HELD, ref: HOLD });
    expect(outcome.kind).to.equal('unknown');
  });

  it('a hold that still stands is no capture', async () => {
    canned = () => ({ status: 201, body: CODE });
    const outcome = await wallet.settle({ key: randomUUID(), terms: HELD, ref: HOLD });
    expect(outcome.kind).to.equal('unknown');
  });

  const reverse = (ref: string | null, more: { amount?: bigint } = {}): Promise<Outcome> =>
    wallet.reverse({
      key: randomUUID(),
      terms: TERMS,
      ref,
      authorizeKey: randomUUID(),
      amount: more.amount === undefined ? null : xof(more.amount),
      reason: 'jam',
    });

  for (const ref of [TX, null]) {
    it(`204 to the reversal is no money back, ${ref === null ? 'by key' : 'by reference'}`, async () => {
      canned = () => ({ status: 204 });
      expect((await reverse(ref)).kind).to.equal('unknown');
    });
  }

  it('a reversal of less than the price does not make the payer whole', async () => {
    canned = () => ({ status: 201, body: { ...REVERSAL, amount: '5' } });
    expect(await reverse(TX)).to.deep.equal({ kind: 'unknown', cause: 'mismatch' });
  });

  it('a refund in part is done by its own sum, and by no other', async () => {
    canned = () => ({ status: 201, body: { ...REVERSAL, type: 'adjustment', amount: '200' } });
    expect((await reverse(TX, { amount: 200n })).kind).to.equal('done');
    expect((await reverse(TX, { amount: 300n })).kind).to.equal('unknown');
  });

  for (const status of [408, 409, 423, 425, 429]) {
    it(`${status} is no decline, whatever error it carries`, async () => {
      const outcome = await authorizeGets(TERMS, { status, body: error('businessRule', 'genericError') });
      expect(outcome.kind).to.equal('unknown');
    });
  }

  describe('a PIN that the wallet does not take', () => {
    const giving = async (patched: Canned, state: Canned, object: Canned): Promise<Outcome> => {
      canned = ({ method, path }) => {
        if (path.includes('jwks')) return { status: 200, body: { keys: [JWK] } };
        if (method === 'PATCH') return patched;
        return path.includes('/requeststates/') ? state : object;
      };
      return await wallet.validate({ key: randomUUID(), terms: TERMS, ref: TX, answer: new Secret('2468') });
    };
    const unauthorized = { status: 401, body: error('authorisation', 'clientAuthorisationError') };
    const failed = { status: 200, body: { serverCorrelationId: 'S1', status: 'failed' } };
    const pending = {
      status: 200,
      body: { serverCorrelationId: 'S1', status: 'pending', pendingReason: 'validation:pin', objectReference: 'T1' },
    };
    const completed = { status: 200, body: { serverCorrelationId: 'S1', status: 'completed', objectReference: 'T1' } };

    it('declines nothing that an earlier PIN, its answer lost, has paid', async () => {
      const outcome = await giving(unauthorized, completed, { status: 200, body: TRANSACTION });
      expect(outcome.kind).to.equal('done');
    });

    it('declines nothing while the wallet’s own request is open', async () => {
      const outcome = await giving(unauthorized, pending, { status: 404 });
      expect(outcome.kind).to.equal('unknown');
    });

    it('declines nothing that cannot be read', async () => {
      const outcome = await giving(unauthorized, { status: 500 }, { status: 500 });
      expect(outcome.kind).to.equal('unknown');
    });

    it('declines what the wallet’s own request says has failed, for the reason of the PIN', async () => {
      const locked = {
        status: 400,
        body: error('authorisation', 'requestingPartyAuthorisationError', { triesLeft: '0' }),
      };
      const outcome = await giving(locked, failed, { status: 404 });
      expect(outcome).to.deep.equal({ kind: 'declined', code: 'pin_locked' });
    });
  });
});

const JWK = {
  kty: 'EC',
  crv: 'P-256',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
};
