/**
 * A hall of machines: several machine agents with their hardware in one process, that can be killed and started again.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { HardwareFault } from '../../../simulators/machine-hardware.ts';
import type { DurationMs } from '../../../src/time.ts';

/** What the process is started with. */
export type HallPlan = {
  readonly url: string;
  /** For journals and the list of goods that dropped. */
  readonly folder: string;
  readonly currency: string;
  readonly machines: readonly { readonly machineId: string; readonly key: string }[];
  readonly goods: readonly { readonly item: number; readonly name: string; readonly priceMinor: number }[];
  readonly maxWaitMs: DurationMs;
  readonly deliveryMs: DurationMs;
};

/** What a person does in front of a machine, and what goes wrong at it. */
export type Selection = {
  readonly item: number;
  readonly fault: HardwareFault | null;
  readonly deliveryTakesMs: DurationMs;
};

/** One word to the process. */
export type HallCall = {
  readonly id: number;
  readonly machineId: string;
  readonly select?: Selection;
  readonly cancel?: boolean;
};
/** Its answer: whether it could be done, and how the machine stands. */
export type HallAnswer = {
  readonly id: number;
  readonly isDone: boolean;
  readonly isFree: boolean;
  readonly isWaiting: boolean;
};

/** A good that left a machine, by the flap's own count. `orderSeq`: null when the agent had no order. */
export type Drop = { readonly machineId: string; readonly orderSeq: number | null; readonly item: number };

/** A hall. Whatever is asked of a dead or stopped one is answered null. */
export type MachineHall = {
  pid(): number;
  isRunning(): boolean;
  start(): Promise<void>;
  kill9(): Promise<void>;
  select(machineId: string, selection: Selection): Promise<HallAnswer | null>;
  cancel(machineId: string): Promise<HallAnswer | null>;
  look(machineId: string): Promise<HallAnswer | null>;
  drops(): readonly Drop[];
};

const READY_MS: DurationMs = 20_000;
const ANSWER_MS: DurationMs = 2_000;

function readDrops(folder: string): readonly Drop[] {
  const file = join(folder, 'dropped.jsonl');
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Drop);
}

/** A hall, not started. */
export function createMachineHall(plan: HallPlan): MachineHall {
  mkdirSync(plan.folder, { recursive: true });
  const open = new Map<number, (answer: HallAnswer | null) => void>();
  let child: ChildProcess | null = null;
  let calls = 0;

  const ask = (call: Omit<HallCall, 'id'>): Promise<HallAnswer | null> => {
    const asked = child;
    if (asked === null || !asked.connected) return Promise.resolve(null);
    calls += 1;
    const id = calls;
    return new Promise((resolve) => {
      const end = (answer: HallAnswer | null): void => {
        clearTimeout(timer);
        open.delete(id);
        resolve(answer);
      };
      const timer = setTimeout(() => end(null), ANSWER_MS);
      open.set(id, end);
      asked.send({ ...call, id }, (error) => {
        if (error !== null) end(null);
      });
    });
  };

  return {
    pid: () => child?.pid ?? 0,
    isRunning: () => child !== null && child.exitCode === null && child.signalCode === null,
    start: async () => {
      const program = fileURLToPath(new URL('./machine-hall-child.js', import.meta.url));
      const started = spawn(process.execPath, ['--enable-source-maps', program, JSON.stringify(plan)], {
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      });
      const ready = new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error('the machines did not start')), READY_MS);
        started.on('message', (message) => {
          const answer = message as HallAnswer;
          if (answer.id === 0) {
            clearTimeout(timer);
            resolve();
          } else open.get(answer.id)?.(answer);
        });
        started.once('exit', () => {
          clearTimeout(timer);
          reject(new Error('the machines ended'));
        });
      });
      await ready;
      child = started;
    },
    kill9: async () => {
      const ending = child;
      child = null;
      if (ending === null || ending.exitCode !== null || ending.signalCode !== null) return;
      const ended = once(ending, 'exit');
      ending.kill('SIGKILL');
      await ended;
      for (const end of [...open.values()]) end(null);
    },
    select: (machineId, select) => ask({ machineId, select }),
    cancel: (machineId) => ask({ machineId, cancel: true }),
    look: (machineId) => ask({ machineId }),
    drops: () => readDrops(plan.folder),
  };
}
