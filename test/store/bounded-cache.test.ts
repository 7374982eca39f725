/**
 * Copies in memory, and when they are no longer believed.
 */
import { expect } from 'chai';
import { type BoundedCache, createBoundedCache } from '../../src/store/bounded-cache.ts';
import { handClock } from './harness.ts';

describe('a bounded cache', () => {
  let clock: ReturnType<typeof handClock>;
  let cache: BoundedCache<string | null>;
  let readings: string[];
  const read = (key: string, value: string | null = 'value'): Promise<string | null> =>
    cache.get(key, async () => {
      readings.push(key);
      return value;
    });

  beforeEach(() => {
    clock = handClock();
    readings = [];
    cache = createBoundedCache({ clock, entries: 2, lifetimeOf: (value) => (value === null ? 10 : 60) });
  });

  it('reads once for all who ask at the same time, and again when the copy is too old', async () => {
    await Promise.all([read('a'), read('a')]);
    clock.pass(59);
    await read('a');
    expect(readings).to.deep.equal(['a']);
    clock.pass(1);
    await read('a');
    expect(readings).to.deep.equal(['a', 'a']);
  });

  it('believes that something is missing for a shorter time', async () => {
    await read('a', null);
    clock.pass(10);
    expect(await read('a')).to.equal('value');
  });

  it('forgets the oldest beyond its size', async () => {
    for (const key of ['a', 'b', 'c', 'b', 'a']) await read(key);
    expect(readings).to.deep.equal(['a', 'b', 'c', 'a']);
  });

  it('forgets on demand, one or all', async () => {
    await read('a');
    await read('b');
    cache.forget('a');
    await read('a');
    cache.clear();
    await read('b');
    expect(readings).to.deep.equal(['a', 'b', 'a', 'b']);
  });

  it('keeps no reading that failed', async () => {
    const failed = cache.get('a', () => Promise.reject(new Error('away')));
    expect(await failed.catch(() => 'failed')).to.equal('failed');
    expect(await read('a')).to.equal('value');
  });
});
