import { expect } from 'chai';
import { pause, systemClock } from '../src/time.ts';
import { createFakeClock } from './support/fake-clock.ts';

describe('a pause', () => {
  it('ends after its time, not before', async () => {
    const clock = createFakeClock();
    let isOver = false;
    void pause(clock, 1000).then(() => {
      isOver = true;
    });
    await clock.advance(999);
    const before = isOver;
    await clock.advance(1);
    expect([before, isOver]).to.deep.equal([false, true]);
  });

  it('ends with its signal, and leaves no timer', async () => {
    const clock = createFakeClock();
    const stop = new AbortController();
    const paused = pause(clock, 1000, stop.signal);
    stop.abort();
    await paused;
    expect(clock.untilNextMs()).to.equal(null);
  });

  it('does not begin when the signal is aborted already', async () => {
    const clock = createFakeClock();
    await pause(clock, 1000, AbortSignal.abort());
    expect(clock.untilNextMs()).to.equal(null);
  });

  it('lets go of its signal when its time is over', async () => {
    const clock = createFakeClock();
    const stop = new AbortController();
    const paused = pause(clock, 5, stop.signal);
    await clock.advance(5);
    await paused;
    stop.abort();
    expect(clock.untilNextMs()).to.equal(null);
  });
});

describe('the clock of this process', () => {
  it('runs a timer once its time has come', async () => {
    const beforeMs = systemClock.now();
    await pause(systemClock, 5);
    expect(systemClock.now() - beforeMs).to.be.within(4, 19_999);
  });

  it('forgets a timer that was cancelled', async () => {
    let hasRun = false;
    systemClock.after(1, () => {
      hasRun = true;
    })();
    await pause(systemClock, 5);
    expect(hasRun).to.equal(false);
  });

  it('tells the wall clock', () => {
    expect(Math.abs(systemClock.wall() - Date.now())).to.be.below(1000);
  });
});

describe('a clock moved by hand', () => {
  it('fires timers in the order of their times, and new ones too', async () => {
    const clock = createFakeClock();
    const fired: string[] = [];
    clock.after(20, () => fired.push(`late at ${clock.now()}`));
    clock.after(10, () => {
      fired.push(`early at ${clock.now()}`);
      clock.after(5, () => fired.push(`nested at ${clock.now()}`));
    });
    await clock.advance(20);
    expect(fired).to.deep.equal(['early at 10', 'nested at 15', 'late at 20']);
  });
});
