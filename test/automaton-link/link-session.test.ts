import { expect } from 'chai';
import { defaultAgentTimers } from '../../src/automaton-link/agent/agent-config.ts';
import type { LinkEvents } from '../../src/automaton-link/agent/dial.ts';
import { LinkSession } from '../../src/automaton-link/agent/link-session.ts';
import { incomingCalls } from '../../src/automaton-link/messages.ts';
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts';
import { aHello, fieldOf, readFrame } from './support/raw-machine.ts';

describe('the session of a machine', () => {
  let clock: FakeClock;
  let dials: { readonly key: string; readonly atMs: number; readonly events: LinkEvents; readonly sent: string[] }[];
  let alarms: string[];
  let isUrgent: boolean;
  let session: LinkSession;
  beforeEach(() => {
    clock = createFakeClock();
    dials = [];
    alarms = [];
    isUrgent = true;
    session = make(['new key', 'old key']);
  });
  afterEach(() => session.end(false));

  function make(keys: readonly [string, ...string[]]): LinkSession {
    let msgIds = 0;
    return new LinkSession({
      config: {
        ...defaultAgentTimers,
        machineId: 'machine-1',
        url: 'ws://nowhere',
        keys,
        currency: 'XOF',
        exponent: 0,
        firmware: '1',
        staysConnected: false,
      },
      clock,
      dial: ({ key }, events) => {
        const sent: string[] = [];
        dials.push({ key, atMs: clock.now(), events, sent });
        const nothing = (): void => undefined;
        return { send: (text) => sent.push(text), ping: nothing, close: nothing, terminate: nothing };
      },
      random: () => 0.5,
      newMsgId: () => {
        msgIds += 1;
        return `m${msgIds}`;
      },
      log: { note: () => undefined, alarm: (event) => alarms.push(event) },
      onFrame: () => undefined,
      hello: () => incomingCalls.hello.parse(aHello()),
      onOpen: () => undefined,
      onGreeted: () => undefined,
      onMisfit: () => undefined,
      onCall: () => undefined,
      isUrgent: () => isUrgent,
    });
  }
  const refuse = (status: number, retryAfterS: number | null = null): void =>
    dials.at(-1)?.events.onRefused(status, retryAfterS);
  const times = (): number[] => dials.map(({ atMs }) => atMs);

  it('tries the other key at once when one is refused, and both again in an hour', async () => {
    session.want();
    refuse(401);
    refuse(401);
    await clock.advance(3_600_000);
    expect(dials.map(({ key }) => key)).to.deep.equal(['new key', 'old key', 'new key']);
    expect(times()).to.deep.equal([0, 0, 3_600_000]);
  });

  for (const status of [400, 403]) {
    it(`does not press a server that answers ${status}, however much is to be said`, async () => {
      session.want();
      refuse(status);
      session.want();
      await clock.advance(3_599_999);
      expect(times()).to.deep.equal([0]);
      await clock.advance(1);
      expect(times()).to.deep.equal([0, 3_600_000]);
    });
  }

  it('comes back when the server says', async () => {
    session.want();
    refuse(503, 7);
    await clock.advance(7_000);
    expect(times()).to.deep.equal([0, 7_000]);
  });

  it('backs off from a proxy that answers nonsense', async () => {
    session.want();
    refuse(502);
    await clock.advance(1_000);
    refuse(502);
    await clock.advance(2_000);
    expect(times()).to.deep.equal([0, 1_000, 3_000]);
  });

  it('cuts an ordinary wait short for a customer', async () => {
    session.want();
    refuse(502);
    await clock.advance(10);
    session.want();
    expect(times()).to.deep.equal([0, 10]);
  });

  it('sleeps until its next contact when a server without need of it is gone', async () => {
    isUrgent = false;
    session.want();
    dials[0]?.events.onClosed(1006);
    expect(session.stage).to.equal('asleep');
    await clock.advance(86_400_000);
    expect(times()).to.deep.equal([0, 86_400_000]);
  });

  it('changes its key when the server revokes it', async () => {
    session.want();
    dials[0]?.events.onOpen();
    dials[0]?.events.onClosed(4003);
    await clock.advance(0);
    expect(dials.map(({ key }) => key)).to.deep.equal(['new key', 'old key']);
  });

  it('says hello again, under a new msgId, when nobody answers it', async () => {
    session.want();
    dials[0]?.events.onOpen();
    await clock.advance(10_000);
    await clock.settle();
    await clock.advance(0);
    const said = (dials[0]?.sent ?? []).map((text) => readFrame(Buffer.from(text)));
    expect(said.map(([, msgId, action]) => [msgId, action])).to.deep.equal([
      ['m1', 'hello'],
      ['m2', 'hello'],
    ]);
  });

  it('hears nothing any more from a socket that it has left', async () => {
    session.want();
    const first = dials[0]?.events;
    first?.onOpen();
    session.rest();
    first?.onClosed(1006);
    first?.onText('garbage');
    await clock.advance(60_000);
    expect([times(), alarms]).to.deep.equal([[0, 60_000], []]);
  });

  it('is over for good when the power is gone', async () => {
    session.want();
    session.end(false);
    session.want();
    await clock.advance(86_400_000);
    expect(times()).to.deep.equal([0]);
    expect(fieldOf(await session.call('heartbeat', {}), 'kind')).to.equal('unsent');
  });
});
