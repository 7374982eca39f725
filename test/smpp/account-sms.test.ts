import { expect } from 'chai';
import type { SmsMessage } from '../../src/smpp/inbound.ts';
import { type Exchange, type ExchangeOptions, startExchange } from './support/exchange.ts';

const PHONE = '221770000001';

describe('SMS through an account', () => {
  let exchange: Exchange | null = null;
  const start = async (options?: ExchangeOptions): Promise<Exchange> => {
    exchange = await startExchange(options);
    return exchange;
  };
  afterEach(async () => {
    await exchange?.stop();
    exchange = null;
  });

  it('arrive and are acknowledged when their listener is done', async () => {
    const { smsc, messages } = await start();
    expect(await smsc.text(PHONE, '123', '4567')).to.equal(0);
    expect(messages).to.deep.equal([
      { account: 'main', from: PHONE, to: '123', text: '4567', damaged: false, alphanumeric: false },
    ]);
  });

  it('are delivered again when their listener fails or takes too long', async () => {
    const { smsc, account } = await start({ account: { smsAnswerMs: 50 } });
    account.onSms(() => Promise.reject(new Error('journal away')));
    expect(await smsc.text(PHONE, '123', '4567')).to.equal(0x64);
    account.onSms(() => new Promise<void>(() => {}));
    expect(await smsc.text(PHONE, '123', '4567')).to.equal(0x64);
  });

  it('come in parts with their place', async () => {
    const { smsc, messages } = await start();
    await smsc.text(PHONE, '123', 'x'.repeat(200));
    const places = messages.map((message: SmsMessage) => message.parts);
    expect(places).to.deep.equal([
      { reference: 1, total: 2, part: 1 },
      { reference: 1, total: 2, part: 2 },
    ]);
  });

  it('go out and come back with a receipt', async () => {
    const { smsc, account, receipts, recorder } = await start();
    const outcome = await account.sendSms({ to: PHONE, text: 'Payé 500 F CFA. Réf 7K3F9Q' });
    expect(outcome).to.deep.equal({ kind: 'accepted', messageIds: ['00000001'] });
    expect(smsc.inbox(PHONE)[0]).to.include({ from: '123', text: 'Payé 500 F CFA. Réf 7K3F9Q', units: 26, parts: 1 });
    await recorder.until(() => receipts.length === 1);
    expect(receipts[0]).to.deep.equal({
      account: 'main',
      messageId: '00000001',
      otherId: null,
      state: 'delivered',
      to: PHONE,
    });
  });

  it('go out in parts and are one text again', async () => {
    const { smsc, account } = await start();
    const text = 'Réf 7K3F9Q '.repeat(30).trim();
    const outcome = await account.sendSms({ to: PHONE, text });
    expect(outcome).to.deep.equal({ kind: 'accepted', messageIds: ['00000001', '00000002', '00000003'] });
    expect(smsc.inbox(PHONE)[0]).to.include({ text, parts: 3 });
    expect(smsc.problems).to.deep.equal([]);
  });

  it('are unknown when nobody answers', async () => {
    const { smsc, account } = await start({ binds: [{ responseTimeoutMs: 50 }] });
    smsc.faults.isSilent = true;
    expect(await account.sendSms({ to: PHONE, text: 'x' })).to.deep.equal({ kind: 'unknown' });
  });

  it('wait for a throttled centre', async () => {
    const { smsc, account } = await start();
    smsc.faults.throttleNext = 1;
    expect(await account.sendSms({ to: PHONE, text: 'x' })).to.include({ kind: 'accepted' });
    expect(smsc.inbox(PHONE)).to.have.length(1);
  });

  it('have not left when nobody is bound', async () => {
    const { account } = await start();
    await account.stop();
    expect(await account.sendSms({ to: PHONE, text: 'x' })).to.deep.equal({
      kind: 'refused',
      status: null,
      permanent: false,
    });
  });

  it('have not left when their last moment has passed', async () => {
    const { smsc, account } = await start();
    expect(await account.sendSms({ to: PHONE, text: 'x'.repeat(200), sendByMs: 0 })).to.deep.equal({
      kind: 'refused',
      status: null,
      permanent: false,
    });
    expect(smsc.inbox(PHONE)).to.deep.equal([]);
  });

  it('are refused for good or for now, as the status says', async () => {
    const { smsc, account } = await start();
    smsc.faults.submitStatus = 0x0b;
    expect(await account.sendSms({ to: PHONE, text: 'x' })).to.deep.equal({
      kind: 'refused',
      status: 0x0b,
      permanent: true,
    });
    smsc.faults.submitStatus = 0x08;
    expect(await account.sendSms({ to: PHONE, text: 'x' })).to.deep.equal({
      kind: 'refused',
      status: 0x08,
      permanent: false,
    });
  });

  it('are not sent to what is no number', async () => {
    const { account } = await start();
    const error = await account.sendSms({ to: 'Operator', text: 'x' }).catch((caught: unknown) => caught);
    expect(error).to.include({ code: 'bad_address', happened: 'no' });
  });

  it('are acknowledged and dropped when their sender is a name', async () => {
    const { smsc, messages, recorder } = await start();
    smsc.sendRaw(
      Buffer.from(
        '000000360000000500000000000000010005004f70657261746f72000000313233000000000000000000000a2a3132332a3435363723',
        'hex',
      ),
    );
    await recorder.until(() => recorder.reasons().includes('alphanumeric_sender'));
    expect(messages).to.deep.equal([]);
  });
});
