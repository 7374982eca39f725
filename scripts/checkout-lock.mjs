/**
 * One set-up at a time in one checkout: the second npm waits for the first. Plain Node.
 */
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkout, say } from './children.mjs';

const POLL_MS = 200;

function startOf(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** True while the process named in a lock runs; its start tells it from a later one with the same id. */
function isHeld(text) {
  const [pid, start] = text.trim().split(' ');
  if (process.platform === 'linux') return start !== undefined && startOf(pid) === start;
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch {
    return false;
  }
}

function tryTake(file) {
  const mine = `${file}.${process.pid}`;
  writeFileSync(mine, `${process.pid} ${startOf(process.pid) ?? '-'}\n`);
  try {
    linkSync(mine, file);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    return false;
  } finally {
    rmSync(mine, { force: true });
  }
}

function holderOf(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** Runs `act` while no other set-up runs in this checkout. A lock left by a killed run is taken over. */
export async function withCheckoutLock(act) {
  mkdirSync(join(checkout, '.relais'), { recursive: true });
  const file = join(checkout, '.relais', 'set-up.lock');
  let hasSaid = false;
  while (!tryTake(file)) {
    const holder = holderOf(file);
    if (holder !== '' && !isHeld(holder)) {
      rmSync(file, { force: true });
      continue;
    }
    if (!hasSaid) say(`  waiting for the set-up of another npm in this checkout (process ${holder.split(' ')[0]})`);
    hasSaid = true;
    await sleep(POLL_MS);
  }
  const release = () => rmSync(file, { force: true });
  process.once('exit', release);
  try {
    return await act();
  } finally {
    process.removeListener('exit', release);
    release();
  }
}
