import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect } from 'chai';
import { faultOf, roomOf } from './support/rooms.ts';
import { checkoutFolder } from './support/servers.ts';
import { filesBelow, importsOf, textOf } from './support/source-tree.ts';

const isSource = (path: string): boolean => /\.[cm]?[jt]sx?$/.test(path);
const sources = (): readonly string[] => ['src', 'simulators'].flatMap(filesBelow).filter(isSource);

function faultsIn(path: string, text: string): readonly string[] {
  return importsOf(path, text).flatMap((seen) => faultOf(path, seen) ?? []);
}

describe('the house', () => {
  it('knows the room of every file', () => {
    expect(sources().filter((path) => roomOf(path) === undefined)).to.deep.equal([]);
  });

  it('is looked at whole: the files read are the files on disk', () => {
    const read = new Set(sources().map((path) => ({ path, count: importsOf(path, textOf(path)).length }).path));
    const onDisk = ['src', 'simulators'].flatMap((folder) =>
      readdirSync(join(checkoutFolder(), folder), { withFileTypes: true, recursive: true })
        .filter((entry) => entry.isFile() && isSource(entry.name))
        .map((entry) => relative(checkoutFolder(), join(entry.parentPath, entry.name))),
    );
    expect(read.size).to.be.greaterThan(50);
    expect([...read].sort()).to.deep.equal(onDisk.sort());
  });

  it('lets no room know what it must not', () => {
    expect(sources().flatMap((path) => faultsIn(path, textOf(path)))).to.deep.equal([]);
  });

  it('imports only files that are there', () => {
    const there = new Set(sources());
    const lost = sources().flatMap((path) =>
      importsOf(path, textOf(path)).flatMap(({ target }) =>
        /^(?:src|simulators)\//.test(target) && !there.has(target) ? `${path}: ${target}` : [],
      ),
    );
    expect(lost).to.deep.equal([]);
  });
});

describe('the check of the rooms', () => {
  it('finds a forbidden import in each form it can be written in', () => {
    const planted = [
      "import { readFile } from 'node:fs';",
      'import type { Redis } from "ioredis";',
      "export { a } from '../store/a.ts';",
      "export * from '../worker/b.ts';",
      "export type { C } from '../console/c.ts';",
      "type D = import('../smpp/d.ts').D;",
      "const e = import('../ussd/e.ts');",
      'const f = import(`../sms/f.ts`);',
      "const g = require('../payment/g.ts');",
      "import h = require('../cli/h.ts');",
      'const i = import(somewhere);',
      "import { ok } from '../result.ts';",
    ].join('\n');
    expect(faultsIn('src/purchase/planted.ts', planted)).to.deep.equal([
      'src/purchase/planted.ts may not know node:fs',
      'src/purchase/planted.ts may not know ioredis',
      'src/purchase/planted.ts may not know src/store/a.ts',
      'src/purchase/planted.ts may not know src/worker/b.ts',
      'src/purchase/planted.ts may not know src/console/c.ts',
      'src/purchase/planted.ts may not know src/smpp/d.ts',
      'src/purchase/planted.ts may not know src/ussd/e.ts',
      'src/purchase/planted.ts may not know src/sms/f.ts',
      'src/purchase/planted.ts may not know src/payment/g.ts',
      'src/purchase/planted.ts may not know src/cli/h.ts',
      'src/purchase/planted.ts: a computed import',
    ]);
  });

  const pairs: readonly (readonly [from: string, text: string, isAllowed: boolean])[] = [
    ['src/ussd/menu.ts', "import a from 'ussd-menu-builder';", true],
    ['src/ussd/dialog.ts', "import a from 'ussd-menu-builder';", false],
    ['src/ussd/dialog.ts', "import { a } from '../sms/command.ts';", false],
    ['src/ussd/dialog.ts', "import { a } from '../smpp/gsm0338.ts';", true],
    ['src/ussd/dialog.ts', "import type { A } from '../config.ts';", true],
    ['src/ussd/dialog.ts', "import { a } from '../config.ts';", false],
    ['src/purchase/rules.ts', "import type { A } from '../config.ts';", false],
    ['src/automaton-link/agent/agent.ts', "import { a } from '../server/link-server.ts';", false],
    ['src/automaton-link/agent/agent.ts', "import { a } from '../messages.ts';", true],
    ['src/automaton-link/messages.ts', "import { a } from './server/link-server.ts';", false],
    ['src/payment/gsma.ts', "import { a } from './centre/ledger.ts';", false],
    ['src/payment/centre/ledger.ts', "import { a } from '../gsma-messages.ts';", true],
    ['src/payment/centre/ledger.ts', "import { a } from '../gsma.ts';", false],
    ['src/payment/centre/ledger.ts', "import { a } from '../../purchase/purchase.ts';", false],
    ['src/main.ts', "import { a } from '../simulators/smsc.ts';", false],
    ['src/main.ts', "const a = await import('../simulators/smsc.ts');", true],
    ['src/cli/serve.ts', "const a = await import('../../simulators/smsc.ts');", false],
    ['src/composition/demo.ts', "import { a } from '../../simulators/smsc.ts';", true],
    ['src/composition/start.ts', "import { a } from '../../simulators/smsc.ts';", false],
    ['src/composition/start.ts', "import { a } from './demo.ts';", false],
    ['src/main.ts', "const a = await import('./composition/demo.ts');", true],
    ['src/worker/effect-worker.ts', "import { a } from '../composition/start.ts';", false],
    ['src/config.ts', "import { a } from './sms/sms-settings.ts';", true],
    ['src/config.ts', "import { a } from './sms/notifier.ts';", false],
    ['src/store/record.ts', "import { a } from '../../test/support/servers.ts';", false],
    ['simulators/load.ts', "import { a } from '../src/purchase/purchase.ts';", false],
    ['simulators/machine.ts', "import { a } from '../src/automaton-link/agent/agent.ts';", true],
  ];
  for (const [from, text, isAllowed] of pairs) {
    it(`${isAllowed ? 'allows' : 'refuses'} in ${from}: ${text}`, () => {
      expect(faultsIn(from, text).length).to.equal(isAllowed ? 0 : 1);
    });
  }
});
