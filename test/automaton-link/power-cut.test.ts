import { expect } from 'chai';
import type { SimulatedMachine } from '../../simulators/machine.ts';
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts';
import { approval, machineOnDisk } from './support/agent-bench.ts';
import { settle, until } from './support/link-world.ts';
import { PowerDisk } from './support/power-file.ts';
import { fieldOf } from './support/raw-machine.ts';
import { RawServer } from './support/raw-server.ts';

/** Writes of one whole purchase: the boot's replacement, W, A, D, R with their flushes, K. */
const stepsOfPurchase = 10;

describe('a machine whose disk or power fails', () => {
  let server: RawServer;
  let clock: FakeClock;
  let disk: PowerDisk;
  let machine: SimulatedMachine;
  beforeEach(async () => {
    server = await new RawServer().open();
    clock = createFakeClock();
    disk = new PowerDisk();
    machine = machineOnDisk(server, clock, disk);
    disk.onCut = () => machine.powerCut();
  });
  afterEach(async () => {
    machine.powerCut();
    await server.close();
  });

  async function turnOn(): Promise<void> {
    try {
      await machine.powerOn();
    } catch {
      // The power went, or the disk failed, while it was booting.
      machine.powerCut();
    }
  }
  /** A purchase as far as it comes. */
  async function buy(): Promise<void> {
    await turnOn();
    await settle();
    machine.select(7);
    await settle();
    if (server.contents('vend.request').length === 0) return;
    server.say('vend.approve', approval);
    await settle();
    await clock.advance(300);
    await settle();
  }
  /** After the power is back and all has been said: which final words the server has heard of order 1. */
  async function words(): Promise<string[]> {
    disk.cutAtStep = 0;
    machine.powerCut();
    await turnOn();
    await until('ready', () => machine.status().agent?.link === 'ready');
    await until('all said', () => machine.status().agent?.unacked === 0);
    const kinds = ['vend.success', 'vend.failure', 'vend.closed'];
    return kinds.filter((kind) => server.contents(kind).some(({ orderSeq }) => orderSeq === 1));
  }
  const isAccepted = (): boolean => server.answers.some(([, , result]) => fieldOf(result, 'status') === 'accepted');

  it('has as many writes as this test goes through', async () => {
    await buy();
    await until('acknowledged', () => machine.status().agent?.unacked === 0);
    expect(disk.steps).to.equal(stepsOfPurchase);
  });

  for (const [what, isCut] of [
    ['the power goes', true],
    ['the write fails', false],
  ] as const) {
    for (let step = 1; step <= stepsOfPurchase; step += 1) {
      for (const tornBytes of isCut ? [0, 25, 4_096] : [0, 4_096]) {
        it(`says one thing, and the true one, when ${what} at write ${step} with ${tornBytes} bytes torn`, async () => {
          disk.cutAtStep = step;
          disk.tornBytes = tornBytes;
          disk.isCut = isCut;
          await buy();
          const dropped = machine.dropped();
          const said = await words();
          expect(said.length, said.join()).to.be.lessThan(2);
          // A good that dropped is never said to be undelivered; one that is said to be undelivered never drops.
          if (dropped === 1) expect(said).to.deep.equal(['vend.success']);
          if (said[0] === 'vend.closed') expect([dropped, isAccepted()]).to.deep.equal([0, false]);
          if (said[0] === 'vend.failure') expect(dropped).to.equal(0);
          // The same approval, again: never a second good, and never a first one for what is over.
          server.answers.length = 0;
          await server.call('vend.approve', approval);
          await clock.advance(300);
          expect([isAccepted(), machine.dropped(), machine.hardware.goAheads <= 1]).to.deep.equal([
            false,
            dropped,
            true,
          ]);
        });
      }
    }
  }

  it('is out of order until it is restarted', async () => {
    await turnOn();
    await until('ready', () => machine.status().agent?.link === 'ready');
    machine.select(7);
    await server.called('vend.request');
    disk.isCut = false;
    disk.cutAtStep = disk.steps + 1;
    expect((await server.call('vend.approve', approval))[2]).to.deep.equal({ status: 'rejected', reason: 'storage' });
    expect([machine.status().agent?.outOfOrder, machine.hardware.isFree]).to.deep.equal(['storage', true]);
    machine.select(7);
    expect([machine.display, server.contents('vend.request').length]).to.deep.equal(['Not available', 1]);
    expect(await words()).to.deep.equal(['vend.closed']);
    expect(machine.status().agent?.outOfOrder).to.equal(null);
  });

  it('says after a power cut what it had said before', async () => {
    await turnOn();
    await until('ready', () => machine.status().agent?.link === 'ready');
    machine.select(7);
    await server.called('vend.request');
    server.replies.set('vend.closed', 'silence');
    machine.skip(120_000);
    await server.called('vend.closed');
    server.replies.clear();
    expect(await words()).to.deep.equal(['vend.closed']);
    expect(server.contents('vend.closed').map(({ result }) => result)).to.deep.equal(['expired', 'expired']);
  });

  it('gives no go-ahead when the disk was so slow that the controller may have given up', async () => {
    await turnOn();
    await until('ready', () => machine.status().agent?.link === 'ready');
    machine.select(7);
    await server.called('vend.request');
    machine.skip(117_900);
    disk.onSync = (text) => {
      if (text.includes('"t":"D"')) machine.skip(1_700);
    };
    expect((await server.call('vend.approve', approval))[2]).to.deep.equal({ status: 'accepted' });
    expect((await server.called('vend.failure'))['code']).to.equal('not_started');
    expect([machine.hardware.goAheads, machine.hardware.isFree]).to.deep.equal([0, true]);
  });
});
