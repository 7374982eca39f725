import { Duplex } from 'node:stream';
import { expect } from 'chai';
import { bindDefaults } from '../../src/smpp/bind.ts';
import { commandId } from '../../src/smpp/command.ts';
import { encodeHeader } from '../../src/smpp/framer.ts';
import { Link, type LinkEvents } from '../../src/smpp/link.ts';
import { createSendingRate } from '../../src/smpp/sending-rate.ts';
import { createFakeClock } from './support/fake-clock.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const enquire = (sequence: number): Buffer => encodeHeader(commandId.enquire_link, 0, sequence);
const DELIVER_SM = Buffer.from(
  '0000003a000000050000000000000007000101323231373730303030303031000000313233000000000000000000000a2a3132332a3435363723',
  'hex',
);

/** A socket whose writes are seen one by one, and finish only when the peer reads. */
class HeldSocket extends Duplex {
  readonly writes: Buffer[] = [];
  #release: (() => void) | null = null;
  isHeld = false;

  constructor() {
    super({ readableHighWaterMark: 1024, writableHighWaterMark: 64 });
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.writes.push(chunk);
    if (this.isHeld) this.#release = done;
    else done();
  }

  letGo(): void {
    this.isHeld = false;
    this.#release?.();
  }
}

describe('a link', () => {
  const start = (events: Partial<LinkEvents> = {}) => {
    const clock = createFakeClock();
    const socket = new HeldSocket();
    const failures: unknown[] = [];
    const link = new Link(
      { ...bindDefaults, role: 'esme' },
      {
        socket,
        clock,
        rate: createSendingRate(0, clock),
        events: {
          message: (_pdu, answer) => answer(0),
          closed: () => {},
          irregular: () => {},
          answered: () => {},
          timedOut: () => {},
          dropped: () => {},
          failed: (error) => failures.push(error),
          ...events,
        },
      },
    );
    link.setBound();
    return { clock, socket, link, failures };
  };
  const submit = (link: Link): void => {
    const encode = (sequence: number): Buffer => encodeHeader(commandId.submit_sm, 0, sequence);
    void link.send({ command: 'submit_sm', encode, priority: 'sms', expiresAtMs: 1e9 });
  };

  it('writes once for all that is to be said in one turn of the event loop', async () => {
    const { socket, link } = start();
    socket.push(Buffer.concat([enquire(1), enquire(2), enquire(3)]));
    submit(link);
    await turn();
    await turn();
    expect(socket.writes).to.have.length(1);
    expect(socket.writes[0]).to.have.length(64);
  });

  it('answers a thousand enquire_link in their order', async () => {
    const { socket } = start();
    socket.push(Buffer.concat(Array.from({ length: 1000 }, (_, index) => enquire(index + 1))));
    await turn();
    await turn();
    const answers = Buffer.concat(socket.writes);
    const sequences = Array.from({ length: 1000 }, (_, index) => answers.readUInt32BE(index * 16 + 12));
    expect(answers).to.have.length(16_000);
    expect(sequences).to.deep.equal(Array.from({ length: 1000 }, (_, index) => index + 1));
  });

  it('reads nothing more from a peer that does not read, writes nothing queued, and loses no answer', async () => {
    const { socket, link } = start();
    socket.isHeld = true;
    socket.push(Buffer.concat([enquire(1), enquire(2), enquire(3), enquire(4), enquire(5)]));
    await turn();
    await turn();
    expect(socket.isPaused()).to.equal(true);
    submit(link);
    for (let n = 6; n < 40; n += 1) socket.push(enquire(n));
    await turn();
    expect(socket.writes).to.have.length(1);
    expect(link).to.include({ inFlight: 0, queued: 1 });
    socket.letGo();
    for (let n = 0; n < 10; n += 1) await turn();
    expect(link).to.include({ inFlight: 1, queued: 0 });
    expect(Buffer.concat(socket.writes)).to.have.length(40 * 16);
  });

  it('answers ESME_RSYSERR when the one who takes messages throws, and lives on', async () => {
    const { socket, failures } = start({
      message: () => {
        throw new Error('ours');
      },
    });
    socket.push(DELIVER_SM);
    socket.push(enquire(8));
    await turn();
    await turn();
    expect(Buffer.concat(socket.writes).toString('hex')).to.equal(
      '0000001080000005000000080000000700000010800000150000000000000008',
    );
    expect(failures).to.have.length(1);
  });

  it('answers a message once', async () => {
    const { socket } = start({
      message: (_pdu, answer) => {
        answer(0);
        answer(0x64);
      },
    });
    socket.push(DELIVER_SM);
    await turn();
    await turn();
    expect(Buffer.concat(socket.writes)).to.have.length(17);
  });

  it('counts a frame from its first octet, whatever drips in later', async () => {
    let isClosed = false;
    const { socket, clock } = start({
      closed: () => {
        isClosed = true;
      },
    });
    for (const octet of DELIVER_SM.subarray(0, 29)) {
      socket.push(Buffer.from([octet]));
      await turn();
      clock.advance(1000);
    }
    await turn();
    expect(isClosed).to.equal(false);
    clock.advance(1000);
    await turn();
    await turn();
    expect(isClosed).to.equal(true);
  });

  it('leaves no timer behind', async () => {
    const { socket, link, clock } = start();
    submit(link);
    socket.push(DELIVER_SM.subarray(0, 20));
    await turn();
    link.destroy();
    await turn();
    await turn();
    expect(clock.timers).to.equal(0);
  });
});
