import { expect } from 'chai';
import type { RedisSubscriber } from '../../src/order-board/redis-client.ts';
import { createSubscriptions, type Subscriptions } from '../../src/order-board/subscriptions.ts';
import { Fault } from '../../src/result.ts';
import { createKeptLog } from './redis-subject.ts';

async function settled(): Promise<void> {
  for (let round = 0; round < 20; round += 1) await Promise.resolve();
}

/** A subscriber's connection whose other end is the test. */
function createConnection() {
  const sent: string[] = [];
  let isReady = true;
  let confirm: () => Promise<void> = () => Promise.resolve();
  let ready: () => void = () => undefined;
  let gone: () => void = () => undefined;
  let message: (channel: string, text: string) => void = () => undefined;
  const subscriber: RedisSubscriber = {
    subscribe: (channels) => {
      sent.push(`+${channels.join(' ')}`);
      return confirm();
    },
    unsubscribe: async (channel) => {
      sent.push(`-${channel}`);
    },
    onMessage: (listener) => {
      message = listener;
    },
    onReady: (listener) => {
      ready = listener;
    },
    onGone: (listener) => {
      gone = listener;
    },
    isReady: () => isReady,
    ping: async () => undefined,
    connect: () => undefined,
    reconnect: () => {
      sent.push('reconnect');
    },
    disconnect: () => undefined,
  };
  return {
    subscriber,
    sent,
    say: (channel: string, text: string) => message(channel, text),
    lose: () => {
      isReady = false;
      gone();
    },
    restore: () => {
      isReady = true;
      ready();
    },
    confirmBy: (way: () => Promise<void>) => {
      confirm = way;
    },
  };
}

describe('the subscriptions', () => {
  let connection: ReturnType<typeof createConnection>;
  let subscriptions: Subscriptions;
  let log: ReturnType<typeof createKeptLog>;
  let heard: (string | null)[];
  const hear = (message: string | null): void => {
    heard.push(message);
  };

  beforeEach(() => {
    connection = createConnection();
    log = createKeptLog();
    subscriptions = createSubscriptions(connection.subscriber, log);
    heard = [];
  });

  it('tell that a subscription is confirmed, then its messages', async () => {
    subscriptions.listen('c1', hear);
    await settled();
    connection.say('c1', '7');
    connection.say('c2', '8');
    expect(heard).to.deep.equal([null, '7']);
  });
  it('share a channel that is listened to already', async () => {
    subscriptions.listen('c1', () => undefined);
    await settled();
    subscriptions.listen('c1', hear);
    await settled();
    expect([connection.sent, heard]).to.deep.equal([['+c1'], [null]]);
  });
  it('tell nothing before the confirmation', async () => {
    connection.confirmBy(() => new Promise(() => undefined));
    subscriptions.listen('c1', hear);
    subscriptions.listen('c1', hear);
    await settled();
    expect(heard).to.deep.equal([]);
  });
  it('end with the last listener, whatever is repeated', async () => {
    const cancelOne = subscriptions.listen('c1', hear);
    const cancelOther = subscriptions.listen('c1', () => undefined);
    cancelOne();
    cancelOne();
    expect([connection.sent, subscriptions.size]).to.deep.equal([['+c1'], 1]);
    cancelOther();
    expect([connection.sent, subscriptions.size]).to.deep.equal([['+c1', '-c1'], 0]);
  });
  it('tell nothing to one who has stopped listening', async () => {
    subscriptions.listen('c1', () => undefined);
    await settled();
    subscriptions.listen('c1', hear)();
    await settled();
    expect(heard).to.deep.equal([]);
  });
  it('are made again, and told again, on a new connection', async () => {
    subscriptions.listen('c1', hear);
    subscriptions.listen('c2', () => undefined);
    await settled();
    connection.lose();
    connection.restore();
    await settled();
    expect([connection.sent.at(-1), heard]).to.deep.equal(['+c1 c2', [null, null]]);
  });
  it('wait for the connection where there is none', async () => {
    connection.lose();
    subscriptions.listen('c1', hear);
    await settled();
    expect(connection.sent).to.deep.equal([]);
    connection.restore();
    await settled();
    expect(heard).to.deep.equal([null]);
  });
  it('do not count as confirmed while the connection is lost', async () => {
    subscriptions.listen('c1', () => undefined);
    await settled();
    connection.lose();
    subscriptions.listen('c1', hear);
    await settled();
    expect(heard).to.deep.equal([]);
  });
  it('begin anew on a new connection when one is not confirmed in time', async () => {
    connection.confirmBy(() => Promise.reject(new Fault('board_unreachable', 'unknown')));
    subscriptions.listen('c1', hear);
    await settled();
    expect(connection.sent).to.deep.equal(['+c1', 'reconnect']);
  });
  it('go on when a listener throws', async () => {
    subscriptions.listen('c1', () => {
      throw new Error('of the listener');
    });
    subscriptions.listen('c1', hear);
    await settled();
    expect([heard, log.lines.map((line) => line.event)]).to.deep.equal([[null], ['board_listener_threw']]);
  });
});
