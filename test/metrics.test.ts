import { expect } from 'chai';
import { createMetrics } from '../src/metrics.ts';

describe('the figures', () => {
  it('count under a name and its labels, in any order of the labels', () => {
    const figures = createMetrics();
    figures.count('pdus_total', { bind: 'one', command: 'submit_sm' });
    figures.count('pdus_total', { command: 'submit_sm', bind: 'one' });
    figures.count('pdus_total', { bind: 'two', command: 'submit_sm' });
    figures.count('bugs_total', {});
    expect(figures.read()).to.deep.equal({
      'pdus_total{bind="one",command="submit_sm"}': 2,
      'pdus_total{bind="two",command="submit_sm"}': 1,
      bugs_total: 1,
    });
  });

  it('keep sum and count of what is observed', () => {
    const figures = createMetrics();
    figures.observe('reply_seconds', 0.5, {});
    figures.observe('reply_seconds', 1.5, {});
    expect(figures.read()).to.deep.equal({ reply_seconds: { sum: 2, count: 2 } });
  });

  it('begin at nothing', () => {
    expect(createMetrics().read()).to.deep.equal({});
  });

  it('keep 5000 series and count what they cannot keep, while the known ones go on', () => {
    const figures = createMetrics();
    for (let n = 0; n < 4_999; n += 1) figures.count('calls_total', { caller: String(n) });
    figures.observe('seconds', 1, {});
    figures.count('calls_total', { caller: 'one too many' });
    figures.observe('seconds', 1, { caller: 'one too many' });
    figures.count('calls_total', { caller: '0' });
    figures.observe('seconds', 1, {});
    const read = figures.read();
    expect(Object.keys(read).length).to.equal(5_001);
    expect([read['series_refused_total'], read['calls_total{caller="0"}'], read['seconds']]).to.deep.equal([
      2,
      2,
      { sum: 2, count: 2 },
    ]);
  });
});
