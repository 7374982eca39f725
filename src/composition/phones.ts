/**
 * SMPP accounts with the dialogs and messages behind them.
 */
import { loadTexts } from '../config.ts';
import { createMetrics, type Metrics } from '../metrics.ts';
import { Fault } from '../result.ts';
import { createAccount, type SmppAccount } from '../smpp/account.ts';
import { readDialect } from '../smpp/gateway-profile.ts';
import { createNotifier } from '../sms/notifier.ts';
import { createSmsGateway, type SmsAccount } from '../sms/sms-gateway.ts';
import { createPhrases, type Phrases } from '../ussd/phrases.ts';
import { createUssdGateway, type UssdAccount } from '../ussd/ussd-gateway.ts';
import type { Core } from './core.ts';
import type { Rooms } from './edges.ts';

/** The phones of one node. */
export type Phones = {
  readonly accounts: readonly SmppAccount[];
  figures(): Readonly<Record<string, unknown>>;
  drain(): Promise<void>;
};

/** SMPP accounts with the dialogs and messages behind them. */
export function buildPhones(rooms: Rooms, core: Core): Phones {
  const figures = createMetrics();
  const accounts = Object.keys(rooms.config.smpp.accounts).map((name) => buildAccount(rooms, name, figures));
  const sides = answerPhones(rooms, core, accounts, figures);
  return {
    accounts,
    figures: () => figures.read(),
    drain: async () => {
      await sides.drain();
      await Promise.all(accounts.map((account) => account.stop()));
    },
  };
}

/** The part of an account that dialogs, messages and receipts need. */
type PhoneAccount = UssdAccount & SmsAccount & Pick<SmppAccount, 'onReceipt'>;

/** The texts of `config/texts/`, ready to be said. */
export function phrasesOf(config: Rooms['config']): Phrases {
  return createPhrases(loadTexts(new URL('../../config/texts/', import.meta.url)), {
    serviceCode: config.ussd.serviceCode,
    wallet: config.texts.wallet,
    defaultLanguage: config.texts.defaultLanguage,
  });
}

/** Dialogs, messages and notices behind these accounts; notices go out by the first of them. */
export function answerPhones(
  rooms: Rooms,
  core: Pick<Core, 'purchases' | 'setNotices'>,
  accounts: readonly PhoneAccount[],
  figures: Metrics,
  phrases: Phrases = phrasesOf(rooms.config),
): { drain(): Promise<void> } {
  const { config, log, clock, store, board, chance } = rooms;
  const shared = {
    cutoffMs: config.payment.cutoffMs,
    phrases,
    dialogs: board.dialogs,
    orders: board.orders,
    directory: store.directory,
    subscribers: store.subscribers,
    purchases: core.purchases,
    newPurchaseId: chance.newPurchaseId,
    newId: chance.newId,
    clock,
    log,
    metrics: figures,
  };
  const ussd = createUssdGateway({ ...shared, settings: config.ussd });
  const sms = createSmsGateway({ ...shared, settings: config.sms, newCode: chance.newCode });
  const [sender] = accounts;
  if (sender === undefined) throw new Fault('no_smpp_account', 'no');
  core.setNotices(createNotifier({ settings: config.sms, phrases, sender, clock, log, metrics: figures }));
  for (const account of accounts) {
    ussd.listen(account);
    sms.listen(account);
    account.onReceipt((receipt) => {
      figures.count('sms_receipts_total', { state: receipt.state });
      return Promise.resolve();
    });
  }
  return {
    drain: async () => {
      await Promise.all([ussd.drain(), sms.drain()]);
    },
  };
}

function buildAccount(rooms: Rooms, name: string, figures: Metrics): SmppAccount {
  const { config, clock, log } = rooms;
  const settings = config.smpp.accounts[name];
  if (settings === undefined) throw new Fault('no_smpp_account', 'no');
  const dialect = readDialect(settings.dialect);
  if (!dialect.ok) throw new Fault('dialect_invalid', 'no', dialect.refusal.problems.join('; '));
  const binds = config.smpp.binds.filter((bind) => bind.account === name);
  return createAccount(
    {
      name,
      dialect: dialect.value,
      policy: settings.policy,
      smsSource: settings.smsSource,
      maxDialogs: config.ussd.maxDialogs,
      binds: binds.map(({ account: _account, ...bind }) => bind),
    },
    {
      clock,
      random: rooms.chance.random,
      log,
      metrics: figures,
    },
  );
}
