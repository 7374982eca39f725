import { expect } from 'chai';
import { startSmsc, type WireEvent } from '../../simulators/smsc.ts';
import { Bind, bindDefaults } from '../../src/smpp/bind.ts';
import { gatewayProfiles } from '../../src/smpp/gateway-profile.ts';
import { systemClock } from '../../src/time.ts';
import { type Exchange, type ExchangeOptions, startExchange } from './support/exchange.ts';
import { createRecorder } from './support/quiet.ts';

const PHONE = '221770000001';

describe('the simulated centre', () => {
  let exchange: Exchange | null = null;
  const start = async (options?: ExchangeOptions): Promise<Exchange> => {
    exchange = await startExchange(options);
    return exchange;
  };
  afterEach(async () => {
    await exchange?.stop();
    exchange = null;
  });

  it('tells what a gateway could refuse: an op it does not know, a wrong session', async () => {
    const { opOut } = gatewayProfiles.generic;
    const dialect = { ...gatewayProfiles.generic, opOut: { ...opOut, continue: 99 } };
    const { smsc } = await start({ account: { dialect } });
    await smsc.dial(PHONE, '*123#').nextScreen();
    expect(smsc.problems).to.deep.equal(['screen to ***001: ussd_service_op 99 means nothing here']);
  });

  it('doubles keys and dialed strings when told to', async () => {
    const { smsc, requests, recorder } = await start();
    smsc.faults.doublesRequests = true;
    const call = smsc.dial(PHONE, '*123#');
    await call.nextScreen();
    call.key('1');
    await recorder.until(() => requests.length === 4);
    expect(requests.map((one) => one.text)).to.deep.equal(['*123#', '*123#', '1', '1']);
  });

  it('ends a dialog from the network', async () => {
    const { smsc, requests, recorder } = await start({ binds: [{}] });
    const call = smsc.dial(PHONE, '*123#');
    await call.nextScreen();
    call.networkAbort();
    expect(call.isOver).to.equal(true);
    const error = await call.nextScreen().catch((caught: unknown) => caught);
    expect(String(error)).to.include('the network ended the dialog');
    await smsc.dial('221770000002', '*123#').nextScreen();
    await recorder.until(() => requests.some((one) => one.kind === 'abort'));
  });

  it('has one dialog a phone: dialing again hangs the first up', async () => {
    const { smsc } = await start();
    const first = smsc.dial(PHONE, '*123#');
    await first.nextScreen();
    const second = smsc.dial(PHONE, '*123#');
    await second.nextScreen();
    expect(first.isOver).to.equal(true);
    expect(second.isOver).to.equal(false);
  });

  it('shows no screen of a dialog that the subscriber has left', async () => {
    const { smsc, account, requests } = await start();
    await smsc.dial(PHONE, '*123#').nextScreen();
    const second = smsc.dial(PHONE, '*123#');
    await second.nextScreen();
    const [left] = requests;
    if (left === undefined) throw new Error('the first dial has arrived');
    const late = { echo: left.echo, kind: 'end', text: 'late', replyByMs: systemClock.now() + 8000 } as const;
    expect(await account.sendUssd(late)).to.equal('gone');
    expect(second.screens.map(({ text }) => text)).to.deep.equal(['seen *123#']);
  });

  it('sends no session id when told to', async () => {
    const { smsc, requests } = await start();
    smsc.faults.hasNoSessionId = true;
    await smsc.dial(PHONE, '*123#').nextScreen();
    expect(requests[0]?.sessionId).to.equal(null);
    expect(smsc.problems).to.deep.equal([]);
  });

  it('says of an SMS that it could not be delivered', async () => {
    const { account, receipts, recorder } = await start({ smsc: { receipts: 'UNDELIV' } });
    await account.sendSms({ to: PHONE, text: 'x' });
    await recorder.until(() => receipts.length === 1);
    expect(receipts[0]?.state).to.equal('undeliverable');
  });

  it('shows each PDU as it passes, and no password', async () => {
    const seen: WireEvent[] = [];
    const { smsc } = await start({ smsc: { onWire: (event) => seen.push(event) } });
    await smsc.dial(PHONE, '*123#').nextScreen();
    const names = seen.map((event) => `${event.direction} ${event.pdu.command}`);
    expect(names.slice(0, 2)).to.deep.equal(['in bind_transceiver', 'out bind_transceiver_resp']);
    expect(names).to.include.members(['out deliver_sm', 'in deliver_sm_resp', 'in submit_sm']);
    expect(JSON.stringify(seen.map((event) => event.pdu))).to.not.include('secret');
  });

  it('lets nobody in with a wrong password', async () => {
    const smsc = await startSmsc({ port: 0, accounts: { relais: 'other' } });
    const recorder = createRecorder();
    const bind = new Bind(
      {
        ...bindDefaults,
        name: 'b1',
        hosts: [{ host: '127.0.0.1', port: smsc.port }],
        systemId: 'relais',
        password: 'x',
      },
      { clock: systemClock, random: () => 0, log: recorder.log, metrics: recorder.metrics, onMessage: () => {} },
    );
    bind.start();
    await recorder.until(() => recorder.events.includes('smpp_bind_refused'));
    expect(bind.status().lastError).to.equal('bind refused with status 14');
    expect(smsc.binds()).to.deep.equal([]);
    await bind.stop();
    await smsc.close();
  });

  it('keeps apart what 200 phones see', async () => {
    const { smsc } = await start({ screen: (request) => `for ${request.msisdn}` });
    const phones = Array.from({ length: 200 }, (_, index) => `2217700${String(index).padStart(5, '0')}`);
    const screens = await Promise.all(phones.map((phone) => smsc.dial(phone, '*123#').nextScreen()));
    expect(screens.map((screen) => screen.text)).to.deep.equal(phones.map((phone) => `for ${phone}`));
  });
});
