import { expect } from 'chai';
import type { WireEvent } from '../../simulators/smsc.ts';
import { Bug } from '../../src/result.ts';
import { gatewayProfiles, readDialect } from '../../src/smpp/gateway-profile.ts';
import { readUssdEcho, type SmsMessage } from '../../src/smpp/inbound.ts';
import { systemClock } from '../../src/time.ts';
import { type Exchange, type ExchangeOptions, startExchange } from './support/exchange.ts';

const PHONE = '221770000001';

describe('an account', () => {
  let exchange: Exchange | null = null;
  const start = async (options?: ExchangeOptions): Promise<Exchange> => {
    exchange = await startExchange(options);
    return exchange;
  };
  afterEach(async () => {
    await exchange?.stop();
    exchange = null;
  });

  it('carries a dialog from the dialing to the last screen', async () => {
    const { smsc, requests, outcomes } = await start();
    const call = smsc.dial(PHONE, '*123*4567#');
    expect(await call.nextScreen()).to.include({ text: 'seen *123*4567#', kind: 'continue', units: 15, limit: 182 });
    expect(await call.answer('1')).to.include({ text: 'seen 1', kind: 'continue' });
    expect(await call.answer('0')).to.include({ text: 'seen 0', kind: 'end' });
    expect(call.isOver).to.equal(true);
    expect(smsc.problems).to.deep.equal([]);
    expect(requests.map((one) => one.kind)).to.deep.equal(['begin', 'continue', 'continue']);
    expect(requests[0]).to.include({
      msisdn: PHONE,
      serviceCode: '123',
      sessionId: '0001',
      text: '*123*4567#',
      opStated: true,
      damaged: false,
    });
    expect(outcomes).to.include('taken');
  });

  it('takes less than 40 ms for a round trip: no PDU waits for the one before it', async () => {
    const { smsc } = await start();
    const call = smsc.dial(PHONE, '*123#');
    await call.nextScreen();
    const waits: number[] = [];
    for (let n = 0; n < 20; n += 1) waits.push((await call.answer('1')).waitedMs);
    waits.sort((a, b) => a - b);
    expect(waits[10]).to.be.below(20);
  });

  it('gives an echo that survives JSON', async () => {
    const { smsc, requests } = await start();
    await smsc.dial(PHONE, '*123#').nextScreen();
    const echo = requests[0]?.echo;
    expect(readUssdEcho(JSON.parse(JSON.stringify(echo)))).to.deep.equal(echo);
    expect(() => readUssdEcho({ bind: 'b1' })).to.throw();
  });

  it('answers in the coding of the request, and letters of no table in UCS-2', async () => {
    const { smsc } = await start({
      screen: (request) => (request.text === '2' ? 'قهوة' : 'Reçu: 12\u202F500 F\u202FCFA'),
    });
    const call = smsc.dial(PHONE, '*123#');
    expect(await call.nextScreen()).to.include({ text: 'Recu: 12 500 F CFA', alphabet: 'gsm7' });
    expect(await call.answer('2')).to.include({ text: 'قهوة', alphabet: 'ucs2', units: 4 });
    expect(smsc.problems).to.deep.equal([]);
  });

  it('refuses to send a screen over the hard limit', async () => {
    const { smsc, requests, account } = await start();
    await smsc.dial(PHONE, '*123#').nextScreen();
    const echo = requests[0]?.echo;
    if (echo === undefined) throw new Error('no request');
    const reply = { echo, kind: 'end', text: 'x'.repeat(183), replyByMs: systemClock.now() + 1000 } as const;
    const error = await account.sendUssd(reply).catch((caught: unknown) => caught);
    expect(error).to.be.instanceOf(Bug);
  });

  it('hears of hanging up, silently or not', async () => {
    const { smsc, requests, recorder } = await start();
    const call = smsc.dial(PHONE, '*123#');
    await call.nextScreen();
    call.hangUp();
    await smsc.dial('221770000002', '*123#').nextScreen();
    await recorder.until(() => requests.length === 3);
    expect(requests.map((one) => one.kind)).to.deep.equal(['begin', 'abort', 'begin']);
    expect(requests[1]?.text).to.equal(null);
  });

  it('learns that a dialog is gone when its screen is refused', async () => {
    const { smsc, outcomes, requests, account } = await start();
    const call = smsc.dial(PHONE, '*123#');
    await call.nextScreen();
    call.hangUp({ silently: true });
    const echo = requests[0]?.echo;
    if (echo === undefined) throw new Error('no request');
    const outcome = await account.sendUssd({
      echo,
      kind: 'continue',
      text: 'late',
      replyByMs: systemClock.now() + 1000,
    });
    expect(outcome).to.equal('gone');
    expect(outcomes).to.deep.equal(['taken']);
  });

  it('sends a throttled screen again within its deadline', async () => {
    const { smsc, outcomes, recorder } = await start();
    smsc.faults.throttleNext = 2;
    const call = smsc.dial(PHONE, '*123#');
    await call.nextScreen();
    await recorder.until(() => outcomes.length === 1);
    expect(outcomes).to.deep.equal(['taken']);
    expect(smsc.counts.refused).to.equal(2);
    expect(call.screens).to.have.length(1);
  });

  it('gives a screen up that is throttled to the end', async () => {
    const { smsc, outcomes, recorder } = await start();
    smsc.faults.throttleNext = Number.POSITIVE_INFINITY;
    smsc.dial(PHONE, '*123#');
    await recorder.until(() => outcomes.length === 1);
    expect(outcomes).to.deep.equal(['not_sent']);
    expect(smsc.counts.refused).to.equal(4);
  });

  it('calls a screen unknown when its answer is lost, and never sends it twice', async () => {
    const { smsc, outcomes, recorder } = await start({ binds: [{ responseTimeoutMs: 100 }] });
    smsc.faults.losesAnswers = true;
    const call = smsc.dial(PHONE, '*123#');
    await recorder.until(() => outcomes.length === 1);
    expect(outcomes).to.deep.equal(['unknown']);
    expect(call.screens).to.have.length(1);
    expect(recorder.counted.some((one) => one.name === 'smpp_response_timeouts_total')).to.equal(true);
  });

  it('calls a screen unknown when the link drops between the write and the answer', async () => {
    let seen: () => void = () => {};
    const isWritten = new Promise<void>((resolve) => {
      seen = resolve;
    });
    const onWire = (event: WireEvent): void => {
      if (event.direction === 'in' && event.pdu.command === 'submit_sm') seen();
    };
    const { smsc, outcomes, recorder } = await start({ smsc: { onWire } });
    smsc.faults.isSilent = true;
    smsc.dial(PHONE, '*123#');
    await isWritten;
    smsc.cut();
    await recorder.until(() => outcomes.length === 1);
    expect(outcomes).to.deep.equal(['unknown']);
  });

  it('comes back after the cable was cut', async () => {
    const { smsc, recorder, account } = await start();
    smsc.cut();
    await recorder.until(() => account.status()[0]?.state === 'backoff');
    await recorder.until(() => account.status()[0]?.state === 'bound');
    expect(await smsc.dial(PHONE, '*123#').nextScreen()).to.include({ text: 'seen *123#' });
    expect(smsc.counts.binds).to.equal(2);
  });

  it('replies over a sister bind when the one the request came on is gone', async () => {
    const { smsc, account, requests, recorder } = await start({
      binds: [{ kind: 'receiver' }, { kind: 'transmitter' }],
    });
    expect(await smsc.dial(PHONE, '*123#').nextScreen()).to.include({ text: 'seen *123#' });
    expect(requests[0]?.bind).to.equal('b1');
    expect(account.status().map((one) => one.state)).to.deep.equal(['bound', 'bound']);
    expect(recorder.reasons()).to.deep.equal([]);
  });

  it('tells two copies of a dialed string by nothing but their sequence numbers', async () => {
    const { smsc, requests, recorder } = await start();
    const call = smsc.dial(PHONE, '*123#', { twice: true });
    await call.nextScreen();
    await recorder.until(() => requests.length === 2);
    const [first, second] = requests;
    expect(first?.sessionId).to.equal(second?.sessionId);
    expect(first?.sequence).to.not.equal(second?.sequence);
  });

  it('turns a dialog away that is one too many', async () => {
    const { smsc } = await start({ account: { maxDialogs: 0 } });
    const call = smsc.dial(PHONE, '*123#');
    const error = await call.nextScreen().catch((caught: unknown) => caught);
    expect(String(error)).to.include('status 102');
  });

  it('answers a USSD request before its listener is done', async () => {
    const held: (() => void)[] = [];
    const { smsc, account, requests, recorder } = await start();
    account.onUssd((request) => {
      requests.push(request);
      recorder.log.info('held', {});
      return new Promise((resolve) => held.push(resolve));
    });
    smsc.dial(PHONE, '*123#');
    await recorder.until(() => requests.length === 1);
    expect(await smsc.text(PHONE, '123', 'still alive')).to.equal(0);
    for (const release of held) release();
  });
});

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

describe('a dialect', () => {
  it('is the generic one unless something is said', () => {
    const read = readDialect({ extends: 'generic' });
    expect(read).to.deep.equal({ ok: true, value: gatewayProfiles.generic });
  });

  it('changes what it names and keeps the rest', () => {
    const read = readDialect({ opOut: { end: 23 }, serviceTypesIn: ['*'], msisdn: { country: '221' } });
    if (!read.ok) throw new Error(read.refusal.problems.join());
    expect(read.value.opOut).to.deep.equal({ continue: 2, end: 23, notify: 3 });
    expect(read.value.msisdn).to.deep.equal({ country: '221', national: true });
  });

  it('is refused with all its problems at once', () => {
    const read = readDialect({ opOut: { end: 'x' }, replyDeadlineMs: -1, unheard: true });
    if (read.ok) throw new Error('accepted');
    expect(read.refusal.problems.join('\n')).to.match(/opOut\.end[^]*replyDeadlineMs[^]*unheard/);
  });
});
