/**
 * Why a private server could not be brought up, in words for the person at the keyboard.
 */
import { Fault } from '../result.ts';

/** What went wrong; stable, for logs and tests. */
export type EngineFaultCode =
  | 'engine_program_missing'
  | 'engine_folder_busy'
  | 'engine_folder_unreachable'
  | 'engine_not_ready'
  | 'engine_setup_failed';

// The exit codes are those of sysexits.h, as every command of Relais uses them.
const EXIT_CODES: Readonly<Record<EngineFaultCode, number>> = {
  engine_program_missing: 69,
  engine_folder_busy: 75,
  engine_folder_unreachable: 77,
  engine_not_ready: 69,
  engine_setup_failed: 69,
};

/**
 * A private server that did not come up; nothing was kept in it, hence always `happened: "no"`. `message` is a whole
 * sentence for a person with what to do next; `exitCode` is what the command should end with.
 */
export class EngineFault extends Fault {
  readonly exitCode: number;

  constructor(code: EngineFaultCode, message: string, cause?: unknown) {
    super(code, 'no', cause);
    this.message = message;
    this.exitCode = EXIT_CODES[code];
  }
}
