/**
 * A child process that cannot outlive its parent: it runs under a small shell that holds a pipe from us and interrupts
 * the child as soon as that pipe closes, be it by our end, a crash or `kill -9`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { DurationMs } from '../time.ts';
import { EngineFault } from './engine-fault.ts';
import type { SystemUser } from './unprivileged-user.ts';

/** How a child ended: `code` of its exit as a shell reports it (128 + signal when killed), null when unknown. */
export type ChildEnd = { readonly code: number | null };

/** What to run, and how to tell that it is ready. */
export type GuardedCommand = {
  readonly program: string;
  readonly parameters: readonly string[];
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly user: SystemUser | undefined;
  /** A line of the child's output that says it takes connections. */
  readonly readyLine: RegExp;
  readonly readyDeadlineMs: DurationMs;
  readonly onLine: (line: string) => void;
};

/** A child that is ready, and ours to stop. */
export type GuardedChild = {
  /** Process id of the child itself, not of its shell. */
  readonly pid: number;
  /** Settles when the child and its shell are gone; never rejects. */
  readonly ended: Promise<ChildEnd>;
  /** Sends a signal to the child; harmless once it has ended. */
  signal(name: NodeJS.Signals): void;
};

// fd 3: the pipe whose closing means that the parent is gone. fd 4: where the shell names the child's process id.
// The first `wait` returns early when a signal is trapped, hence the second one; 127 means that the first was enough.
// The interrupt is repeated, because a child that is only just starting may not yet listen to it.
const GUARD = `
"$@" 3<&- 4>&- & p=$!
echo $p >&4; exec 4>&-
trap 'kill -INT $p' TERM INT
{ read -r _ <&3; while kill -INT $p 2>/dev/null; do sleep 1; done; } & r=$!
wait $p; s=$?
wait $p 2>/dev/null; t=$?; [ $t -eq 127 ] || s=$t
kill $r 2>/dev/null
exit $s`;

/** Lines of output kept for the message when a child does not come up. */
const KEPT_LINES = 20;

function readableOf(shell: ChildProcess, index: number): Readable {
  const stream = shell.stdio[index];
  if (stream === null || stream === undefined || !('read' in stream)) {
    throw new EngineFault('engine_setup_failed', `The shell of a private server has no output ${index}.`);
  }
  return stream;
}

function readPid(shell: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = '';
    const pipe = readableOf(shell, 4);
    pipe.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    pipe.on('error', reject);
    shell.once('error', reject);
    pipe.on('end', () => {
      const pid = Number(text.trim());
      if (Number.isSafeInteger(pid) && pid > 1) resolve(pid);
      else reject(new EngineFault('engine_setup_failed', 'The shell of a private server did not name its child.'));
    });
  });
}

/**
 * Starts a program and waits until it says that it is ready.
 * @throws EngineFault `engine_not_ready` when it ends first or is not ready in time (it is then killed), with the last
 *         lines it wrote; `engine_setup_failed` when no process could be started at all.
 */
export async function startGuarded(command: GuardedCommand): Promise<GuardedChild> {
  const shell = spawn('/bin/sh', ['-c', GUARD, 'relais-guard', command.program, ...command.parameters], {
    cwd: command.folder,
    env: { ...command.environment },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
    // A group of its own: Ctrl-C in the terminal reaches us alone, and we stop our servers last.
    detached: true,
    ...(command.user === undefined ? {} : { uid: command.user.uid, gid: command.user.gid }),
  });
  const ended = new Promise<ChildEnd>((resolve) => {
    shell.once('error', () => resolve({ code: null }));
    shell.once('close', (code) => resolve({ code }));
  });
  const lines: string[] = [];
  const ready = watchLines(shell, command, lines);
  const pid = await readPid(shell).catch((cause: unknown) => {
    shell.kill('SIGKILL');
    throw new EngineFault('engine_setup_failed', `Could not start ${command.program}.`, cause);
  });
  const child: GuardedChild = {
    pid,
    ended,
    signal: (name) => {
      if (shell.exitCode !== null || shell.signalCode !== null) return;
      try {
        process.kill(pid, name);
      } catch (error) {
        if (!isGone(error)) throw error;
      }
    },
  };
  await untilReady(child, ready, command, lines);
  return child;
}

/** Asks the child to end by `signal`, and kills it when it has not within `ms`; resolves when it is gone. */
export async function endWithin(child: GuardedChild, signal: NodeJS.Signals, ms: DurationMs): Promise<void> {
  child.signal(signal);
  const timer = setTimeout(() => child.signal('SIGKILL'), ms);
  await child.ended;
  clearTimeout(timer);
}

function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ESRCH';
}

function watchLines(shell: ChildProcess, command: GuardedCommand, lines: string[]): Promise<'ready'> {
  return new Promise((resolve) => {
    for (const output of [readableOf(shell, 1), readableOf(shell, 2)]) {
      createInterface({ input: output }).on('line', (line) => {
        lines.push(line);
        if (lines.length > KEPT_LINES) lines.shift();
        command.onLine(line);
        if (command.readyLine.test(line)) resolve('ready');
      });
    }
  });
}

async function untilReady(
  child: GuardedChild,
  ready: Promise<'ready'>,
  command: GuardedCommand,
  lines: readonly string[],
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(resolve, command.readyDeadlineMs, 'late');
  });
  const outcome = await Promise.race([ready, late, child.ended.then(() => 'ended' as const)]);
  clearTimeout(timer);
  if (outcome === 'ready') return;
  child.signal('SIGKILL');
  await child.ended;
  const why = outcome === 'late' ? `was not ready within ${command.readyDeadlineMs} ms` : 'ended before it was ready';
  throw new EngineFault('engine_not_ready', `${command.program} ${why}. It said:\n${lines.join('\n')}`);
}
