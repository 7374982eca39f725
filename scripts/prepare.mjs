/**
 * What `npm run demo`, `npm test`, `npm run check` and `npm run simulate` start: brings what is missing, then runs the
 * command.
 *
 *   node scripts/prepare.mjs demo|test|check|simulate [arguments of the command]
 *
 * Plain Node without packages, since it runs before they are installed; syntax that old versions read, so that they can
 * say what they lack.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const LEAST_NODE = [20, 19];

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1])) return;
  process.stderr.write(`Relais needs Node ${LEAST_NODE.join('.')} or newer; this is ${process.versions.node}.\n`);
  process.exit(78);
}

checkNode();
const { checkout, onOrphaned, say, step, Stop } = await import('./children.mjs');
const { withCheckoutLock } = await import('./checkout-lock.mjs');
const { installPackages } = await import('./packages.mjs');

function fromDist(path) {
  return import(pathToFileURL(join(checkout, 'dist', 'src', path)).href);
}

/** The Redis program, fetched now with its time shown, so that the command itself starts at once. */
async function findRedisProgram() {
  if (process.env.REDIS_URL !== undefined || process.env.RELAIS_TEST_REDIS_URL !== undefined)
    return 'configured by URL';
  const { findRedis } = await fromDist('engines/redis-program.js');
  const program = await findRedis({
    cacheFolder: join(checkout, '.relais'),
    environment: process.env,
    log: () => undefined,
  });
  return program.libraryPath === undefined ? 'on the path' : 'in .relais/redis';
}

async function prepare(command) {
  await step('packages', installPackages);
  if (command === 'check') return;
  const { buildIfNeeded } = await import('./build.mjs');
  await step('build', buildIfNeeded);
  if (command !== 'simulate') await step('redis', findRedisProgram);
}

/** The demo runs in this very process: no layer between the person's Ctrl-C and it. */
async function runDemo(given) {
  const program = join(checkout, 'dist', 'src', 'main.js');
  if (!existsSync(program)) throw new Stop('src/main.ts is not there: nothing to demonstrate.', 78);
  onOrphaned(() => process.kill(process.pid, 'SIGTERM'));
  process.argv = [process.execPath, program, 'demo', ...given];
  await import(pathToFileURL(program).href);
}

/** Likewise in this process; it sets the exit code itself. */
async function runSimulation(given) {
  const program = join(checkout, 'dist', 'test', 'simulation', 'main.js');
  onOrphaned(() => process.kill(process.pid, 'SIGTERM'));
  process.argv = [process.execPath, program, ...given];
  await import(pathToFileURL(program).href);
}

async function main([command, ...given]) {
  if (!['demo', 'test', 'check', 'simulate'].includes(command)) {
    throw new Stop('usage: node scripts/prepare.mjs demo|test|check|simulate [arguments]', 64);
  }
  await withCheckoutLock(() => prepare(command));
  if (command === 'demo') await runDemo(given);
  else if (command === 'simulate') await runSimulation(given);
  else if (command === 'test') process.exitCode = await (await import('./test-run.mjs')).runTests(given);
  else process.exitCode = await (await import('./check-run.mjs')).runChecks(given);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  // A missing engine speaks for itself too (EngineFault): a sentence and an exit code.
  if (!(error instanceof Error) || !('exitCode' in error)) throw error;
  say(error.message);
  process.exit(error.exitCode);
}
