import { readdirSync } from 'node:fs';
import { expect } from 'chai';
import { scriptNames, scriptText } from '../../src/order-board/redis-client.ts';

const HEADINGS = ['KEYS[1]', 'ARGV', 'Replies', 'Atomic', 'Repeated'];
const FORBIDDEN = /redis\.call\('(?:KEYS|SCAN|HSCAN|SSCAN|ZSCAN|SMEMBERS|FLUSHALL|FLUSHDB|CONFIG)'/i;

/** The comment at the top of a script. */
function headerOf(text: string): string {
  const lines = text.split('\n');
  return lines
    .slice(
      0,
      lines.findIndex((line) => !line.startsWith('--')),
    )
    .join('\n');
}

describe('the scripts of the order board', () => {
  it('are those of the folder, no more and no fewer', () => {
    const files = readdirSync(new URL('../../src/order-board/lua/', import.meta.url));
    expect(files.toSorted()).to.deep.equal(scriptNames.map((name) => `${name}.lua`).toSorted());
  });

  for (const name of scriptNames) {
    const text = scriptText(name);

    it(`${name} has at most 60 lines`, () => {
      expect(text.trimEnd().split('\n').length).to.be.at.most(60);
    });
    it(`${name} says in its header what it is for, takes and answers, and why repeating it is harmless`, () => {
      const header = headerOf(text);
      expect(HEADINGS.filter((heading) => !header.includes(`\n-- ${heading} `))).to.deep.equal([]);
    });
    it(`${name} touches its one key and no other`, () => {
      const keys = [...text.matchAll(/redis\.call\('([A-Z]+)', ([^,)]+)/g)].map(([, , key]) => key);
      expect([new Set(keys).size, keys[0]]).to.deep.equal([1, 'KEYS[1]']);
    });
    it(`${name} declares one key`, () => {
      expect(text).not.to.match(/KEYS\[[^1]/);
    });
    it(`${name} runs no command that looks at everything`, () => {
      expect(text).not.to.match(FORBIDDEN);
    });
    it(`${name} answers refusals instead of raising errors`, () => {
      expect(text).not.to.match(/error_reply|\berror\(|pcall/);
    });
    it(`${name} takes the time from Redis alone`, () => {
      expect(text).not.to.match(/os\.(?:time|clock)/);
    });
  }
});
