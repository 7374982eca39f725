import { expect } from 'chai';
import { untilAsked } from '../../src/cli/exit.ts';

describe('a process that serves', () => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`listens for ${signal} from the moment it is called, and stops once`, async () => {
      const before = new Map((['SIGINT', 'SIGTERM'] as const).map((each) => [each, process.listeners(each)]));
      let stops = 0;
      const ended = untilAsked(() => {
        stops += 1;
        return Promise.resolve();
      });
      const [added] = process.listeners(signal).filter((each) => before.get(signal)?.includes(each) === false);
      added?.(signal);
      await ended;
      for (const [each, old] of before) {
        for (const listener of process.listeners(each))
          if (!old.includes(listener)) process.removeListener(each, listener);
      }
      expect(stops).to.equal(1);
    });
  }
});
