/**
 * `npm run check`: format, lint, types, unused code. No service, no build. Plain Node; needs the packages.
 */
import { join } from 'node:path';
import { execPath } from 'node:process';
import { checkout, runQuietly, say, secondsSince } from './children.mjs';

const MODULES = join(checkout, 'node_modules');

/** The checkers, each with the arguments that make its findings an exit code. */
const CHECKS = [
  { name: 'format', program: '@biomejs/biome/bin/biome', parameters: ['check', '--error-on-warnings', '.'] },
  { name: 'lint', program: 'oxlint/bin/oxlint', parameters: ['--deny-warnings', 'src', 'test', 'simulators', 'bench'] },
  { name: 'types', program: 'typescript/bin/tsc', parameters: ['--noEmit', '-p', 'tsconfig.json'] },
  { name: 'unused', program: 'knip/bin/knip.js', parameters: ['--treat-config-hints-as-errors', '--no-progress'] },
];

/** Runs all of them, also after one has findings. @returns the exit code: 0, or 1 with findings. */
export async function runChecks(given) {
  const chosen = CHECKS.filter(({ name }) => given.length === 0 || given.includes(name));
  let failed = 0;
  for (const { name, program, parameters } of chosen) {
    const start = performance.now();
    const { code, output } = await runQuietly(execPath, [join(MODULES, program), ...parameters]);
    say(`  ${name.padEnd(14)} ${(code === 0 ? 'fine' : 'FINDINGS').padEnd(26)} ${secondsSince(start).padStart(7)}`);
    if (code === 0) continue;
    failed += 1;
    process.stdout.write(`${output.trim()}\n`);
  }
  return failed === 0 && chosen.length > 0 ? 0 : 1;
}
