/**
 * The command itself, as a process: from source when the tests are, else from dist/.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { identityOf, type ProcessIdentity } from '../../src/engines/process-identity.ts';
import { checkoutFolder } from '../support/servers.ts';

const isSource = import.meta.url.endsWith('.ts');
const program = fileURLToPath(new URL(`../../src/main.${isSource ? 'ts' : 'js'}`, import.meta.url));

/** How a run ended, and what it said. */
export type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

/** A run. `firstLine`: of its standard output; rejects when it ends without one. */
export type Run = {
  readonly process: ChildProcess;
  readonly firstLine: Promise<string>;
  readonly ended: Promise<Ended>;
};

type Variables = Readonly<Record<string, string>>;

/** What is in the environment of the tests must not configure what they start. */
function environment(more: Variables): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(?:RELAIS_|DATABASE_URL|REDIS_URL)/.test(name));
  return { ...Object.fromEntries(inherited), ...more };
}

/** Starts `relais` with these arguments, in the checkout, whose `.relais` holds a Redis where the machine has none. */
export function startRelais(parameters: readonly string[], variables: Variables = {}): Run {
  const loader = isSource ? ['--import', 'tsx'] : [];
  const child = spawn(process.execPath, [...loader, program, ...parameters], {
    env: environment(variables),
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: checkoutFolder(),
  });
  const said = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    said.stdout += chunk.toString('utf8');
  });
  child.stderr.on('data', (chunk: Buffer) => {
    said.stderr += chunk.toString('utf8');
  });
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (code) => resolve({ code, ...said }));
  });
  const firstLine = new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', resolve);
    void ended.then(({ code, stderr }) => reject(new Error(`ended with ${code}: ${stderr}`)));
  });
  // Whoever does not ask for the line must not fail over it.
  firstLine.catch(() => undefined);
  return { process: child, firstLine, ended };
}

/** Runs `relais` to its end. */
export function runRelais(parameters: readonly string[], variables: Variables = {}): Promise<Ended> {
  return startRelais(parameters, variables).ended;
}

/** All processes below this one, by what tells them from later ones of the same number. */
export function processesBelow(pid: number): readonly ProcessIdentity[] {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), parent: parentOf(Number(name)) }));
  const below = (of: number): readonly number[] =>
    parents.filter(({ parent }) => parent === of).flatMap((each) => [each.pid, ...below(each.pid)]);
  return below(pid).map(identityOf);
}

function parentOf(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return 0;
  }
}
