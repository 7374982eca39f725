import { existsSync } from 'node:fs';
import { expect } from 'chai';
import { filesBelow } from './support/source-tree.ts';

/** What a source becomes in dist/: the compiled file and its map, nothing (declarations), or itself. */
function outputsOf(source: string): readonly string[] {
  if (source.endsWith('.d.ts')) return [];
  return source.endsWith('.ts') ? [source.replace(/\.ts$/, '.js'), source.replace(/\.ts$/, '.js.map')] : [source];
}

describe('the build', () => {
  it('holds for every source what belongs to it, and nothing else', () => {
    const sources = ['src', 'test', 'simulators', 'bench', 'config'].flatMap(filesBelow);
    const expected = sources.filter((path) => !path.startsWith('test/canary/')).flatMap(outputsOf);
    const built = filesBelow('dist').map((path) => path.slice('dist/'.length));
    expect(built.filter((path) => path !== '.stamp').sort()).to.deep.equal([...expected].sort());
  });

  it('is what these tests run on', () => {
    expect(import.meta.url.includes('/dist/') && existsSync(new URL('../.stamp', import.meta.url))).to.equal(true);
  });
});
