import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import type { SimulatedMachine } from '../../simulators/machine.ts';
import { agentBench, approval, machineOnDisk } from '../automaton-link/support/agent-bench.ts';
import { settle, until } from '../automaton-link/support/link-world.ts';
import { PowerDisk } from '../automaton-link/support/power-file.ts';
import { floorReply, RawServer } from '../automaton-link/support/raw-server.ts';
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts';

/** The flush of `D`: after the boot's replacement, and `W` and `A` with their flushes. */
const FLUSH_OF_D = 7;

describe('a machine whose disk fails right before the go-ahead', () => {
  let server: RawServer;
  let clock: FakeClock;
  let disk: PowerDisk;
  let machine: SimulatedMachine;
  beforeEach(async () => {
    server = await new RawServer().open();
    clock = createFakeClock();
    disk = new PowerDisk();
    machine = machineOnDisk(server, clock, disk);
    disk.isCut = false;
    disk.cutAtStep = FLUSH_OF_D;
    // The line reaches the disk, though the flush says that it did not.
    disk.tornBytes = 4_096;
    await machine.powerOn();
    await settle();
    machine.select(7);
    await server.called('vend.request');
    server.say('vend.approve', approval);
    await until('free', () => machine.hardware.isFree);
    await settle();
  });
  afterEach(async () => {
    machine.powerCut();
    await server.close();
  });

  it('says that nothing was delivered, so that the payer gets his money back', async () => {
    expect(machine.hardware.goAheads).to.equal(0);
    expect((await server.called('vend.failure'))['code']).to.equal('not_started');
  });

  it('says nothing else after it was started anew', async () => {
    server.replies.set('vend.failure', 'silence');
    machine.powerCut();
    server.replies.clear();
    await machine.powerOn();
    await until('all said', () => machine.status().agent?.unacked === 0);
    const kinds = ['vend.success', 'vend.failure', 'vend.closed'].filter((kind) => server.contents(kind).length > 0);
    expect(kinds).to.deep.equal(['vend.failure']);
  });

  it('takes no further order until then', () => {
    expect(machine.status().agent?.outOfOrder).to.equal('storage');
  });
});

describe('a machine whose first journal was lost right after its first delivery', () => {
  const bench = agentBench();

  it('does not deliver again for an approval that is still on its way', async () => {
    const { server } = bench;
    await bench.waiting();
    await bench.approve();
    await bench.pass(3_000);
    expect(bench.machine.hardware.goAheads).to.equal(1);
    bench.machine.powerCut();
    rmSync(join(bench.folder, 'machine-1.journal'));
    // The next customer chooses the same before the link is up; the server knows of one order of this machine.
    server.replies.set('hello', floorReply(1));
    bench.machine = bench.make({ random: () => 0.5 });
    await bench.machine.powerOn();
    bench.machine.select(7);
    await server.called('vend.request', 2);
    expect((await bench.approve())[2]).to.deep.equal({ status: 'rejected', reason: 'unknown_order' });
  });
});
