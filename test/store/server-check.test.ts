/**
 * Which servers are trusted with money.
 */
import { expect } from 'chai';
import { troublesOf } from '../../src/store/server-check.ts';

const safe = { fsync: 'on', full_page_writes: 'on', synchronous_commit: 'on', server_version_num: '150020' };
const settings = (changes: Readonly<Record<string, string>>): ReadonlyMap<string, string> =>
  new Map(Object.entries({ ...safe, ...changes }));

describe('a PostgreSQL server', () => {
  it('is trusted when each commit reaches its disk', () => {
    expect(troublesOf(settings({}))).to.deep.equal([]);
    expect(troublesOf(settings({ synchronous_commit: 'remote_apply' }))).to.deep.equal([]);
  });

  for (const name of ['fsync', 'full_page_writes', 'synchronous_commit']) {
    it(`is not trusted with ${name} off`, () => {
      expect(troublesOf(settings({ [name]: 'off' }))).to.deep.equal([`${name} is off: a commit could be lost`]);
    });
  }

  it('is not trusted when it is older than 15', () => {
    expect(troublesOf(settings({ server_version_num: '140011' }))).to.deep.equal(['PostgreSQL is older than 15']);
  });
});
