import { expect } from 'chai';
import { gatewayProfiles, readDialect } from '../../src/smpp/gateway-profile.ts';

describe('a dialect', () => {
  it('is the generic one unless something is said', () => {
    const read = readDialect({ extends: 'generic' });
    expect(read).to.deep.equal({ ok: true, value: gatewayProfiles.generic });
  });

  it('changes what it names and keeps the rest', () => {
    const read = readDialect({ opOut: { end: 23 }, serviceTypesIn: ['*'], msisdn: { country: '221' } });
    if (!read.ok) throw new Error(read.refusal.problems.join());
    expect(read.value.opOut).to.deep.equal({ continue: 2, end: 23, notify: 3 });
    expect(read.value.msisdn).to.deep.equal({ country: '221', national: true });
  });

  it('is refused with all its problems at once', () => {
    const read = readDialect({ opOut: { end: 'x' }, replyDeadlineMs: -1, unheard: true });
    if (read.ok) throw new Error('accepted');
    expect(read.refusal.problems.join('\n')).to.match(/opOut\.end[^]*replyDeadlineMs[^]*unheard/);
  });
});
