import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import fc from 'fast-check';
import smpp from 'smpp';
import { commandId, commandNamed, RESPONSE_BIT } from '../../src/smpp/command.ts';
import {
  createFramer,
  encodeBind,
  encodeHeader,
  encodeMessage,
  encodeResponse,
  type Frame,
  type OutgoingMessage,
  readAnswerText,
  viewPdu,
} from '../../src/smpp/framer.ts';
import { checkMessage } from '../../src/smpp/pdu-check.ts';
import { playToBoundLink, playToOpenLink } from './support/bad-stream.ts';
import { type RawCentre, startRawCentre } from './support/raw-centre.ts';

interface Vector {
  readonly name: string;
  readonly kind?: string;
  readonly hex: string;
  readonly expect: Readonly<Record<string, string | number | null>>;
  readonly relais?: {
    readonly replies: readonly string[];
    readonly link: 'open' | 'closed';
    readonly pending?: readonly unknown[];
    readonly results?: readonly { readonly ok: boolean; readonly status: number }[];
  };
}
function vectorsOf(file: string): readonly Vector[] {
  const read = JSON.parse(readFileSync(new URL(`../fixtures/smpp/${file}`, import.meta.url), 'utf8')) as {
    readonly vectors: readonly Vector[];
  };
  return read.vectors;
}

/** Fields the view does not repeat: names of numbers, and those that are the password. */
const NOT_SHOWN = new Set(['command_status_name', 'password']);

/** Compares what the vector states with what people are shown. */
function expectView(vector: Vector): void {
  const view = viewPdu(Buffer.from(vector.hex, 'hex'));
  const shown: Record<string, string | number> = {
    ...view.fields,
    command: view.command,
    command_status: view.command_status,
    sequence_number: view.sequence_number,
  };
  for (const [key, value] of Object.entries(vector.expect)) {
    if (NOT_SHOWN.has(key)) continue;
    expect(shown[key.replace(/_hex$/, '')], key).to.equal(value);
  }
}

/** The same message as the check read it, to be written again. */
function again(octets: Buffer): Buffer | null {
  const command = commandNamed(octets.readUInt32BE(4));
  if (command !== 'deliver_sm' && command !== 'submit_sm' && command !== 'data_sm') return null;
  const check = checkMessage(command, octets);
  if (!check.ok || (check.pdu.esmClass & 0x40) !== 0) return null;
  const { serviceType, source, destination, esmClass, registeredDelivery, dataCoding } = check.pdu;
  const message = {
    serviceType,
    source,
    destination,
    esmClass,
    registeredDelivery,
    dataCoding,
    octets: check.pdu.octets,
    validityPeriod: '',
  };
  const tlvs = [...check.pdu.rawTlvs].map(([tag, value]) => ({ tag, value }));
  return encodeMessage(command, check.pdu.sequence, { ...message, tlvs });
}

describe('field captures of another gateway', () => {
  for (const vector of vectorsOf('jasmin.json')) {
    it(`are read as stated: ${vector.name}`, () => expectView(vector));
  }

  let centre: RawCentre;
  before(async () => {
    centre = await startRawCentre();
  });
  after(() => centre.close());

  for (const vector of vectorsOf('jasmin.json')) {
    it(`leave the link open: ${vector.name}`, async () => {
      const reaction = await playToBoundLink(centre, { hex: vector.hex, then: 'hold' }, false);
      expect(reaction.link).to.equal('open');
    });
  }

  for (const vector of vectorsOf('smpp-pdu.json').filter((one) => one.relais !== undefined)) {
    it(`gets the reaction that is ours: ${vector.name}`, async () => {
      const stream = { hex: vector.hex, then: 'hold' } as const;
      const isOpen = vector.relais?.pending !== undefined;
      const reaction = isOpen ? await playToOpenLink(centre, stream) : await playToBoundLink(centre, stream, false);
      const [result] = vector.relais?.results ?? [];
      expect(reaction.replies).to.deep.equal(vector.relais?.replies);
      expect(reaction.link).to.equal(vector.relais?.link);
      expect(reaction.outcome?.kind).to.equal(result === undefined ? undefined : 'answered');
    });
  }
});

describe('the PDUs of another codec', () => {
  for (const vector of vectorsOf('smpp-pdu.json').filter((one) => one.kind === 'encode_decode')) {
    it(`are read as stated: ${vector.name}`, () => expectView(vector));
  }

  it('are written octet by octet the same', () => {
    let compared = 0;
    for (const vector of vectorsOf('smpp-pdu.json').filter((one) => one.kind === 'encode_decode')) {
      const octets = Buffer.from(vector.hex, 'hex');
      const written = again(octets);
      if (written === null) continue;
      compared += 1;
      expect(written.toString('hex'), vector.name).to.equal(vector.hex);
    }
    expect(compared).to.be.at.least(5);
  });
});

const letters = (maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom('0', '1', '5', '9'), maxLength });
const octet = fc.integer({ min: 0, max: 255 });
const address = fc.record({ ton: octet, npi: octet, addr: letters(20) });
const buffer = (maxLength: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength }).map((octets) => Buffer.from(octets));
const outgoing: fc.Arbitrary<OutgoingMessage> = fc.record({
  serviceType: letters(5),
  source: address,
  destination: address,
  esmClass: fc.constant(0),
  registeredDelivery: octet,
  dataCoding: octet,
  validityPeriod: fc.constantFrom('', '000001000000000R'),
  octets: buffer(400),
  tlvs: fc.uniqueArray(fc.record({ tag: fc.constantFrom(0x0501, 0x1383, 0x0204, 0x1501), value: buffer(9) }), {
    selector: (tlv) => tlv.tag,
  }),
});

describe('a message', () => {
  it('is read by the check as it was written', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('submit_sm' as const, 'deliver_sm' as const, 'data_sm' as const),
        outgoing,
        (command, message) => {
          const check = checkMessage(command, encodeMessage(command, 9, message));
          if (!check.ok) throw new Error(check.bad.reason);
          const { pdu } = check;
          expect(pdu.source).to.deep.equal(message.source);
          expect(pdu.destination).to.deep.equal(message.destination);
          expect(pdu.octets.equals(message.octets)).to.equal(true);
          expect(pdu).to.include({
            serviceType: message.serviceType,
            dataCoding: message.dataCoding,
            registeredDelivery: message.registeredDelivery,
          });
          for (const tlv of message.tlvs) expect(pdu.rawTlvs.get(tlv.tag)?.equals(tlv.value)).to.equal(true);
        },
      ),
    );
  });

  it('is written as npm smpp writes it', () => {
    fc.assert(
      fc.property(outgoing, (message) => {
        fc.pre(message.octets.length <= 254 && message.validityPeriod === '');
        const theirs = new smpp.PDU('submit_sm', {
          sequence_number: 77,
          service_type: message.serviceType,
          source_addr_ton: message.source.ton,
          source_addr_npi: message.source.npi,
          source_addr: message.source.addr,
          dest_addr_ton: message.destination.ton,
          dest_addr_npi: message.destination.npi,
          destination_addr: message.destination.addr,
          registered_delivery: message.registeredDelivery,
          data_coding: message.dataCoding,
          short_message: message.octets,
        }).toBuffer();
        const ours = encodeMessage('submit_sm', 77, { ...message, tlvs: [] });
        expect(ours.toString('hex')).to.equal(theirs.toString('hex'));
      }),
    );
  });

  it('of more than 254 octets travels as message_payload', () => {
    const message = {
      serviceType: '',
      source: { ton: 0, npi: 0, addr: '1' },
      destination: { ton: 0, npi: 0, addr: '2' },
    };
    const octets = encodeMessage('submit_sm', 1, {
      ...message,
      esmClass: 0,
      registeredDelivery: 0,
      dataCoding: 0,
      validityPeriod: '',
      tlvs: [],
      octets: Buffer.alloc(255, 65),
    });
    expect(octets.toString('hex')).to.include('00042400ff4141');
  });
});

describe('the framer', () => {
  const frames = (chunks: readonly Buffer[]): { octets: string[]; outcome: string } => {
    const framer = createFramer(4095);
    const octets: string[] = [];
    let outcome = 'good';
    for (const chunk of chunks) {
      outcome = framer.push(chunk, (frame: Frame) => octets.push(frame.octets.toString('hex')) > 0);
    }
    return { octets, outcome };
  };

  it('cuts the same frames however the octets arrive', () => {
    const pdu = fc
      .uint8Array({ maxLength: 60 })
      .map((body) => Buffer.concat([encodeHeader(commandId.deliver_sm, 0, 1), body]));
    fc.assert(
      fc.property(
        fc.array(pdu, { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
        (bodies, cuts) => {
          for (const one of bodies) one.writeUInt32BE(one.length, 0);
          const stream = Buffer.concat(bodies);
          const chunks: Buffer[] = [];
          for (let at = 0, turn = 0; at < stream.length; turn += 1) {
            const size = cuts[turn % cuts.length] ?? 1;
            chunks.push(stream.subarray(at, at + size));
            at += size;
          }
          expect(frames(chunks).octets).to.deep.equal(bodies.map((one) => one.toString('hex')));
        },
      ),
    );
  });

  it('judges a length as soon as four octets are there', () => {
    expect(frames([Buffer.from([0, 0, 0]), Buffer.from([15])]).outcome).to.equal('bad_length');
    expect(frames([Buffer.from([0, 0, 16, 0])]).outcome).to.equal('bad_length');
    expect(frames([Buffer.from([0, 0, 15, 255])]).outcome).to.equal('good');
  });
});

describe('an answer', () => {
  it('is a header alone when it is a no', () => {
    expect(encodeResponse('submit_sm', 0x58, 3, 'id').toString('hex')).to.equal('00000010800000040000005800000003');
    expect(encodeResponse('submit_sm', 0, 3, 'id').toString('hex')).to.equal(
      '0000001380000004000000000000000369 6400'.replace(' ', ''),
    );
  });

  it('gives its id with or without the closing NUL', () => {
    const frame = (hex: string): Frame => ({
      commandId: (commandId.submit_sm | RESPONSE_BIT) >>> 0,
      status: 0,
      sequence: 1,
      octets: Buffer.from(hex, 'hex'),
    });
    const header = '00000013800000040000000000000001';
    expect(readAnswerText(frame(`${header}616263`))).to.equal('abc');
    expect(readAnswerText(frame(`${header}61626300`))).to.equal('abc');
    expect(readAnswerText(frame(header))).to.equal(null);
  });
});

describe('the view of a PDU', () => {
  it('never holds the password of a bind', () => {
    const fields = {
      systemId: 'relais',
      password: 'hunter2',
      systemType: '',
      interfaceVersion: 0x34,
      addrTon: 0,
      addrNpi: 0,
      addressRange: '',
    };
    const view = viewPdu(encodeBind('bind_transceiver', 1, fields));
    expect(view.fields).to.include({ system_id: 'relais', interface_version: 0x34 });
    expect(JSON.stringify(view)).to.not.include('hunter2');
  });

  it('is given for any octets', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(commandId), 0x80000000, 0x80000004, 0x999),
        fc.uint8Array({ maxLength: 80 }),
        (id, body) => {
          const octets = Buffer.concat([encodeHeader(id, 0, 1), body]);
          octets.writeUInt32BE(octets.length, 0);
          expect(viewPdu(octets).sequence_number).to.equal(1);
        },
      ),
    );
  });
});
