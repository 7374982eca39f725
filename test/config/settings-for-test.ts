/**
 * The least that a configuration must say, and files to say it in.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config, ConfigInput, ConfigRefusal } from '../../src/config.ts';
import type { Result } from '../../src/result.ts';

/** No secret of these may ever stand in a message. */
export const secrets = {
  msisdnMac: 'a1'.repeat(32),
  msisdnMaster: 'b2'.repeat(32),
  machineSecret: 'secret-of-the-machines',
  bindPassword: 'bindpass',
  walletToken: 'token-of-the-wallet',
} as const;

/** Settings of `relais serve` that are complete. */
export function leastSettings(): ConfigInput {
  return {
    keys: {
      msisdnMac: secrets.msisdnMac,
      msisdnMaster: [{ id: 'one', key: secrets.msisdnMaster }],
      machineSecret: secrets.machineSecret,
    },
    smpp: {
      accounts: { operator: { smsSource: { ton: 0, npi: 1, addr: '123' } } },
      binds: [
        {
          account: 'operator',
          name: 'smsc-1',
          hosts: [{ host: '127.0.0.1', port: 2775 }],
          systemId: 'relais',
          password: secrets.bindPassword,
        },
      ],
    },
    payment: {
      wallet: { id: 'centre', baseUrl: 'http://127.0.0.1:8090', clientId: 'relais', token: secrets.walletToken },
    },
  };
}

/** A folder of files for one test file. */
export type Files = { write(name: string, text: string): string; readonly folder: string; remove(): void };

/** Opens it; remove it in after(). */
export function openFiles(): Files {
  const folder = mkdtempSync(join(tmpdir(), 'relais-config-'));
  return {
    folder,
    write: (name, text) => {
      const path = join(folder, name);
      writeFileSync(path, text);
      return path;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** The problems of a refused configuration. @throws Error when it was accepted */
export function problemsIn(loaded: Result<unknown, ConfigRefusal>): readonly string[] {
  if (loaded.ok) throw new Error('the configuration was accepted');
  return loaded.refusal.problems;
}

/** The configuration. @throws Error with what is wrong with it */
export function valueIn<Value = Config>(loaded: Result<Value, ConfigRefusal>): Value {
  if (!loaded.ok) throw new Error(loaded.refusal.problems.join('\n'));
  return loaded.value;
}
