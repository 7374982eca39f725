/**
 * A process of ours as a child: the same program with another command, that cannot outlive its parent.
 */
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { environment } from '../config.ts';
import { endWithin, type GuardedChild, startGuarded } from '../engines/guarded-child.ts';
import type { DurationMs } from '../time.ts';

/** A child that said where it listens. */
export type ChildProcess = {
  readonly pid: number;
  /** What it printed when it was ready. */
  readonly where: Readonly<Record<string, unknown>>;
  /** Asks it to end and waits. */
  stop(): Promise<void>;
  /** Ends it in the middle of what it does. */
  kill9(): Promise<void>;
};

/** What to start. `settings` become its configuration file, readable by us alone. */
export type ChildCommand = {
  readonly name: string;
  readonly command: 'serve' | 'centre';
  readonly settings: object;
  readonly folder: string;
  readonly onLine: (line: string) => void;
};

const READY_MS: DurationMs = 30_000;
const STOP_MS: DurationMs = 30_000;

/** Starts `relais <command>` with these settings and waits until it is ready. @throws EngineFault with its last lines. */
export async function startChild(child: ChildCommand): Promise<ChildProcess> {
  const file = join(child.folder, `${child.name}.yaml`);
  await writeFile(file, stringify(child.settings), { mode: 0o600 });
  await chmod(file, 0o600);
  let where: Readonly<Record<string, unknown>> = {};
  const started: GuardedChild = await startGuarded({
    program: process.execPath,
    parameters: [
      '--enable-source-maps',
      fileURLToPath(new URL('../main.js', import.meta.url)),
      child.command,
      '--config',
      file,
    ],
    folder: child.folder,
    environment: inherited(),
    user: undefined,
    readyLine: /^\{"ready":true/,
    readyDeadlineMs: READY_MS,
    onLine: (line) => {
      if (line.startsWith('{"ready":true')) where = readWhere(line);
      else child.onLine(line);
    },
  });
  return {
    pid: started.pid,
    where,
    stop: () => endWithin(started, 'SIGTERM', STOP_MS),
    kill9: async () => {
      started.signal('SIGKILL');
      await started.ended;
    },
  };
}

function readWhere(line: string): Readonly<Record<string, unknown>> {
  const parsed: unknown = JSON.parse(line);
  return typeof parsed === 'object' && parsed !== null ? { ...parsed } : {};
}

/** The child takes its settings from its file alone: nothing of ours in the environment may override them. */
function inherited(): Record<string, string> {
  const ours = /^RELAIS_|^DATABASE_URL|^REDIS_URL/;
  return Object.fromEntries(
    Object.entries(environment()).flatMap(([name, value]) =>
      value === undefined || ours.test(name) ? [] : [[name, value]],
    ),
  );
}
