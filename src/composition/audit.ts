/**
 * The audit, wired: the journal, and beside it the built-in centre's ledger or a statement from a file.
 */
import {
  type AuditCounts,
  type AuditDeps,
  type AuditListener,
  type AuditRange,
  audit,
  type Wallet,
} from '../audit/audit.ts';
import { readStatementFile, walletOfLines } from '../audit/statement-file.ts';
import type { Config } from '../config.ts';
import { openStatement } from '../payment/centre/statement.ts';
import { createGsmaConnector } from '../payment/gsma.ts';
import { Fault, ok, type Result } from '../result.ts';
import { connectionOfUrl } from '../store/connection.ts';
import { openJournalAudit } from '../store/journal-audit.ts';
import { msisdnMacOf } from '../store/msisdn-box.ts';
import { systemClock } from '../time.ts';
import { keyOf } from './names.ts';

/** The wallet's side: the ledger's address, a statement's text, or neither. */
export type AuditedWallet = { readonly ledgerUrl: string } | { readonly statement: string } | null;

/** An audit that can be run, once. */
export type OpenAudit = {
  run(range: AuditRange, listener: AuditListener): Promise<AuditCounts>;
  close(): Promise<void>;
};

/** By which clock, and how long after the first look what disagrees is looked at again. */
export type AuditTiming = Pick<AuditDeps, 'clock' | 'againAfterMs'>;

const AGAIN_AFTER_MS = 2_000;

/** Opens it. Refusal: what is wrong with the statement. @throws Fault `database_not_configured` */
export function openAudit(
  config: Config,
  wallet: AuditedWallet,
  timing: AuditTiming = { clock: systemClock, againAfterMs: AGAIN_AFTER_MS },
): Result<OpenAudit, readonly string[]> {
  if (config.database.url === null) throw new Fault('database_not_configured', 'no');
  const opened = openWallet(config, wallet);
  if (!opened.ok) return opened;
  const journal = openJournalAudit(connectionOfUrl(config.database.url));
  const keys = { msisdnMacKey: Buffer.from(config.keys.msisdnMac, 'hex'), masterKeys: [] };
  const deps: AuditDeps = {
    journal,
    wallet: opened.value,
    macOf: (msisdn) => msisdnMacOf(keys, msisdn).toString('hex'),
    ...timing,
  };
  return ok({
    run: (range, listener) => audit(deps, range, listener),
    close: async () => {
      await Promise.all([journal.close(), opened.value?.close()]);
    },
  });
}

function openWallet(
  config: Config,
  wallet: AuditedWallet,
): Result<(Wallet & { close(): Promise<void> }) | null, readonly string[]> {
  if (wallet === null) return ok(null);
  const settings = config.payment.wallet;
  const provider = providerOf(config);
  if ('ledgerUrl' in wallet) {
    const statement = openStatement(wallet.ledgerUrl, settings.clientId);
    return ok({ ...statement, provider, byKey: () => '', unasked: () => [] });
  }
  const read = readStatementFile(wallet.statement);
  return read.ok ? ok({ ...walletOfLines(provider, read.value, keyOf), close: async () => undefined }) : read;
}

/** The label under which purchases name this wallet; the connector is never asked anything. */
function providerOf(config: Config): string {
  const connector = createGsmaConnector(config.payment.wallet, { clock: systemClock });
  void connector.close();
  return connector.name;
}
