import { request } from 'node:http';
import { expect } from 'chai';
import { aMachine, type LinkWorld, machineKey, openWorld, settle, until } from './support/link-world.ts';
import { aHello, RawMachine } from './support/raw-machine.ts';

describe('the door of the machine link', () => {
  let world: LinkWorld;
  beforeEach(async () => {
    world = await openWorld();
  });
  afterEach(() => world.close());

  it('lets a machine in by its key, under its subprotocol, uncompressed', async () => {
    const machine = await new RawMachine(world.url).opened();
    expect([machine.socket.protocol, machine.socket.extensions]).to.deep.equal(['relais.vend.v1', '']);
  });

  const refusals: readonly (readonly [string, ConstructorParameters<typeof RawMachine>[1], number, string])[] = [
    ['another subprotocol', { protocol: 'ocpp1.6' }, 400, 'subprotocol'],
    ['a path without a machine', { path: '/automaton/' }, 400, 'path'],
    ['a path with more than a machine', { path: '/automaton/machine-1/x' }, 400, 'path'],
    ['a path that is not ours', { path: '/elsewhere' }, 400, 'path'],
    ['an unknown machine', { user: 'machine-2' }, 401, 'unknown_machine'],
    ['a wrong key', { key: 'x' }, 401, 'wrong_key'],
    ['another machine than the path says', { path: '/automaton/machine-1', user: 'machine-2' }, 401, 'other_user'],
    ['no credential', { authorization: 'Bearer x' }, 401, 'no_credential'],
  ];
  for (const [what, how, status, reason] of refusals) {
    it(`refuses ${what} before the upgrade`, async () => {
      expect(await new RawMachine(world.url, how).refused()).to.equal(status);
      expect(world.refused).to.have.length(1);
      expect(world.refused[0]).to.include({ status, reason });
    });
  }

  it('answers an unknown machine and a wrong key alike', async () => {
    const raw = (user: string, key: string): Promise<string> =>
      new Promise((resolve) => {
        const headers = {
          connection: 'Upgrade',
          upgrade: 'websocket',
          'sec-websocket-version': '13',
          'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
          'sec-websocket-protocol': 'relais.vend.v1',
          authorization: `Basic ${Buffer.from(`${user}:${key}`).toString('base64')}`,
        };
        const asked = request(`${world.url.replace('ws', 'http')}/automaton/${user}`, { headers });
        asked.on('response', (response) => {
          response.resume();
          resolve(`${response.statusCode} ${JSON.stringify(response.rawHeaders)}`);
        });
        asked.end();
      });
    expect(await raw('machine-2', machineKey)).to.equal(await raw('machine-1', 'x'));
  });

  it('asks an address that fails too often to wait, and lets it in later', async () => {
    for (let time = 0; time < 10; time += 1) await new RawMachine(world.url, { key: 'x' }).refused();
    const blocked = new RawMachine(world.url);
    expect([await blocked.refused(), blocked.retryAfter]).to.deep.equal([429, '6']);
    await world.clock.advance(6_000);
    await new RawMachine(world.url).opened();
  });

  it('asks a machine that connects too often to wait', async () => {
    for (let time = 0; time < 12; time += 1) await new RawMachine(world.url).opened();
    expect(await new RawMachine(world.url).refused()).to.equal(429);
  });

  it('takes both keys of a machine while there are two', async () => {
    world.directory.machines.set(
      'machine-1',
      aMachine({ credentialMacs: ['00'.repeat(32), ...aMachine().credentialMacs] }),
    );
    await new RawMachine(world.url).opened();
  });

  it('asks to come back when the directory is away', async () => {
    world.directory.isAway = true;
    const machine = new RawMachine(world.url);
    expect([await machine.refused(), machine.retryAfter]).to.deep.equal([503, '5']);
  });

  it('is full at its limit and open again when somebody leaves', async () => {
    await world.close();
    world = await openWorld({ maxConnections: 1 });
    const first = await new RawMachine(world.url).opened();
    expect(await new RawMachine(world.url).refused()).to.equal(503);
    first.socket.close();
    await first.closed();
    await settle();
    await new RawMachine(world.url).opened();
  });

  it('lets nobody in while the node is drained', async () => {
    const machine = await new RawMachine(world.url).greeted();
    const closing = world.link.close();
    expect(await machine.closed()).to.equal(4009);
    await closing;
    expect(await new RawMachine(world.url).refused()).to.equal(503);
  });

  it('survives a client that goes away in the middle of the upgrade', async () => {
    const machine = new RawMachine(world.url);
    machine.socket.terminate();
    await settle();
    const other = await new RawMachine(world.url).opened();
    expect((await other.call('hello', aHello()))[0]).to.equal(3);
    await until('one socket', () => world.link.port.holds('machine-1'));
  });
});
