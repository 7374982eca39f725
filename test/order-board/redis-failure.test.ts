import { expect } from 'chai';
import { Redis } from 'ioredis';
import type { RedisServer } from '../../src/engines/redis-server.ts';
import type { Board } from '../../src/order-board/board.ts';
import { Fault } from '../../src/result.ts';
import { startOwnRedis } from '../support/servers.ts';
import { claiming, faultOf, placing } from './board-subject.ts';
import { answers, boardAt, createKeptLog, eventually } from './redis-subject.ts';
import { createStillClock } from './still-clock.ts';

describe('a failing Redis', () => {
  let server: RedisServer;
  let board: Board;
  let log: ReturnType<typeof createKeptLog>;
  before(async () => {
    server = await startOwnRedis();
  });
  after(() => server.stop());
  beforeEach(async () => {
    log = createKeptLog();
    board = boardAt(server.socketPath, 'near', { log });
    await board.start();
  });
  afterEach(() => board.close());

  /** Stops the server in its tracks while the act goes on. */
  const whileStopped = async (act: () => Promise<void>): Promise<void> => {
    process.kill(server.pid, 'SIGSTOP');
    try {
      await act();
    } finally {
      process.kill(server.pid, 'SIGCONT');
    }
  };
  /** Sets a memory limit that is passed already, or none. */
  const limitMemory = async (bytes: string): Promise<void> => {
    const redis = new Redis(server.socketPath);
    await redis.config('SET', 'maxmemory', bytes);
    redis.disconnect();
  };

  it('that hangs leaves what was asked unknown within a second', async () => {
    await whileStopped(async () => {
      const startMs = performance.now();
      const fault = await faultOf(board.orders.place(placing()));
      expect(fault).to.include({ code: 'board_unreachable', happened: 'unknown' });
      expect(performance.now() - startMs).to.be.below(1_300);
    });
  });

  it('that hangs is dropped, and asked nothing then', async () => {
    await whileStopped(async () => {
      await eventually(async () => (await faultOf(board.orders.place(placing()))).happened === 'no');
    });
  });

  it('that hung is used again by itself', async () => {
    await whileStopped(async () => {
      await eventually(async () => (await faultOf(board.orders.claim(claiming('p1')))).happened === 'no');
    });
    await answers(board);
    expect(await board.orders.claim(claiming('p1'))).to.deep.equal({ kind: 'none' });
  });

  it('that hangs lets each node count rates for itself', async () => {
    await whileStopped(async () => {
      await eventually(async () => (await faultOf(board.ping())).happened === 'no');
      const passed = await Promise.all(
        Array.from({ length: 50 }, () => board.dialogs.isWithinRate('dials', 'a', 5, 60_000)),
      );
      expect(passed.filter((isWithin) => isWithin)).to.have.length(5);
    });
    await answers(board);
  });

  it('that was killed and came back empty is told to the node', async () => {
    const told = new Promise<void>((resolve) => board.presence.onWiped(resolve));
    await board.presence.join('m1', 's1');
    await server.kill9();
    await server.restart();
    await told;
    expect(await board.presence.whereIs('m1')).to.equal(board.presence.node);
  });

  it('that hung while a machine joined is told its route by itself', async () => {
    await whileStopped(async () => {
      await eventually(async () => (await faultOf(board.ping())).happened === 'no');
      await faultOf(board.presence.join('m9', 's1'));
    });
    await eventually(async () => (await board.presence.whereIs('m9').catch(() => null)) === board.presence.node);
  });

  it('without memory refuses to place, and nothing is placed', async () => {
    await limitMemory('1');
    const fault = await faultOf(board.orders.place(placing({ machineId: 'm-full' })));
    await limitMemory('0');
    expect([fault.happened, await board.orders.look('m-full')]).to.deep.equal(['no', null]);
  });

  it('is said once in the log, and once when it is back', async () => {
    const saidOf = (event: string): number =>
      log.lines.filter((line) => line.event === event && JSON.stringify(line.fields).includes('commands')).length;
    await server.kill9();
    await eventually(() => saidOf('order_board_away') > 0);
    await faultOf(board.ping());
    await server.restart();
    await answers(board);
    expect([saidOf('order_board_away'), saidOf('order_board_connected')]).to.deep.equal([1, 2]);
  });

  it('lends no command or argument to the fault', async () => {
    await limitMemory('1');
    const fault = await faultOf(board.orders.place(placing({ machineId: 'm-full' })));
    await limitMemory('0');
    expect(Object.keys(fault.cause instanceof Error ? fault.cause : {})).to.deep.equal([]);
  });
});

describe('a Redis that is not there', () => {
  it('lets the start reject after three seconds and goes on trying', async () => {
    const server = await startOwnRedis();
    await server.kill9();
    const clock = createStillClock();
    const board = boardAt(server.socketPath, 'near', { clock });
    const started = faultOf(board.start());
    clock.advance(3_000);
    expect(await started).to.include({ code: 'board_unreachable' });
    await server.restart();
    await answers(board);
    await board.close();
    await server.stop();
  });

  for (const address of ['localhost:6379', 'http://localhost', '']) {
    it(`is not looked for at "${address}"`, () => {
      expect(() => boardAt(address, 'near')).to.throw('the address of Redis');
    });
  }

  for (const node of ['', 'a:b', 'x'.repeat(49)]) {
    it(`is not told of a node named "${node}"`, () => {
      expect(() => boardAt('/tmp/none.sock', node)).to.throw('a node name');
    });
  }

  it('answers every call at once, as not done', async () => {
    const board = boardAt('/tmp/none.sock', 'near');
    expect(await faultOf(board.orders.claim(claiming('p1'))))
      .to.be.instanceOf(Fault)
      .and.include({ happened: 'no' });
  });
});
