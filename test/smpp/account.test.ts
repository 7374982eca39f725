import { expect } from 'chai';
import type { WireEvent } from '../../simulators/smsc.ts';
import { Bug } from '../../src/result.ts';
import { gatewayProfiles } from '../../src/smpp/gateway-profile.ts';
import { readUssdEcho } from '../../src/smpp/inbound.ts';
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

  it('takes the sister bind at once when one is throttled', async () => {
    const { smsc, outcomes, recorder } = await start({ binds: [{}, {}] });
    smsc.faults.throttleNext = 1;
    const screen = await smsc.dial(PHONE, '*123#').nextScreen();
    await recorder.until(() => outcomes.length === 1);
    expect(outcomes).to.deep.equal(['taken']);
    expect(screen.waitedMs).to.be.below(100);
    expect(smsc.counts.refused).to.equal(1);
  });

  it('keeps to the bind the request came on where the dialect says so', async () => {
    const dialect = { ...gatewayProfiles.generic, affinity: 'bind' } as const;
    const sent: string[] = [];
    const onWire = (event: WireEvent): void => {
      if (event.direction === 'in' && event.pdu.command === 'submit_sm') sent.push(event.systemId ?? '');
    };
    const binds = [{ systemId: 'one' }, { systemId: 'two' }];
    const { smsc, requests } = await start({ account: { dialect }, binds, smsc: { onWire } });
    for (let n = 0; n < 6; n += 1) await smsc.dial(PHONE, '*123#').nextScreen();
    const cameOn = requests.map((request) => (request.bind === 'b1' ? 'one' : 'two'));
    expect(sent).to.deep.equal(cameOn);
    expect(new Set(sent).size).to.equal(2);
  });

  it('uses the first bind in order where the policy is failover', async () => {
    const sent: string[] = [];
    const onWire = (event: WireEvent): void => {
      if (event.direction === 'in' && event.pdu.command === 'submit_sm') sent.push(event.systemId ?? '');
    };
    const binds = [{ systemId: 'one' }, { systemId: 'two' }];
    const { smsc } = await start({ account: { policy: 'failover' }, binds, smsc: { onWire } });
    for (let n = 0; n < 4; n += 1) await smsc.dial(PHONE, '*123#').nextScreen();
    expect(sent).to.deep.equal(['one', 'one', 'one', 'one']);
  });

  it('knows a screen the gateway does not understand', async () => {
    const { smsc, account, requests, recorder } = await start();
    await smsc.dial(PHONE, '*123#').nextScreen();
    const echo = requests[0]?.echo;
    if (echo === undefined) throw new Error('no request');
    smsc.faults.submitStatus = 0xc4;
    const reply = { echo, kind: 'continue', text: 'x', replyByMs: systemClock.now() + 1000 } as const;
    expect(await account.sendUssd(reply)).to.equal('unsuited');
    expect(recorder.events).to.include('dialect_error');
  });

  it('waits for a bind as long as the reply has time, and no longer', async () => {
    const { smsc, account, requests } = await start();
    await smsc.dial(PHONE, '*123#').nextScreen();
    const echo = requests[0]?.echo;
    if (echo === undefined) throw new Error('no request');
    await account.stop();
    const reply = { echo, kind: 'continue', text: 'x' } as const;
    expect(await account.sendUssd({ ...reply, replyByMs: systemClock.now() + 150 })).to.equal('not_sent');
    const sending = account.sendUssd({ ...reply, replyByMs: systemClock.now() + 5000 });
    account.start();
    expect(await sending).to.equal('taken');
  });

  it('does not write a screen whose time is over', async () => {
    const { smsc, account, requests } = await start();
    const call = smsc.dial(PHONE, '*123#');
    await call.nextScreen();
    const echo = requests[0]?.echo;
    if (echo === undefined) throw new Error('no request');
    const reply = { echo, kind: 'continue', text: 'x', replyByMs: systemClock.now() - 1 } as const;
    expect(await account.sendUssd(reply)).to.equal('not_sent');
    expect(call.screens).to.have.length(1);
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
