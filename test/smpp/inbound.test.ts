import { expect } from 'chai';
import { isSameMessageId } from '../../src/smpp/delivery-receipt.ts';
import { encodeMessage, type OutgoingMessage, type OutgoingTlv } from '../../src/smpp/framer.ts';
import { type Dialect, gatewayProfiles, readMsisdn } from '../../src/smpp/gateway-profile.ts';
import { type Inbound, readInbound } from '../../src/smpp/inbound.ts';
import { checkMessage } from '../../src/smpp/pdu-check.ts';
import { ussdTlvs } from '../../src/smpp/ussd-tlv.ts';

const generic = gatewayProfiles.generic;
const op = (value: number): OutgoingTlv => ({ tag: 0x0501, value: Buffer.from([value]) });
const session = (hex: string): OutgoingTlv => ({ tag: 0x1383, value: Buffer.from(hex, 'hex') });

function receive(message: Partial<OutgoingMessage> & { readonly text?: string }, dialect: Dialect = generic): Inbound {
  const octets = encodeMessage('deliver_sm', 5, {
    serviceType: '',
    source: { ton: 1, npi: 1, addr: '221770000001' },
    destination: { ton: 0, npi: 0, addr: '123' },
    esmClass: 0,
    registeredDelivery: 0,
    dataCoding: 0,
    validityPeriod: '',
    octets: Buffer.from(message.text ?? '', 'latin1'),
    tlvs: [],
    ...message,
  });
  const check = checkMessage('deliver_sm', octets);
  if (!check.ok) throw new Error(check.bad.reason);
  return readInbound(check.pdu, { account: 'main', bind: 'b1' }, dialect);
}
function ussd(inbound: Inbound): {
  readonly kind: string;
  readonly sessionId: string | null;
  readonly opStated: boolean;
} {
  if (inbound.channel !== 'ussd') throw new Error(`is ${inbound.channel}`);
  return inbound.request;
}

describe('an incoming message', () => {
  it('is USSD by its op or by its service_type, and SMS otherwise', () => {
    expect(receive({ text: '1', tlvs: [op(18)] }).channel).to.equal('ussd');
    expect(receive({ text: '1', serviceType: 'USSD' }).channel).to.equal('ussd');
    expect(receive({ text: '1', serviceType: 'CMT' }).channel).to.equal('sms');
  });

  it('means what its op says', () => {
    const kinds = [0, 1, 2, 18, 17, 19, 129, 3, 0x7f].map(
      (value) => ussd(receive({ text: '1', tlvs: [op(value)] })).kind,
    );
    expect(kinds).to.deep.equal([
      'begin',
      'begin',
      'continue',
      'continue',
      'end',
      'ack',
      'abort',
      'continue',
      'continue',
    ]);
  });

  it('without an op begins with a dialed string and goes on with anything else', () => {
    expect(ussd(receive({ text: '*123*4567#', serviceType: 'USSD' }))).to.include({ kind: 'begin', opStated: false });
    expect(ussd(receive({ text: '4567', serviceType: 'USSD' }))).to.include({ kind: 'continue', opStated: false });
  });

  it('ends by the end flag where the dialect has one', () => {
    const dialect: Dialect = { ...generic, session: { ...generic.session, endFlagIn: true, layout: 'id15_1' } };
    expect(ussd(receive({ text: '1', tlvs: [op(18), session('0203')] }, dialect))).to.include({
      kind: 'end',
      sessionId: '257',
    });
    expect(ussd(receive({ text: '1', tlvs: [op(18), session('0202')] }, dialect))).to.include({
      kind: 'continue',
      sessionId: '257',
    });
    expect(ussd(receive({ text: '1', tlvs: [op(18), session('0203')] }))).to.include({
      kind: 'continue',
      sessionId: '0203',
    });
  });

  it('may lack a session id, unless the dialect refuses that', () => {
    const strict: Dialect = { ...generic, session: { ...generic.session, onMissing: 'reject' } };
    expect(ussd(receive({ text: '1', tlvs: [op(18)] })).sessionId).to.equal(null);
    expect(receive({ text: '1', tlvs: [op(18)] }, strict)).to.deep.equal({
      channel: 'nothing',
      status: 0xc3,
      reason: null,
    });
  });

  it('is never an order when it is a receipt, whatever its text', () => {
    expect(receive({ text: '4567', esmClass: 4 })).to.deep.equal({ channel: 'nothing', status: 0, reason: 'receipt' });
    expect(receive({ text: 'id:7 sub:001 stat:DELIVRD err:000' }).channel).to.equal('receipt');
    expect(receive({ text: 'OUI 382' }).channel).to.equal('sms');
  });

  it('names by its receipt the message and its state, with both ids if they differ', () => {
    const text = 'id:0416342074 sub:001 dlvrd:001 stat:DELIVRD err:000 text:x';
    const tlvs = [
      { tag: 0x001e, value: Buffer.from('18d0e03a\0') },
      { tag: 0x0427, value: Buffer.from([5]) },
    ];
    expect(receive({ text, esmClass: 4, tlvs })).to.deep.equal({
      channel: 'receipt',
      receipt: {
        account: 'main',
        messageId: '18d0e03a',
        otherId: '0416342074',
        state: 'undeliverable',
        to: '221770000001',
      },
    });
    const odd = receive({ text: 'id:A1 stat:BUFFERD', esmClass: 4 });
    expect(odd).to.have.deep.nested.property('receipt.state', 'enroute');
  });
});

describe('a message id', () => {
  it('is the same without leading zeros, in either case, and in hexadecimal or decimal', () => {
    expect(isSameMessageId('0042', '42')).to.equal(true);
    expect(isSameMessageId('ab', 'AB')).to.equal(true);
    expect(isSameMessageId('18d0e03a', '0416342074')).to.equal(true);
    expect(isSameMessageId('1891273321', '70BA8A69')).to.equal(true);
    expect(isSameMessageId('1891273321', '70BA8A69', 'same')).to.equal(false);
    expect(isSameMessageId('41', '42')).to.equal(false);
  });
});

describe('a subscriber number', () => {
  const rules = { country: '221', national: true };
  const read = (addr: string, ton = 0): string | null => readMsisdn({ ton, addr }, rules);

  it('is E.164 without + from the international and national forms', () => {
    expect(read('+221 77 000 00 01')).to.equal('221770000001');
    expect(read('00221770000001')).to.equal('221770000001');
    expect(read('770000001', 2)).to.equal('221770000001');
    expect(read('0770000001')).to.equal('221770000001');
    expect(read('770000001')).to.equal('221770000001');
    expect(read('221770000001')).to.equal('221770000001');
    expect(read('33612345678')).to.equal('33612345678');
    expect(read('33612345678', 1)).to.equal('33612345678');
  });

  it('is none with letters, two digits or 21', () => {
    for (const addr of ['', '12', '1'.repeat(21), '77a', "';--"]) expect(read(addr)).to.equal(null);
  });
});

describe('the TLVs of a screen', () => {
  it('carry the op of its kind and the session of its request', () => {
    const echo = { sessionInfo: '1234', userMessageReference: 7 };
    const shown = ussdTlvs('end', echo, generic).map((tlv) => [tlv.tag, tlv.value.toString('hex')]);
    expect(shown).to.deep.equal([
      [0x0501, '11'],
      [0x0204, '0007'],
      [0x1383, '1234'],
    ]);
  });

  it('set the end flag with the last screen where the dialect has one', () => {
    const dialect: Dialect = {
      ...generic,
      session: { ...generic.session, endFlagOut: true },
      opOut: { continue: 2, end: null, notify: 3 },
    };
    const echo = { sessionInfo: '1234', userMessageReference: null };
    expect(ussdTlvs('end', echo, dialect).map((tlv) => tlv.value.toString('hex'))).to.deep.equal(['1235']);
    expect(ussdTlvs('continue', echo, dialect).map((tlv) => tlv.value.toString('hex'))).to.deep.equal(['02', '1234']);
  });
});
