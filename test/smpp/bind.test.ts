import { expect } from 'chai';
import { Bind, type BindOptions, type BindState, bindDefaults } from '../../src/smpp/bind.ts';
import { commandId } from '../../src/smpp/command.ts';
import { encodeHeader } from '../../src/smpp/framer.ts';
import type { MessagePdu } from '../../src/smpp/pdu-check.ts';
import { createFakeClock, type FakeClock } from './support/fake-clock.ts';
import { createRecorder, type Recorder } from './support/quiet.ts';
import { type RawCentre, type RawConnection, startRawCentre } from './support/raw-centre.ts';

const BOUND = '00000015800000090000000000000001736d736300';
const DELIVER_SM =
  '0000003a000000050000000000000007000101323231373730303030303031000000313233000000000000000000000a2a3132332a3435363723';
const DELIVER_SM_RESP = '0000001180000005000000000000000700';

interface Harness {
  readonly bind: Bind;
  readonly clock: FakeClock;
  readonly recorder: Recorder;
  readonly delivered: MessagePdu[];
  until(state: BindState): Promise<void>;
}

describe('a bind', () => {
  let centre: RawCentre;
  let running: Bind[] = [];
  beforeEach(async () => {
    centre = await startRawCentre();
  });
  afterEach(async () => {
    for (const bind of running) void bind.stop();
    running = [];
    await centre.close();
  });

  const start = (options: Partial<BindOptions> = {}): Harness => {
    const clock = createFakeClock();
    const recorder = createRecorder();
    const delivered: MessagePdu[] = [];
    const hosts = [{ host: '127.0.0.1', port: centre.port }];
    const bind = new Bind(
      { ...bindDefaults, name: 'b1', hosts, systemId: 'relais', password: 'secret', ...options },
      {
        clock,
        random: () => 0,
        log: recorder.log,
        metrics: recorder.metrics,
        onMessage: (pdu, answer) => {
          delivered.push(pdu);
          answer(0);
        },
      },
    );
    running.push(bind);
    bind.start();
    return { bind, clock, recorder, delivered, until: (state) => recorder.until(() => bind.status().state === state) };
  };
  const acceptBind = async (harness: Harness): Promise<RawConnection> => {
    const connection = await centre.accept();
    await connection.until(() => connection.frames.length === 1);
    connection.socket.write(Buffer.from(BOUND, 'hex'));
    await harness.until('bound');
    return connection;
  };
  const refuseBinds = async (harness: Harness, status: number, times: number): Promise<number[]> => {
    const waits: number[] = [];
    for (let n = 0; n < times; n += 1) {
      const connection = await centre.accept();
      await connection.until(() => connection.frames.length === 1);
      connection.socket.end(encodeHeader(0x80000009, status, 1));
      await harness.until('backoff');
      waits.push(harness.clock.waits.at(-1) ?? 0);
      harness.clock.advance(15 * 60_000);
    }
    return waits;
  };

  it('says who it is in SMPP 3.4', async () => {
    const harness = start({ addressRange: '' });
    const connection = await acceptBind(harness);
    expect(connection.frames[0]).to.equal(
      '0000002500000009000000000000000172656c61697300736563726574000034000000'.replace('00000025', '00000023'),
    );
  });

  it('takes a message that comes in one read with the answer to its bind', async () => {
    const harness = start();
    const connection = await centre.accept();
    await connection.until(() => connection.frames.length === 1);
    connection.socket.write(Buffer.from(BOUND + DELIVER_SM, 'hex'));
    await connection.until(() => connection.frames.includes(DELIVER_SM_RESP));
    expect(harness.delivered).to.have.length(1);
  });

  it('waits longer after each failure, at most a minute', async () => {
    await centre.close();
    const harness = start();
    const waits: number[] = [];
    for (let n = 0; n < 9; n += 1) {
      await harness.until('backoff');
      waits.push(harness.clock.waits.at(-1) ?? 0);
      harness.clock.advance(60_000);
      await harness.until('connecting');
    }
    expect(waits).to.deep.equal([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    expect(harness.bind.status().lastError).to.equal('ECONNREFUSED');
    centre = await startRawCentre();
  });

  it('waits for minutes after a wrong password, and says so', async () => {
    const harness = start();
    expect(await refuseBinds(harness, 0x0e, 6)).to.deep.equal([60_000, 120_000, 240_000, 480_000, 900_000, 900_000]);
    expect(harness.recorder.events).to.include('smpp_bind_refused');
  });

  it('waits half a minute where its old connection still counts', async () => {
    const harness = start();
    expect(await refuseBinds(harness, 0x05, 1)).to.deep.equal([30_000]);
  });

  it('gives a bind up that nobody answers', async () => {
    const harness = start();
    const connection = await centre.accept();
    await connection.until(() => connection.frames.length === 1);
    harness.clock.advance(10_000);
    await connection.until(() => connection.isClosed());
    connection.socket.end();
    await harness.until('backoff');
    expect(harness.bind.status().lastError).to.equal('bind not answered');
  });

  it('asks a silent peer whether it lives, and leaves it if it does not answer', async () => {
    const harness = start();
    const connection = await acceptBind(harness);
    harness.clock.advance(29_999);
    expect(connection.frames).to.have.length(1);
    harness.clock.advance(1);
    await connection.until(() => connection.frames.length === 2);
    expect(connection.frames[1]).to.equal('00000010000000150000000000000002');
    harness.clock.advance(10_000);
    await harness.until('backoff');
    expect(harness.bind.status().lastError).to.equal('dead_peer');
  });

  it('leaves a peer alone that talks', async () => {
    const harness = start();
    const connection = await acceptBind(harness);
    harness.clock.advance(29_000);
    connection.socket.write(Buffer.from(DELIVER_SM, 'hex'));
    await connection.until(() => connection.frames.length === 2);
    harness.clock.advance(29_000);
    expect(connection.frames.at(-1)).to.equal(DELIVER_SM_RESP);
  });

  it('answers an unbind, and comes back after a second', async () => {
    const harness = start();
    const connection = await acceptBind(harness);
    connection.socket.write(encodeHeader(commandId.unbind, 0, 9));
    await connection.until(() => connection.isClosed());
    connection.socket.end();
    await harness.until('backoff');
    expect(connection.frames.at(-1)).to.equal('00000010800000060000000000000009');
    expect(harness.clock.waits.at(-1)).to.equal(1000);
    harness.clock.advance(1000);
    await acceptBind(harness);
  });

  it('unbinds when it is stopped', async () => {
    const harness = start();
    const connection = await acceptBind(harness);
    const stopped = harness.bind.stop();
    await connection.until(() => connection.frames.length === 2);
    expect(connection.frames[1]).to.equal('00000010000000060000000000000002');
    connection.socket.end(encodeHeader(0x80000006, 0, 2));
    await stopped;
    expect(harness.bind.status().state).to.equal('stopped');
  });

  it('waits for the answers in flight before it unbinds', async () => {
    const harness = start();
    const connection = await acceptBind(harness);
    const encode = (sequence: number): Buffer => encodeHeader(commandId.submit_sm, 0, sequence);
    const outcome = harness.bind.send({ command: 'submit_sm', encode, priority: 'sms', expiresAtMs: 30_000 });
    await connection.until(() => connection.frames.length === 2);
    const stopped = harness.bind.stop();
    expect(harness.bind.status().state).to.equal('draining');
    connection.socket.write(encodeHeader(commandId.enquire_link, 0, 5));
    await connection.until(() => connection.frames.length === 3);
    expect(connection.frames[2]).to.equal('00000010800000150000000000000005');
    connection.socket.write(encodeHeader(0x80000004, 0, 2));
    expect(await outcome).to.include({ kind: 'answered', status: 0 });
    harness.clock.advance(20);
    await connection.until(() => connection.frames.length === 4);
    connection.socket.end(encodeHeader(0x80000006, 0, 3));
    await stopped;
  });

  it('starts again after it was stopped', async () => {
    const harness = start();
    const connection = await acceptBind(harness);
    const stopped = harness.bind.stop();
    await connection.until(() => connection.frames.length === 2);
    connection.socket.end(encodeHeader(0x80000006, 0, 2));
    await stopped;
    harness.bind.start();
    await acceptBind(harness);
  });
});
