/**
 * `npm test`: mocha on dist/, with coverage of src/ when the whole suite runs. Plain Node; needs packages and build.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { filesBelow } from './build.mjs';
import { checkout, runInPlace, runQuietly, say } from './children.mjs';

/** Every branch of a purchase is shown by a test. */
const PURCHASE = 'src/purchase/';

/** Arguments for mocha: `test/x.test.ts` is the compiled file, and takes the place of all others. */
function mochaArguments(given) {
  const isTestFile = (argument) => /^[^-].*\.test\.ts$/.test(argument);
  const files = given.filter(isTestFile).map((file) => join('dist', file.replace(/\.ts$/, '.js')));
  const others = given.filter((argument) => !isTestFile(argument));
  return [
    ...['--reporter', './scripts/reporter.mjs'],
    ...['--require', './dist/test/support/servers.js'],
    ...others,
    ...(files.length > 0 ? files : ['dist/test/**/*.test.js']),
  ];
}

/** Source files that compile to nothing: types alone, which no program ever loads. */
function typesOnly(files) {
  const compiled = (file) => readFileSync(join(checkout, 'dist', file.replace(/\.ts$/, '.js')), 'utf8');
  return files.filter((file) => /^(?:\/\*[\s\S]*?\*\/\s*)?export \{\};\s*(?:\/\/#.*)?$/.test(compiled(file).trim()));
}

async function reportCoverage(folder) {
  const c8 = join(checkout, 'node_modules', 'c8', 'bin', 'c8.js');
  const places = ['--temp-directory', join(folder, 'raw'), '--reports-dir', join(folder, 'report')];
  const files = filesBelow('src').filter((file) => /(?<!\.d)\.ts$/.test(file));
  const empty = typesOnly(files);
  // Patterns are matched against both trees: dist/ for the files nobody loaded, src/ after the source maps.
  const left = empty.flatMap((file) => ['--exclude', file, '--exclude', `dist/${file.replace(/\.ts$/, '.js')}`]);
  const { code, output } = await runQuietly(execPath, [c8, 'report', ...places, ...left]);
  if (code !== 0) {
    say(`c8 failed (exit ${code}):\n${output}`);
    return false;
  }
  process.stdout.write(output);
  const summary = JSON.parse(readFileSync(join(folder, 'report', 'coverage-summary.json'), 'utf8'));
  return isCovered(
    summary,
    files.filter((file) => !empty.includes(file)),
  );
}

/** The limits, read from the report itself: c8 compares a pattern that matches no file with success. */
function isCovered(summary, files) {
  const reported = Object.entries(summary)
    .filter(([name]) => name !== 'total')
    .map(([name, figures]) => [name.startsWith(checkout) ? name.slice(checkout.length) : name, figures]);
  const names = new Set(reported.map(([name]) => name));
  const unseen = files.filter((file) => !names.has(file));
  for (const file of unseen) say(`coverage: ${file} is in the tree, but not in the report`);
  const open = reported.filter(([name, figures]) => name.startsWith(PURCHASE) && figures.branches.pct !== 100);
  for (const [name, figures] of open) say(`coverage: ${name}: ${figures.branches.pct} % of branches, 100 % demanded`);
  return unseen.length === 0 && open.length === 0;
}

function printCounts(file) {
  if (!existsSync(file)) return;
  const { passes, failures, pending } = JSON.parse(readFileSync(file, 'utf8'));
  process.stdout.write(`${passes} passed, ${failures} failed${pending > 0 ? `, ${pending} skipped` : ''}\n`);
}

/** Removes what killed runs have left. */
function sweep() {
  for (const name of readdirSync(join(checkout, '.relais'))) {
    const pid = /^test-(\d+)$/.exec(name)?.[1];
    if (pid !== undefined && !isThere(Number(pid)))
      rmSync(join(checkout, '.relais', name), { recursive: true, force: true });
  }
}

function isThere(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/**
 * Runs the tests; `given` goes to mocha. With arguments only a part runs, so that coverage is neither taken nor
 * demanded. The last line is `N passed, N failed`. @returns the exit code.
 */
export async function runTests(given) {
  sweep();
  const folder = join(checkout, '.relais', `test-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  const counts = join(folder, 'counts.json');
  const isWhole = given.length === 0;
  const coverage = isWhole ? { NODE_V8_COVERAGE: join(folder, 'raw') } : {};
  const mocha = join(checkout, 'node_modules', 'mocha', 'bin', 'mocha.js');
  try {
    const env = { ...process.env, ...coverage, MOCHA_COUNTS_FILE: counts };
    const code = await runInPlace(execPath, [mocha, ...mochaArguments(given)], { env });
    const isFine = !isWhole || (await reportCoverage(folder));
    if (isWhole) keepReport(join(folder, 'report'));
    printCounts(counts);
    return code === 0 && !isFine ? 1 : code;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The last whole run's report stays in coverage/; two runs at once each make their own, and one of them stays. */
function keepReport(report) {
  rmSync(join(checkout, 'coverage'), { recursive: true, force: true });
  try {
    renameSync(report, join(checkout, 'coverage'));
  } catch {
    // No report was made, or the other run was quicker.
  }
}
