/**
 * Running other programs from the set-up scripts: quietly with signs of life, or in our place with signals and exit
 * code passed on. Plain Node: this runs before any package is installed.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const checkout = fileURLToPath(new URL('..', import.meta.url));

const SIGN_OF_LIFE_MS = 5_000;
const WATCH_MS = 1_000;
const LAST_WARNING_MS = 5_000;

/** A line for the person, on standard error, so that standard output stays the command's own. */
export function say(line) {
  process.stderr.write(`${line}\n`);
}

/** Ends the command with a sentence for the person and an exit code (sysexits.h). */
export class Stop extends Error {
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Seconds since `start` (performance.now()), for people. */
export function secondsSince(start) {
  return `${((performance.now() - start) / 1000).toFixed(1)} s`;
}

/** Does one step and prints its name and time; `run` may return a word on what was done. */
export async function step(name, run) {
  const start = performance.now();
  const timer = setInterval(() => say(`  ${name} ... ${secondsSince(start)}`), SIGN_OF_LIFE_MS);
  try {
    const word = await run();
    say(`  ${name.padEnd(14)} ${(word ?? 'done').padEnd(26)} ${secondsSince(start).padStart(7)}`);
  } finally {
    clearInterval(timer);
  }
}

/** Runs a program without showing it. Resolves to `{ code, output }`, output being both its streams in order. */
export function runQuietly(program, parameters, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, parameters, { cwd: checkout, stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text) => {
        output += text;
      });
    }
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code: code ?? 128 + constants.signals[signal], output }));
  });
}

/**
 * Runs a program in our place: our streams, our signals. Resolves to its exit code, 128 + number if a signal ended it.
 * If the npm above us goes away (kill -9), the program is asked to end, then killed.
 */
export function runInPlace(program, parameters, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, parameters, { cwd: checkout, stdio: 'inherit', ...options });
    // Ctrl-C reaches the whole terminal group, the child too; elsewhere it is ours to pass on.
    const forward = (signal) => {
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    };
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals) process.on(signal, forward);
    const unwatch = onOrphaned(() => {
      child.kill('SIGTERM');
      setTimeout(() => child.kill('SIGKILL'), LAST_WARNING_MS).unref();
    });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      unwatch();
      for (const name of signals) process.removeListener(name, forward);
      resolve(code ?? 128 + constants.signals[signal]);
    });
  });
}

function parentOf(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const [, parent] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { name: text.slice(text.indexOf('(') + 1, text.lastIndexOf(')')), parent: Number(parent) };
}

/** We, and the shell between npm and us if there is one: each with the parent it has now. */
function watchedAncestors() {
  const watched = [{ pid: process.pid, parent: process.ppid }];
  try {
    const above = parentOf(process.ppid);
    if (['sh', 'dash', 'bash'].includes(above.name)) watched.push({ pid: process.ppid, parent: above.parent });
  } catch {
    // No /proc: our own parent is all that we see.
  }
  return watched;
}

function hasLostParent({ pid, parent }) {
  if (pid === process.pid) return process.ppid !== parent;
  try {
    return parentOf(pid).parent !== parent;
  } catch {
    return true;
  }
}

/**
 * Calls `act` once when the npm that runs us is gone; does nothing when we were started by hand. Returns a function
 * that ends the watch.
 */
export function onOrphaned(act) {
  if (process.env.npm_lifecycle_event === undefined) return () => undefined;
  const watched = watchedAncestors();
  const timer = setInterval(() => {
    if (!watched.some(hasLostParent)) return;
    clearInterval(timer);
    act();
  }, WATCH_MS);
  timer.unref();
  return () => clearInterval(timer);
}
