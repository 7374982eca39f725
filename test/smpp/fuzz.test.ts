/**
 * 100,000 streams of octets against our side of the link. Of each thousand, 980 go one after the other to one whole
 * account (framer, check, window, bind, reconnect, dialect, listeners) over a pipe in this process, with a clock that
 * is moved by hand so that frame timers and reconnects take no time; each must leave the link alive or closed. The
 * other 20 go over TCP, each to a new connection. After each thousand a good dialog runs over the account.
 * `SMPP_FUZZ_SEED=n` plays the streams of one seed again.
 */
import { type AddressInfo, connect, createServer } from 'node:net';
import v8 from 'node:v8';
import vm from 'node:vm';
import { expect } from 'chai';
import { createAccount, type SmppAccount } from '../../src/smpp/account.ts';
import { bindDefaults } from '../../src/smpp/bind.ts';
import { gatewayProfiles } from '../../src/smpp/gateway-profile.ts';
import { Link } from '../../src/smpp/link.ts';
import { createSendingRate } from '../../src/smpp/sending-rate.ts';
import { systemClock } from '../../src/time.ts';
import { createFakeClock, type FakeClock } from './support/fake-clock.ts';
import { createStreams } from './support/fuzz-streams.ts';
import { HostileCentre, turns } from './support/hostile-centre.ts';

const THOUSANDS = 100;
const BY_PIPE = 980;
const BY_TCP = 20;
/** Measured after this many thousands, when every path has been compiled and every pool filled. */
const WARM_AFTER = 10;
const MEMORY_BOUND_OCTETS = 2 * 1024 * 1024;
const SEED = Number(process.env['SMPP_FUZZ_SEED'] ?? Date.now() % 1_000_000);

function collectedHeap(): number {
  v8.setFlagsFromString('--expose-gc');
  const collect = vm.runInNewContext('gc') as () => void;
  collect();
  collect();
  return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
}

interface Victim {
  readonly account: SmppAccount;
  readonly clock: FakeClock;
  readonly centre: HostileCentre;
  readonly failures: unknown[];
}

function createVictim(): Victim {
  const clock = createFakeClock();
  const centre = new HostileCentre();
  const failures: unknown[] = [];
  const quiet = (): void => {};
  const account = createAccount(
    {
      name: 'fuzzed',
      dialect: gatewayProfiles.generic,
      smsSource: { ton: 0, npi: 0, addr: '123' },
      binds: [{ name: 'b1', hosts: [{ host: 'pipe', port: 1 }], systemId: 'relais', password: 'x' }],
    },
    {
      clock,
      random: () => 0,
      log: { info: quiet, warn: quiet, error: (_event, _fields, error) => failures.push(error) },
      metrics: { count: quiet, observe: quiet },
      connect: centre.connect,
    },
  );
  account.onUssd(async (request) => {
    if (request.kind !== 'begin' && request.kind !== 'continue') return;
    await account.sendUssd({ echo: request.echo, kind: 'continue', text: 'Cafe long', replyByMs: clock.now() + 8000 });
  });
  account.onSms(async () => {});
  account.onReceipt(async () => {});
  account.start();
  return { account, clock, centre, failures };
}

/** Lets time pass until the account is bound again; true if it is. */
async function rebind({ account, clock }: Victim): Promise<boolean> {
  for (let n = 0; n < 5; n += 1) {
    await turns(2);
    if (account.status()[0]?.state === 'bound') return true;
    clock.advance(60_000);
  }
  return false;
}

/** The link must answer, or be closed within the frame timer. */
async function attack(victim: Victim, stream: Buffer): Promise<'alive' | 'closed' | 'wedged'> {
  const { centre, clock } = victim;
  const { connections } = centre;
  centre.say(stream);
  await turns(2);
  if (centre.isConnected && (await centre.isAlive())) return 'alive';
  clock.advance(bindDefaults.frameTimeoutMs);
  await turns();
  if (!centre.isConnected || centre.connections > connections) return (await rebind(victim)) ? 'closed' : 'wedged';
  // The first enquire_link may have become the end of a frame that the stream began.
  return (await centre.isAlive()) ? 'alive' : 'wedged';
}

/** One stream to a new connection over TCP; resolves when the link has closed itself or seen the end. */
function attackByTcp(port: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const link = new Link(
      { ...bindDefaults, role: 'esme', flushMaxMs: 20 },
      {
        socket,
        clock: systemClock,
        rate: createSendingRate(0, systemClock),
        events: {
          message: (_pdu, answer) => answer(0),
          closed: () => resolve(),
          irregular: () => {},
          answered: () => {},
          timedOut: () => {},
          dropped: () => {},
          failed: (error) => {
            throw error;
          },
        },
      },
    );
    link.setBound();
  });
}

describe('the link under 100,000 random and mutated streams', function () {
  this.timeout(180_000);
  const nextStream = createStreams(SEED);
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.resume();
    socket.end(nextStream());
  });
  before((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  after((done) => {
    server.close(done);
  });

  it(`neither crashes nor wedges, carries a good dialog after each thousand, and keeps no memory (seed ${SEED})`, async () => {
    const victim = createVictim();
    const { port } = server.address() as AddressInfo;
    const tally = { alive: 0, closed: 0, wedged: 0 };
    expect(await rebind(victim)).to.equal(true);
    let warmOctets = 0;
    for (let thousand = 1; thousand <= THOUSANDS; thousand += 1) {
      for (let n = 0; n < BY_PIPE; n += 1) {
        const stream = nextStream();
        const outcome = await attack(victim, stream);
        tally[outcome] += 1;
        if (outcome === 'wedged') expect.fail(`wedged by ${stream.toString('hex')}`);
      }
      await Promise.all(Array.from({ length: BY_TCP }, () => attackByTcp(port)));
      victim.clock.advance(15_000);
      expect(await rebind(victim)).to.equal(true);
      expect(
        await victim.centre.playGoodDialog(thousand, 'Cafe long'),
        `the dialog after ${thousand} thousand`,
      ).to.equal(true);
      if (thousand === WARM_AFTER) warmOctets = collectedHeap();
    }
    const grownOctets = collectedHeap() - warmOctets;
    expect(tally.alive + tally.closed).to.equal(THOUSANDS * BY_PIPE);
    expect(tally.alive).to.be.above(10_000);
    expect(tally.closed).to.be.above(10_000);
    expect(victim.failures).to.deep.equal([]);
    expect(grownOctets).to.be.below(MEMORY_BOUND_OCTETS);
    await Promise.all([victim.account.stop(), settle(victim.clock)]);
  });
});

/** A stop waits on the clock. */
async function settle(clock: FakeClock): Promise<void> {
  for (let n = 0; n < 20; n += 1) {
    await turns();
    clock.advance(1000);
  }
}
