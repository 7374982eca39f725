/**
 * A journal file that loses its power, or fails, at a chosen write; what was not synced is lost or torn.
 */
import type { JournalFile } from '../../../src/automaton-link/agent/journal-file.ts';

/** A disk in memory. It outlives the files opened on it. */
export class PowerDisk {
  durable = '';
  #pending = '';
  #steps = 0;
  /** The step (append, sync or replace) at which it happens; 0: never. */
  cutAtStep = 0;
  /** How many bytes of what was not synced reach the disk all the same, whatever was reported. */
  tornBytes = 0;
  /** A cut ends the machine too; a failure only the write. */
  isCut = true;
  onCut: () => void = () => undefined;
  /** Called with what is flushed, before it is on disk: a slow disk. */
  onSync: (text: string) => void = () => undefined;
  #isOff = false;

  get steps(): number {
    return this.#steps;
  }

  /** Power is back: what is durable is all there is. */
  powerOn(): JournalFile {
    this.#isOff = false;
    this.#pending = '';
    return {
      read: () => this.durable,
      append: (text) => {
        this.#pending += text;
        this.#step();
      },
      sync: () => {
        this.#step();
        this.onSync(this.#pending);
        this.durable += this.#pending;
        this.#pending = '';
      },
      replace: (content) => {
        this.#step();
        this.durable = content;
        this.#pending = '';
      },
      close: () => undefined,
    };
  }

  #step(): void {
    if (this.#isOff) throw new Error('no power');
    this.#steps += 1;
    if (this.#steps !== this.cutAtStep) return;
    this.durable += this.#pending.slice(0, this.tornBytes);
    this.#pending = '';
    if (this.isCut) {
      this.#isOff = true;
      this.onCut();
    }
    throw new Error('write failed');
  }
}
