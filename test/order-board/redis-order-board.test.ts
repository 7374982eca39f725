import { expect } from 'chai';
import { claiming, drink, faultOf, placing, taking } from './board-subject.ts';
import { describeDialogBoard } from './dialog-board.contract.ts';
import { describeOrders } from './order-board.contract.ts';
import { describeMeetings } from './order-meetings.contract.ts';
import { describePresence } from './presence.contract.ts';
import { eventually, openRedis, type RedisSubject } from './redis-subject.ts';

const PAYER = '2250701020304';

describeOrders('Redis board', openRedis);
describeMeetings('Redis board', openRedis);
describeDialogBoard('Redis board', openRedis);
describePresence('Redis board', openRedis);

describe('the Redis board', () => {
  let subject: RedisSubject;
  beforeEach(async () => {
    subject = await openRedis();
  });
  afterEach(() => subject.close());

  /** How often Redis has run a command since the test began. */
  const callsOf = async (command: string): Promise<number> => {
    const found = new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(await subject.redis.info('commandstats'));
    return Number(found?.[1] ?? '0');
  };
  const wakeChannels = async (): Promise<number> => {
    const channels = await subject.redis.pubsub('CHANNELS', 'relais:wake:*');
    return channels.length;
  };

  it('has a command whose reply was cut off executed once', async () => {
    const { dialogs } = subject.near;
    await dialogs.saveQuote('a1', PAYER, 'q1', 60_000);
    const before = await callsOf('getdel');
    subject.cutReplyTo('quote:');
    await faultOf(dialogs.takeQuote('a1', PAYER));
    await subject.reconnected();
    expect((await callsOf('getdel')) - before).to.equal(1);
  });

  it('has a command that was cut off rejected at once', async () => {
    subject.cutReplyTo('order:');
    const startMs = performance.now();
    await faultOf(subject.near.orders.look('m1'));
    expect(performance.now() - startMs).to.be.below(600);
  });

  it('goes on when Redis has forgotten the scripts', async () => {
    await subject.near.orders.place(placing());
    await subject.redis.script('FLUSH');
    expect(await subject.near.orders.claim(claiming('p1'))).to.have.property('kind', 'claimed');
  });

  it('listens to no machine when nobody waits any more', async () => {
    const claimed = subject.near.orders.claimWhenPlaced({ ...claiming('p1'), waitMs: 60_000 });
    await eventually(async () => (await wakeChannels()) === 1);
    await subject.far.orders.place(placing());
    await claimed;
    await eventually(async () => (await wakeChannels()) === 0);
  });

  it('claims for one who waits while the subscriber was cut off', async () => {
    const claimed = subject.near.orders.claimWhenPlaced({ ...claiming('p1'), waitMs: 60_000 });
    await eventually(async () => (await wakeChannels()) === 1);
    await subject.redis.call('client', 'kill', 'type', 'pubsub');
    await subject.far.orders.place(placing());
    expect(await claimed).to.have.property('kind', 'claimed');
  });

  it('says on the wake channel that an order was placed or released', async () => {
    const heard: string[] = [];
    const listener = subject.redis.duplicate();
    listener.on('message', (_, message: string) => heard.push(message));
    await listener.subscribe('relais:wake:{m1}');
    await subject.near.orders.place(placing());
    await subject.near.orders.claim(claiming('p1'));
    await subject.near.orders.release({ machineId: 'm1', purchaseId: 'p1', fromPaying: false });
    await eventually(() => heard.length === 2);
    listener.disconnect();
    expect(heard).to.deep.equal(['7', '7']);
  });

  it('keeps no phone number in any key', async () => {
    const { dialogs } = subject.near;
    await dialogs.save({ account: 'a1', payer: PAYER, turnRead: 0, turn: 1, body: 'b', ttlMs: 60_000 });
    await dialogs.saveQuote('a1', PAYER, 'q', 60_000);
    await dialogs.addPart({ account: 'a1', payer: PAYER, reference: '1', total: 2, part: 1, text: 't', ttlMs: 60_000 });
    await dialogs.isWithinRate('dials', PAYER, 5, 60_000);
    const keys = await subject.redis.keys('*');
    expect(keys.filter((key) => key.includes(PAYER))).to.deep.equal([]);
  });

  it('keeps every key below its own prefix', async () => {
    await subject.near.orders.place(placing());
    await subject.near.presence.join('m1', 's1');
    await subject.near.dialogs.isWithinRate('dials', 'a', 5, 60_000);
    const keys = await subject.redis.keys('*');
    expect(keys.filter((key) => !key.startsWith('relais:'))).to.deep.equal([]);
  });

  it('keeps an order in the packed form of a hash', async () => {
    await subject.near.orders.place(placing({ print: 'x'.repeat(500) }));
    await subject.near.orders.takeForPayment(taking('0193d3a0-0000-7000-8000-000000000000'));
    expect(await subject.redis.object('ENCODING', 'relais:order:{m1}')).to.equal('listpack');
  });

  it('forgets an order five minutes after its deadline', async () => {
    await subject.near.orders.place(placing());
    expect(await subject.redis.pttl('relais:order:{m1}')).to.be.within(355_000, 360_000);
  });

  it('ends the life of an order with its shortened deadline', async () => {
    await subject.near.orders.place(placing());
    await subject.near.orders.place(placing({ waitMs: 1_000 }));
    expect(await subject.redis.pttl('relais:order:{m1}')).to.be.within(295_000, 301_000);
  });

  it('keeps its lease by renewing it every five seconds', async () => {
    await subject.redis.pexpire('relais:node:near', 4_000);
    await subject.pass(5_000);
    await eventually(async () => (await subject.redis.pttl('relais:node:near')) > 10_000);
  });

  it('tries the silent connection of the subscriber every five seconds', async () => {
    const before = await callsOf('ping');
    await subject.pass(5_000);
    await eventually(async () => (await callsOf('ping')) === before + 2); // one a node
  });

  it('finds a wipe as soon as it is connected again', async () => {
    const told = new Promise<void>((resolve) => subject.near.presence.onWiped(resolve));
    await subject.wipe();
    subject.proxy.cutAll();
    await told;
  });

  it('takes no Redis for wiped that it had not seen before', async () => {
    const board = subject.further('new');
    let isTold = false;
    board.presence.onWiped(() => {
      isTold = true;
    });
    await board.start();
    await board.close();
    expect(isTold).to.equal(false);
  });

  it('gives its lease back when it ends', async () => {
    await subject.far.close();
    expect(await subject.redis.exists('relais:node:far')).to.equal(0);
  });

  it('leaves the lease of a successor of the same name when it ends', async () => {
    const successor = subject.further('far');
    await successor.start();
    await subject.far.close();
    expect(await subject.redis.get('relais:node:far')).to.equal(successor.presence.node.split(':')[1]);
    await successor.close();
  });

  it('keeps fractions of milliseconds away from Redis', async () => {
    const placed = await subject.near.orders.place(placing({ waitMs: 60_000.75, order: { ...drink, item: null } }));
    expect(placed).to.have.property('leftMs', 60_000);
  });
});
