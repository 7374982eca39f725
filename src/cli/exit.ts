/**
 * How commands end. Listed in `relais --help`.
 */

/** Exit codes: those of sysexits.h where there is one. */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  unavailable: 69,
  bug: 70,
  tryLater: 75,
  configuration: 78,
  interrupted: 130,
} as const;

/** A command that ends with a sentence for the person and a code for the script. */
export class CommandEnd extends Error {
  override readonly name = 'CommandEnd';
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Writes data; everything else goes to standard error. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Writes a word for the person. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/**
 * Runs until the process is asked to end (SIGINT, SIGTERM), then stops what runs. A second signal ends it at once, which
 * is safe: everything was committed before it was done.
 */
export async function untilAsked(stop: () => Promise<void>): Promise<void> {
  await new Promise<void>((resolve) => {
    const asked = (): void => {
      process.on('SIGINT', () => process.exit(exitCodes.interrupted));
      process.on('SIGTERM', () => process.exit(exitCodes.interrupted));
      resolve();
    };
    process.once('SIGINT', asked);
    process.once('SIGTERM', asked);
  });
  await stop();
}
