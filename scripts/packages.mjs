/**
 * The packages of the lock file, installed if they are not. Plain Node.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkout, runQuietly, Stop } from './children.mjs';

function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(join(checkout, file), 'utf8')).packages ?? {};
  } catch {
    return undefined;
  }
}

/**
 * True when what npm says it installed is what the lock file asks for. npm writes its own list last, so that a broken
 * install has none; dates are not compared, a fresh clone has only new ones.
 */
function arePackagesInstalled() {
  const wanted = packagesOf('package-lock.json');
  const found = packagesOf('node_modules/.package-lock.json');
  if (wanted === undefined || found === undefined) return false;
  const isThere = ([path, entry]) => path === '' || entry.optional === true || found[path]?.version === entry.version;
  return Object.entries(wanted).every(isThere) && Object.keys(found).every((path) => wanted[path] !== undefined);
}

/** Installs them by `npm ci`, also the tools, whatever NODE_ENV says. @returns a word on what was done. */
export async function installPackages() {
  if (arePackagesInstalled()) return 'already there';
  const parameters = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  // npm names its own program when it runs us; npm on the path may be another.
  const npm = process.env.npm_execpath;
  const { code, output } =
    npm === undefined ? await runQuietly('npm', parameters) : await runQuietly(process.execPath, [npm, ...parameters]);
  if (code !== 0) throw new Stop(`npm ci failed (exit ${code}):\n${output}`, 69);
  return 'installed by npm ci';
}
