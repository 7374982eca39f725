import { expect } from 'chai';
import { GSMA_PATH } from '../../src/payment/gsma-messages.ts';
import {
  CLIENT_TOKEN,
  objectIn,
  openTestWallet,
  startTestCentre,
  type TestCentre,
  type TestWallet,
} from './centre-for-test.ts';

const OTHER_TOKEN = 'token-of-another-server';

describe('the balance of an account', () => {
  let test: TestCentre;
  let payer: TestWallet;
  before(async () => {
    test = await startTestCentre();
    payer = await openTestWallet(test, 1_000n);
  });
  after(() => test.stop());

  async function ask(token: string, path: string): Promise<{ status: number; body: Record<string, unknown> }> {
    const answer = await fetch(`${test.centre.url}${GSMA_PATH}/accounts/msisdn/+${path}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    return { status: answer.status, body: objectIn(await answer.text()) };
  }

  it('is told, with what is held, to a client that may see it', async () => {
    expect(await ask(OTHER_TOKEN, `${payer.msisdn}/balance?currency=XOF`)).to.deep.equal({
      status: 200,
      body: {
        accountStatus: 'available',
        currentBalance: '1000',
        availableBalance: '1000',
        reservedBalance: '0',
        currency: 'XOF',
      },
    });
  });

  it('is kept from a client that needs only yes or no, such as a relation server', async () => {
    const told = await ask(CLIENT_TOKEN, `${payer.msisdn}/balance?currency=XOF`);
    expect(told).to.deep.equal({ status: 200, body: { accountStatus: 'available' } });
  });

  it('is nothing in a currency that the holder has no wallet in', async () => {
    const told = await ask(OTHER_TOKEN, `${payer.msisdn}/balance?currency=KES`);
    expect(told).to.deep.equal({ status: 200, body: { accountStatus: 'available' } });
  });

  it('is refused for a number that nobody has, and for a currency that does not exist', async () => {
    expect((await ask(OTHER_TOKEN, '33639999998/balance?currency=XOF')).status).to.equal(404);
    expect((await ask(OTHER_TOKEN, `${payer.msisdn}/balance?currency=ABC`)).status).to.equal(400);
    expect((await ask(OTHER_TOKEN, 'abc/balance?currency=XOF')).status).to.equal(400);
  });
});
