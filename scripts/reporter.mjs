/**
 * mocha's `spec` reporter, which also leaves the counts in the file named by MOCHA_COUNTS_FILE.
 */
import { writeFileSync } from 'node:fs';
import mocha from 'mocha';

/** The reporter; a hook that fails counts as a failed test. */
export default class CountingReporter extends mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once('end', () => {
      const { passes, failures, pending } = this.stats;
      const file = process.env.MOCHA_COUNTS_FILE;
      if (file !== undefined) writeFileSync(file, JSON.stringify({ passes, failures, pending }));
    });
  }
}
