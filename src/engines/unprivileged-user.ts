/**
 * Which user a program runs under that refuses root.
 */
import { readFile } from 'node:fs/promises';
import { EngineFault } from './engine-fault.ts';

/** A user of this machine. */
export type SystemUser = { readonly name: string; readonly uid: number; readonly gid: number };

/** Names tried in this order. */
const CANDIDATES: readonly string[] = ['postgres', 'nobody'];

/**
 * The user for the child: undefined when we are not root ourselves, so that it runs as we do.
 * @throws EngineFault `engine_setup_failed` when we are root and the machine knows none of the candidates.
 */
export async function unprivilegedUser(): Promise<SystemUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const entries = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  for (const candidate of CANDIDATES) {
    const entry = entries.find(([name]) => name === candidate);
    if (entry === undefined) continue;
    const user = { name: candidate, uid: Number(entry[2]), gid: Number(entry[3]) };
    if (Number.isSafeInteger(user.uid) && user.uid > 0 && Number.isSafeInteger(user.gid)) return user;
  }
  throw new EngineFault(
    'engine_setup_failed',
    'PostgreSQL refuses to run as root, and this machine has neither a user postgres nor nobody. Run Relais as an ordinary user.',
  );
}
