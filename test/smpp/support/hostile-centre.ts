import { type Duplex, duplexPair } from 'node:stream';
import { commandId } from '../../../src/smpp/command.ts';
import { encodeHeader, encodeMessage, encodeResponse } from '../../../src/smpp/framer.ts';

/** A turn of the event loop, twice: what was written has been read, answered and written back. */
export async function turns(count = 3): Promise<void> {
  for (let n = 0; n < count; n += 1) await new Promise((resolve) => setImmediate(resolve));
}

/**
 * A centre in this process that accepts every bind, says what it is told to, and answers every submit_sm. It may
 * be given any stream and then asked whether the link lives.
 */
export class HostileCentre {
  /** Frames of the last connection: submit_sm as they came, and answers, in hexadecimal text. */
  frames: string[] = [];
  connections = 0;
  #peer: Duplex | null = null;
  #received: Buffer = Buffer.alloc(0);
  #probes = 0;

  readonly connect = (): Promise<Duplex> => {
    const [theirs, ours] = duplexPair();
    this.connections += 1;
    this.#peer = ours;
    this.#received = Buffer.alloc(0);
    this.frames = [];
    ours.on('data', (chunk: Buffer) => this.#read(chunk));
    const lose = (): void => {
      if (this.#peer === ours) this.#peer = null;
      ours.destroy();
    };
    for (const event of ['end', 'close', 'error'] as const) ours.on(event, lose);
    // A pipe, unlike a socket, does not tell one end that the other was destroyed.
    theirs.on('close', lose);
    return Promise.resolve(theirs);
  };

  get isConnected(): boolean {
    return this.#peer !== null;
  }

  say(octets: Buffer): void {
    this.#peer?.write(octets);
  }

  /** True if the link answers an enquire_link, false if it is closed or says nothing. */
  async isAlive(): Promise<boolean> {
    this.#probes = (this.#probes + 1) & 0xffffff;
    const sequence = 0x70000000 + this.#probes;
    const answer = encodeHeader(0x80000015, 0, sequence).toString('hex');
    this.say(encodeHeader(commandId.enquire_link, 0, sequence));
    await turns();
    return this.frames.includes(answer);
  }

  /** Begins a dialog; true if it is acknowledged and answered with the screen `text` for that session. */
  async playGoodDialog(session: number, text: string): Promise<boolean> {
    this.frames = [];
    const begin = encodeMessage('deliver_sm', 77, {
      serviceType: 'USSD',
      source: { ton: 1, npi: 1, addr: '221770000001' },
      destination: { ton: 0, npi: 0, addr: '123' },
      esmClass: 0,
      registeredDelivery: 0,
      dataCoding: 15,
      validityPeriod: '',
      octets: Buffer.from('*123*4567#'),
      tlvs: [
        { tag: 0x0501, value: Buffer.from([1]) },
        { tag: 0x1383, value: Buffer.from([session >> 8, session & 0xff]) },
      ],
    });
    this.say(begin);
    await turns(4);
    const acknowledged = this.frames.includes(encodeResponse('deliver_sm', 0, 77).toString('hex'));
    const sessionHex = `13830002${session.toString(16).padStart(4, '0')}`;
    const screen = Buffer.from(text).toString('hex');
    return (
      acknowledged &&
      this.frames.some(
        (frame) => frame.startsWith('00000004', 8) && frame.includes(screen) && frame.endsWith(sessionHex),
      )
    );
  }

  #read(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    while (this.#received.length >= 16 && this.#received.length >= this.#received.readUInt32BE(0)) {
      const frame = this.#received.subarray(0, this.#received.readUInt32BE(0));
      this.#received = this.#received.subarray(frame.length);
      const sequence = frame.readUInt32BE(12);
      const id = frame.readUInt32BE(4);
      this.frames.push(frame.toString('hex'));
      if (this.frames.length > 1000) this.frames.splice(0, 500);
      if (id === commandId.bind_transceiver) this.say(encodeResponse('bind_transceiver', 0, sequence, 'hostile'));
      if (id === commandId.submit_sm) this.say(encodeResponse('submit_sm', 0, sequence, 'id'));
      if (id === commandId.enquire_link) this.say(encodeHeader(0x80000015, 0, sequence));
      if (id === commandId.unbind) this.say(encodeHeader(0x80000006, 0, sequence));
    }
  }
}
