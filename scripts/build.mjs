/**
 * The build: TypeScript of src/, test/, simulators/ and bench/ to dist/, all other files beside it, nothing stale left.
 * Plain Node; needs the packages. `node scripts/build.mjs` builds always, `buildIfNeeded` only when a source changed.
 */
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { argv, execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { withCheckoutLock } from './checkout-lock.mjs';
import { checkout, runQuietly, Stop, say } from './children.mjs';

const TREES = ['src', 'test', 'simulators', 'bench', 'config'];
// Planted faults, read by the checkers where they lie.
const LEFT_OUT = 'test/canary/';
const STAMP = 'dist/.stamp';
const ALSO_STAMPED = ['tsconfig.json', 'package-lock.json', 'scripts/build.mjs'];

/** Paths of all files below a folder of the checkout, relative to the checkout, with `/`. */
export function filesBelow(folder) {
  const root = join(checkout, folder);
  if (!existsSync(root)) return [];
  const entries = readdirSync(root, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(checkout.length)).sort();
}

function sources() {
  return TREES.flatMap(filesBelow).filter((file) => !file.startsWith(LEFT_OUT));
}

/** What dist/ holds for one source: compiled with its map, copied, or nothing (declarations). */
function outputsOf(source) {
  if (source.endsWith('.d.ts')) return [];
  if (source.endsWith('.ts')) return [source.replace(/\.ts$/, '.js'), source.replace(/\.ts$/, '.js.map')];
  return [source];
}

/** All files that dist/ should hold, relative to it. */
function expectedOutputs() {
  return sources().flatMap(outputsOf).sort();
}

function stampOf(files) {
  const hash = createHash('sha256');
  for (const file of [...files, ...ALSO_STAMPED]) {
    const { size, mtimeMs } = statSync(join(checkout, file));
    hash.update(`${file} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

function readStamp() {
  return existsSync(join(checkout, STAMP)) ? readFileSync(join(checkout, STAMP), 'utf8') : '';
}

async function compile() {
  const compiler = join(checkout, 'node_modules', 'typescript', 'bin', 'tsc');
  const { code, output } = await runQuietly(execPath, [compiler, '-p', 'tsconfig.json']);
  if (code !== 0) throw new Stop(`The build failed (tsc, exit ${code}):\n${output}`);
}

function copyOthers(files) {
  for (const file of files.filter((name) => !name.endsWith('.ts'))) {
    const target = join(checkout, 'dist', file);
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(join(checkout, file), target);
  }
}

function removeStale() {
  const expected = new Set([...expectedOutputs().map((file) => `dist/${file}`), STAMP]);
  for (const file of filesBelow('dist')) if (!expected.has(file)) rmSync(join(checkout, file));
}

/** Builds. @throws Stop with the compiler's words; no stamp is left then, so that the next run builds again. */
export async function build() {
  const files = sources();
  const stamp = stampOf(files);
  rmSync(join(checkout, STAMP), { force: true });
  await compile();
  copyOthers(files);
  removeStale();
  // Taken before: what changed while we compiled makes the next run build again.
  writeFileSync(join(checkout, STAMP), stamp);
}

/** Builds when a source changed since the last build. @returns a word on what was done. */
export async function buildIfNeeded() {
  if (readStamp() === stampOf(sources())) return 'up to date';
  await build();
  return 'built';
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await withCheckoutLock(build);
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    say(error.message);
    process.exitCode = error.exitCode;
  }
}
