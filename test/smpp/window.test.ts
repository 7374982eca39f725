import { expect } from 'chai';
import { commandId } from '../../src/smpp/command.ts';
import { encodeHeader } from '../../src/smpp/framer.ts';
import { createSendingRate } from '../../src/smpp/sending-rate.ts';
import { type Priority, type RequestOutcome, RequestWindow, type WindowOptions } from '../../src/smpp/window.ts';
import { createFakeClock } from './support/fake-clock.ts';

const SUBMIT_SM_RESP = 0x80000004;

function createHarness(options: Partial<WindowOptions> & { readonly tps?: number } = {}) {
  const clock = createFakeClock();
  const written: number[] = [];
  const dropped: string[] = [];
  const rate = createSendingRate(options.tps ?? 0, clock);
  const window = new RequestWindow(
    { windowSize: 2, queueMax: 3, responseTimeoutMs: 10_000, firstSequence: 1, lastSequence: 0x7fffffff, ...options },
    {
      clock,
      rate,
      write: (octets) => written.push(octets.readUInt32BE(12)),
      onAnswered: () => {},
      onDropped: (reason) => dropped.push(reason),
      onTimeout: () => {},
    },
  );
  const outcomes: Record<string, RequestOutcome> = {};
  const send = (name: string, priority: Priority = 'sms', expiresAtMs = 30_000): void => {
    const encode = (sequence: number): Buffer => encodeHeader(commandId.submit_sm, 0, sequence);
    void window.send({ command: 'submit_sm', encode, priority, expiresAtMs }).then((outcome) => {
      outcomes[name] = outcome;
    });
  };
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return { clock, rate, window, written, dropped, outcomes, send, settled };
}

describe('the window', () => {
  it('lets no more requests out than its size', () => {
    const { send, window, written } = createHarness();
    for (const name of ['a', 'b', 'c', 'd']) send(name);
    expect(written).to.deep.equal([1, 2]);
    expect(window).to.include({ inFlight: 2, queued: 2 });
    window.answer(SUBMIT_SM_RESP, 1, 0, 'id');
    expect(written).to.deep.equal([1, 2, 3]);
  });

  it('sends USSD before SMS', () => {
    const { send, window, written, outcomes, settled } = createHarness({ windowSize: 1 });
    send('first');
    send('sms');
    send('ussd', 'ussd');
    window.answer(SUBMIT_SM_RESP, 1, 0, null);
    window.answer(SUBMIT_SM_RESP, 2, 0, null);
    expect(written).to.deep.equal([1, 2, 3]);
    return settled().then(() => {
      expect(outcomes).to.have.property('ussd');
      expect(outcomes).to.not.have.property('sms');
    });
  });

  it('refuses an SMS when its queue is full', async () => {
    const { send, outcomes, settled, dropped, window } = createHarness();
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) send(name);
    await settled();
    expect(window.queued).to.equal(3);
    expect(outcomes['f']).to.deep.equal({ kind: 'not_sent', why: 'queue_full' });
    expect(dropped).to.deep.equal(['queue_full']);
  });

  it('gives the place of the youngest SMS to a USSD text when its queue is full', async () => {
    const { send, outcomes, settled } = createHarness();
    for (const name of ['a', 'b', 'c', 'd', 'e']) send(name);
    send('ussd', 'ussd');
    await settled();
    expect(outcomes['e']).to.deep.equal({ kind: 'not_sent', why: 'queue_full' });
    expect(outcomes).to.not.have.property('ussd');
  });

  it('refuses a USSD text when its queue is full of USSD texts', async () => {
    const { send, outcomes, settled } = createHarness();
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) send(name, 'ussd');
    await settled();
    expect(outcomes['f']).to.deep.equal({ kind: 'not_sent', why: 'queue_full' });
  });

  it('calls a request unknown that is not answered in time, and frees its place', async () => {
    const { send, outcomes, settled, clock, window, written } = createHarness({ windowSize: 1 });
    send('a');
    send('b');
    clock.advance(9_999);
    await settled();
    expect(outcomes).to.not.have.property('a');
    clock.advance(1);
    await settled();
    expect(outcomes['a']).to.deep.equal({ kind: 'unknown', why: 'timeout' });
    expect(written).to.deep.equal([1, 2]);
    expect(window.answer(SUBMIT_SM_RESP, 1, 0, 'late')).to.equal(false);
  });

  it('does not write a request whose own deadline passed in the queue', async () => {
    const { send, outcomes, settled, clock, written } = createHarness({ windowSize: 1 });
    send('a');
    send('b', 'ussd', 800);
    clock.advance(800);
    await settled();
    expect(outcomes['b']).to.deep.equal({ kind: 'not_sent', why: 'expired' });
    expect(written).to.deep.equal([1]);
  });

  it('does not write a request that comes too late already', async () => {
    const { send, outcomes, settled, written } = createHarness();
    send('late', 'ussd', 0);
    await settled();
    expect(outcomes['late']).to.deep.equal({ kind: 'not_sent', why: 'expired' });
    expect(written).to.deep.equal([]);
  });

  it('takes an answer only of the command that was asked', () => {
    const { send, window } = createHarness();
    send('a');
    expect(window.answer(0x80000015, 1, 0, null)).to.equal(false);
    expect(window.inFlight).to.equal(1);
    expect(window.answer(SUBMIT_SM_RESP, 1, 0, null)).to.equal(true);
    expect(window.answer(SUBMIT_SM_RESP, 1, 0, null)).to.equal(false);
  });

  it('counts up to 0x7FFFFFFF, then from 1', () => {
    const { send, window, written } = createHarness({ windowSize: 4, firstSequence: 0x7fffffff });
    send('a');
    send('b');
    window.answer(SUBMIT_SM_RESP, 0x7fffffff, 0, null);
    expect(written).to.deep.equal([0x7fffffff, 1]);
  });

  it('skips the numbers that are still in flight when it comes round', () => {
    const { send, window, written } = createHarness({ lastSequence: 3 });
    for (const name of ['a', 'b', 'c', 'd']) send(name);
    window.answer(SUBMIT_SM_RESP, 2, 0, null);
    window.answer(SUBMIT_SM_RESP, 3, 0, null);
    expect(written).to.deep.equal([1, 2, 3, 2]);
  });

  it('writes nothing queued while the peer does not read', () => {
    const { send, window, written } = createHarness();
    window.setWritable(false);
    send('a');
    expect(written).to.deep.equal([]);
    window.setWritable(true);
    expect(written).to.deep.equal([1]);
  });

  it('settles everything when it closes: unknown what was written, not sent what was not', async () => {
    const { send, window, outcomes, settled, clock } = createHarness({ windowSize: 1 });
    send('a');
    send('b');
    window.close();
    send('c');
    await settled();
    expect(outcomes).to.deep.equal({
      a: { kind: 'unknown', why: 'closed' },
      b: { kind: 'not_sent', why: 'closed' },
      c: { kind: 'not_sent', why: 'closed' },
    });
    expect(clock.timers).to.equal(0);
  });

  it('keeps to the rate', () => {
    const { send, written, clock } = createHarness({ windowSize: 100, queueMax: 100, tps: 10 });
    for (let n = 0; n < 30; n += 1) send(`s${n}`, 'sms', 60_000);
    expect(written).to.have.length(10);
    clock.advance(1000);
    expect(written).to.have.length(20);
  });
});

describe('the sending rate', () => {
  it('halves on a throttled answer and comes back by a tenth a second', () => {
    const clock = createFakeClock();
    const rate = createSendingRate(100, clock);
    rate.slowDown();
    expect(rate.current()).to.equal(50);
    rate.slowDown();
    expect(rate.current()).to.equal(25);
    clock.advance(2000);
    expect(rate.isThrottled()).to.equal(true);
    expect(rate.current()).to.equal(45);
    clock.advance(6000);
    expect(rate.isThrottled()).to.equal(false);
    expect(rate.current()).to.equal(100);
  });

  it('never falls below one message a second', () => {
    const clock = createFakeClock();
    const rate = createSendingRate(4, clock);
    for (let n = 0; n < 20; n += 1) rate.slowDown();
    expect(rate.current()).to.equal(1);
    clock.advance(1000);
    expect(rate.take()).to.equal(0);
  });

  it('has no limit unless one is set or the centre throttles', () => {
    const clock = createFakeClock();
    const rate = createSendingRate(0, clock);
    for (let n = 0; n < 500; n += 1) expect(rate.take()).to.equal(0);
    rate.slowDown();
    expect(rate.current()).to.equal(250);
    clock.advance(10_000);
    rate.isThrottled();
    expect(rate.current()).to.equal(null);
  });
});
