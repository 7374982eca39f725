/**
 * Runs test files until one test fails: what a mutant's process runs. Mocha's own command would load them by `require`,
 * which asks no loader.
 *
 *   node --import ./dist/test/mutants/plant.js dist/test/mutants/run-tests.js FILE...
 *
 * FILE: path of a source from the checkout. Writes a line of JSON: a `TestsRun`.
 */
import { argv, exit, stdout } from 'node:process';
import Mocha from 'mocha';
import { addressOf } from './table.ts';

/** What became of the tests. `failed`: title of the first that failed, null when none did. */
export type TestsRun = { readonly passed: number; readonly failed: string | null; readonly said: string };

const mocha = new Mocha({ timeout: 20_000, bail: true, reporter: Mocha.reporters.Base });
mocha.suite.emit('pre-require', globalThis, '', mocha);
for (const file of argv.slice(2)) await import(addressOf(file));

let passed = 0;
let failure: { readonly title: string; readonly said: string } | null = null;
mocha
  .run(() => {
    const run: TestsRun = { passed, failed: failure?.title ?? null, said: failure?.said ?? '' };
    stdout.write(`${JSON.stringify(run)}\n`, () => exit());
  })
  .on('pass', () => {
    passed += 1;
  })
  .on('fail', (test: Mocha.Runnable, error: unknown) => {
    const said = error instanceof Error ? error.message : String(error);
    failure ??= { title: test.fullTitle(), said: said.split('\n')[0] ?? '' };
  });
