import { expect } from 'chai';
import { anOrder, type LinkWorld, openWorld, settle, until } from './support/link-world.ts';
import { aHello, aRequest, RawMachine } from './support/raw-machine.ts';

describe('a connection of a machine', () => {
  let world: LinkWorld;
  beforeEach(async () => {
    world = await openWorld();
  });
  afterEach(() => world.close());

  it('closes with 4004 when there is no hello in time', async () => {
    const machine = await new RawMachine(world.url).opened();
    await settle();
    await world.clock.advance(5_000);
    expect(await machine.closed()).to.equal(4004);
  });

  it('wants hello first', async () => {
    const machine = await new RawMachine(world.url).opened();
    expect((await machine.call('heartbeat', {}))[2]).to.equal('bad_message');
  });

  it('takes the first vend.request right behind hello', async () => {
    const machine = await new RawMachine(world.url).opened();
    const hello = machine.say('hello', aHello());
    const asked = machine.say('vend.request', aRequest());
    expect((await machine.answerTo(asked))[2]).to.include({ status: 'waiting' });
    expect((await machine.answerTo(hello))[0]).to.equal(3);
    expect(machine.frames.map(([, id]) => id)).to.deep.equal([hello, asked]);
  });

  it('names what is wrong with a message and goes on', async () => {
    const machine = await new RawMachine(world.url).greeted();
    const answer = await machine.call('vend.request', aRequest({ maxWaitMs: 1 }));
    expect(answer.slice(2)).to.deep.equal([
      'bad_message',
      'maxWaitMs is missing or out of range',
      { code: 'bad_message' },
    ]);
    expect((await machine.call('unknown.action', {}))[2]).to.equal('not_supported');
    expect((await machine.call('vend.approve', {}))[2]).to.equal('not_supported');
    expect((await machine.call('heartbeat', { more: 1 }))[0]).to.equal(3);
  });

  it('closes with 1002 at the fifth text that is no frame', async () => {
    const machine = await new RawMachine(world.url).greeted();
    for (let time = 0; time < 4; time += 1) machine.send('garbage');
    await until('four errors', () => machine.frames.filter(([type]) => type === 4).length === 4);
    expect(machine.frames.at(-1)?.slice(0, 3)).to.deep.equal([4, '-1', 'bad_message']);
    expect((await machine.call('heartbeat', {}))[0]).to.equal(3);
    machine.send('{}');
    expect(await machine.closed()).to.equal(1002);
  });

  it('closes with 1003 on a binary message and with 1009 on one that is too long', async () => {
    const binary = await new RawMachine(world.url).greeted();
    binary.socket.send(Buffer.from([1, 2, 3]));
    expect(await binary.closed()).to.equal(1003);
    const long = await new RawMachine(world.url).greeted();
    long.send('x'.repeat(4_097));
    expect(await long.closed()).to.equal(1009);
  });

  it('drops answers that nobody asked for', async () => {
    const machine = await new RawMachine(world.url).greeted();
    machine.send('[3,"x",{}]');
    machine.send('[4,"-1","bad_message","",{}]');
    expect((await machine.call('heartbeat', {}))[0]).to.equal(3);
  });

  it('says busy beyond twenty calls a second, and closes with 4029 at the third time', async () => {
    const machine = await new RawMachine(world.url).greeted();
    for (let time = 0; time < 19; time += 1) await machine.call('heartbeat', {});
    const busy = await machine.call('heartbeat', {});
    expect(busy.slice(2)).to.deep.equal(['busy', 'too many calls', { code: 'busy', retryMs: 50 }]);
    await machine.call('heartbeat', {});
    machine.say('heartbeat', {});
    expect(await machine.closed()).to.equal(4029);
  });

  it('still reads an answer when the machine is over its rate', async () => {
    const machine = await new RawMachine(world.url).greeted();
    await machine.call('vend.request', aRequest());
    const asked = world.link.port.approve({ order: anOrder(), approvalId: 'A9', validMs: 90_000 });
    const approve = await machine.called('vend.approve');
    for (let time = 0; time < 19; time += 1) machine.say('heartbeat', {});
    machine.reply(approve, { status: 'accepted' });
    expect(await asked).to.deep.equal({ kind: 'accepted' });
  });

  it('says busy beyond thirty requests a minute', async () => {
    const machine = await new RawMachine(world.url).greeted();
    for (let seq = 1; seq <= 30; seq += 1) {
      await machine.call('vend.request', aRequest({ orderSeq: seq }));
      await world.clock.advance(60);
    }
    expect((await machine.call('vend.request', aRequest({ orderSeq: 31 })))[2]).to.equal('busy');
  });

  it('answers at most four calls at a time', async () => {
    world.purchases.isHanging = true;
    const machine = await new RawMachine(world.url).greeted();
    for (let seq = 1; seq <= 4; seq += 1)
      machine.say('vend.closed', { orderSeq: seq, result: 'expired', approvalSeen: null });
    const fifth = await machine.call('vend.closed', { orderSeq: 5, result: 'expired', approvalSeen: null });
    expect(fifth[2]).to.equal('busy');
  });

  it('answers busy before the machine gives up, when the journal does not answer', async () => {
    world.purchases.isHanging = true;
    const machine = await new RawMachine(world.url).greeted();
    const said = machine.say('vend.closed', { orderSeq: 1, result: 'expired', approvalSeen: null });
    await settle();
    await world.clock.advance(9_000);
    expect((await machine.answerTo(said)).slice(2)).to.deep.equal([
      'busy',
      'no answer in time',
      { code: 'busy', retryMs: 5_000 },
    ]);
  });

  it('closes the older socket of a machine with 4001', async () => {
    const older = await new RawMachine(world.url).greeted();
    const newer = await new RawMachine(world.url).greeted();
    expect(await older.closed()).to.equal(4001);
    expect((await newer.call('heartbeat', {}))[0]).to.equal(3);
    expect(world.link.port.holds('machine-1')).to.equal(true);
  });

  it('pings every two minutes, and every twenty seconds with an order in play', async () => {
    const machine = await new RawMachine(world.url).greeted();
    let pings = 0;
    machine.socket.on('ping', () => {
      pings += 1;
    });
    await world.pass(119_000, 1_000);
    expect(pings).to.equal(0);
    await world.pass(2_000, 1_000);
    await until('a ping', () => pings === 1);
    await machine.call('vend.request', aRequest());
    await world.pass(61_000, 1_000);
    await until('three more', () => pings === 4);
  });

  it('is cut when a ping is not answered within ten seconds', async () => {
    const machine = await new RawMachine(world.url, { autoPong: false }).greeted();
    await world.pass(129_000, 1_000);
    expect(world.link.port.holds('machine-1')).to.equal(true);
    await world.pass(2_000, 1_000);
    await machine.closed();
    await until('gone', () => !world.link.port.holds('machine-1'));
  });

  it('leaves its route when it closes', async () => {
    const machine = await new RawMachine(world.url).greeted();
    await settle();
    expect(await world.presence.whereIs('machine-1')).to.equal(world.presence.node);
    machine.socket.close(1000);
    await until('gone', () => !world.link.port.holds('machine-1'));
    await settle();
    expect(await world.presence.whereIs('machine-1')).to.equal(null);
  });
});
