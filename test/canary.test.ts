import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { checkoutFolder } from './support/servers.ts';

const SETTINGS: readonly string[] = ['.oxlintrc.json', 'biome.json', 'knip.json', 'tsconfig.json', '.gitignore'];
const CHECK_DEADLINE_MS = 60_000;

const LINT: readonly string[] = [
  'eslint(eqeqeq) src/plain.ts',
  'eslint(no-console) src/plain.ts',
  'eslint(no-empty) src/plain.ts',
  'eslint(no-restricted-globals) src/purchase/clock.ts',
  'eslint(no-restricted-globals) src/purchase/clock.ts',
  'eslint(no-restricted-globals) src/purchase/clock.ts',
  'eslint(no-restricted-imports) src/purchase/clock.ts',
  'eslint(no-restricted-imports) src/purchase/clock.ts',
  'eslint(no-restricted-properties) src/purchase/clock.ts',
  'eslint(no-var) src/plain.ts',
  'eslint(prefer-const) src/plain.ts',
  'import(no-cycle) src/round.ts',
  'import(no-cycle) src/trip.ts',
  'import(no-default-export) src/plain.ts',
  'node(no-process-env) src/plain.ts',
  'typescript(await-thenable) src/floating.ts',
  'typescript(consistent-type-imports) src/plain.ts',
  'typescript(no-explicit-any) src/any.ts',
  'typescript(no-floating-promises) src/floating.ts',
  'typescript(no-floating-promises) test/property.test.ts',
  'typescript(no-misused-promises) src/floating.ts',
  'typescript(no-non-null-assertion) src/any.ts',
  'typescript(no-unsafe-argument) src/any.ts',
  'typescript(no-unsafe-assignment) src/any.ts',
  'typescript(no-unsafe-call) src/any.ts',
  'typescript(no-unsafe-member-access) src/any.ts',
  'typescript(no-unsafe-return) src/any.ts',
  'typescript(only-throw-error) src/floating.ts',
  'typescript(prefer-promise-reject-errors) src/floating.ts',
  'typescript(switch-exhaustiveness-check) src/switch.ts',
  'unicorn(no-unnecessary-await) src/floating.ts',
];

const TYPES: readonly string[] = [
  'src/planted.ts 1 TS2322', // a text is no number
  'src/planted.ts 10 TS4111', // noPropertyAccessFromIndexSignature
  'src/planted.ts 13 TS1294', // erasableSyntaxOnly
  'src/planted.ts 4 TS2322', // noUncheckedIndexedAccess
  'src/planted.ts 7 TS2375', // exactOptionalPropertyTypes
];

const UNUSED = `Unused files (2)
simulators/smsc.ts
src/orphan.ts
Unused exports (1)
unused function src/part.ts:5:17
exit code 1
`;

let folder: string;

/** A checkout of its own, with our settings and check script, and the planted tree in place of our sources. */
async function plant(checker: string): Promise<void> {
  const from = (path: string): string => join(checkoutFolder(), path);
  for (const name of [...SETTINGS, 'scripts']) await cp(from(name), join(folder, name), { recursive: true });
  for (const name of ['src', 'test', 'simulators']) await mkdir(join(folder, name));
  await cp(from(`test/canary/${checker}`), folder, { recursive: true });
  await symlink(from('node_modules'), join(folder, 'node_modules'));
  // The packages of our own list would all be unused here: only those that the settings name are left.
  const settings = await readFile(from('knip.json'), 'utf8');
  const named = [...settings.matchAll(/"ignoreDependencies": \[([^\]]*)\]/g)].map((match) => match[1] ?? '').join();
  const packages = [...named.matchAll(/"([^"]+)"/g), ['', 'mocha']].map((match) => `"${match[1]}": "*"`);
  await writeFile(
    join(folder, 'package.json'),
    `{ "name": "canary", "type": "module", "bin": "dist/src/main.js", "devDependencies": { ${packages.join(', ')} } }`,
  );
}

function runCheck(checker: string): Promise<string> {
  const script = `import(${JSON.stringify(join(folder, 'scripts', 'check-run.mjs'))})
    .then(({ runChecks }) => runChecks([${JSON.stringify(checker)}]))
    .then((code) => console.log('exit code', code))`;
  return new Promise((resolve, reject) => {
    // In CI the checkers draw their findings with other characters.
    const { CI: _, FORCE_COLOR: __, ...plain } = process.env;
    const env = { ...plain, NODE_V8_COVERAGE: '', NO_COLOR: '1' };
    const options = { cwd: folder, env, timeout: CHECK_DEADLINE_MS };
    execFile(process.execPath, ['--input-type=module', '-e', script], options, (error, stdout) => {
      if (error === null) resolve(stdout);
      else reject(new Error('the check script failed', { cause: error }));
    });
  });
}

function findings(output: string, pattern: RegExp): readonly string[] {
  return [...output.matchAll(pattern)].map((match) => match.slice(1).join(' ')).sort();
}

describe('a canary', () => {
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'relais-canary-'));
  });

  afterEach(() => rm(folder, { recursive: true }));

  it('is found by the linter, once for each planted fault', async () => {
    await plant('lint');
    const output = await runCheck('lint');
    expect(findings(output, / x ([a-z-]+\([a-z-]+\))[^\n]*\n(?:[^\n]*\n)*? +[╭,]-\[([^:]+):/g)).to.deep.equal(LINT);
    expect(output).to.contain('exit code 1');
  });

  it('is found by the compiler, once for each planted fault', async () => {
    await plant('types');
    const output = await runCheck('types');
    expect(findings(output, /(src\/[a-z]+\.ts)\((\d+),\d+\): error (TS\d+)/g)).to.deep.equal(TYPES);
    expect(output).to.contain('exit code 1');
  });

  it('is found by the formatter: a format, an order of imports', async () => {
    await plant('format');
    const output = await runCheck('format');
    expect(findings(output, /^(src\/[a-z]+\.ts)[:\d]* (?:assist\/source\/)?([a-zA-Z]+)/gm)).to.deep.equal([
      'src/order.ts organizeImports',
      'src/planted.ts format',
    ]);
    expect(output).to.contain('exit code 1');
  });

  it('is found by the search for unused code: a file, an export', async () => {
    await plant('unused');
    const output = await runCheck('unused');
    expect(output.replace(/ +$/gm, '').replace(/ +/g, ' ')).to.equal(UNUSED);
  });
});
