import { createMemoryRedis } from '../support/memory-order-board.ts';
import type { BoardSubject } from './board-subject.ts';
import { describeDialogBoard } from './dialog-board.contract.ts';
import { describeOrders } from './order-board.contract.ts';
import { describeMeetings } from './order-meetings.contract.ts';
import { describePresence } from './presence.contract.ts';
import { createStillClock } from './still-clock.ts';

/** Lets what was begun go on as far as it can without time. */
async function settled(): Promise<void> {
  for (let round = 0; round < 50; round += 1) await Promise.resolve();
}

async function openMemory(): Promise<BoardSubject> {
  const clock = createStillClock();
  const redis = createMemoryRedis(clock);
  const near = redis.board('near');
  const far = redis.board('far');
  await Promise.all([near.start(), far.start()]);
  return {
    near,
    far,
    pass: async (ms) => {
      await settled();
      clock.advance(ms);
      await settled();
    },
    wipe: async () => redis.wipe(),
    cutReplyTo: () => redis.cutReplies(1),
    reconnected: async () => undefined,
    close: async () => {
      await near.close();
      await far.close();
    },
  };
}

describeOrders('memory board', openMemory);
describeMeetings('memory board', openMemory);
describeDialogBoard('memory board', openMemory);
describePresence('memory board', openMemory);
