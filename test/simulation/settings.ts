/**
 * The settings of simulated nodes: as in production, but that hours of waiting are minutes, so that a story reaches them.
 */

import { rulesOf } from '../../src/composition/edges.ts';
import { phrasesOf } from '../../src/composition/phones.ts';
import { type Config, checkConfig, loadTexts } from '../../src/config.ts';
import { defaultRules, type Rules } from '../../src/purchase/rules.ts';
import type { DurationMs } from '../../src/time.ts';
import { testSecrets } from '../support/store-builders.ts';

const MINUTE: DurationMs = 60_000;

function settings(): Config {
  const key = 'ab'.repeat(32);
  const checked = checkConfig({
    // The secret under which the memory registry hashes machines' keys.
    keys: { msisdnMac: key, msisdnMaster: [{ id: 'one', key }], machineSecret: testSecrets.machineSecret.toString() },
    smpp: {
      accounts: { operator: { smsSource: { ton: 0, npi: 1, addr: '123' } } },
      binds: [
        {
          account: 'operator',
          name: 'smsc-1',
          hosts: [{ host: '127.0.0.1', port: 2775 }],
          systemId: 'relais',
          password: 'none',
        },
      ],
    },
    payment: {
      cutoffMs: 10_000,
      settleGraceMs: 20 * MINUTE,
      wallet: { id: 'centre', baseUrl: 'http://127.0.0.1:8090', clientId: 'relais', token: 'token-of-the-wallet' },
    },
    sms: { quotesPerHour: 1000, lookBackMs: 5 * MINUTE },
    delivery: { inDoubtMs: 20 * MINUTE, resultMarginMs: 20_000 },
    effects: { pollMs: 4_000, deadlinePollMs: 3_000 },
  });
  if (!checked.ok) throw new Error(checked.refusal.problems.join('\n'));
  return checked.value;
}

/** The configuration of every node, but for its name. */
export const simConfig: Config = settings();
/** The rules of every node. */
export const simRules: Rules = {
  ...defaultRules,
  ...rulesOf(simConfig),
  lateMs: 10 * MINUTE,
  overdueMs: 15 * MINUTE,
};
/** `config/texts/`, read once. */
export const simTexts = loadTexts(new URL('../../config/texts/', import.meta.url));
/** Ready to be said. */
export const simPhrases = phrasesOf(simConfig);
/** An ended purchase is moved to the past after this. */
export const hotMs: DurationMs = 10 * MINUTE;
