/**
 * What a person does at the command line, wired: a short process beside the nodes, with the journal and nothing else.
 * What it plans is due at once and belongs to nobody, so that any running node carries it out.
 */
import { userInfo } from 'node:os';
import type { ActName, Whole } from '../cli/purchases.ts';
import type { Config } from '../config.ts';
import { cleaned, type Log } from '../log.ts';
import { createGsmaConnector } from '../payment/gsma.ts';
import { createCoordinator } from '../purchase/coordinator.ts';
import { maskMsisdn } from '../purchase/msisdn.ts';
import { type Act, type ActOutcome, createPeople } from '../purchase/people.ts';
import type { PurchaseId } from '../purchase/purchase.ts';
import { givesBackParts } from '../purchase/rules.ts';
import type { Loaded } from '../purchase/store-port.ts';
import { Fault } from '../result.ts';
import { connectionOfUrl } from '../store/connection.ts';
import { type Desk, openDesk } from '../store/desk.ts';
import { systemClock } from '../time.ts';
import { buildStore, rulesOf } from './edges.ts';
import { keyOf } from './names.ts';

/** The desk of one command. */
export type PeopleDesk = Pick<Desk, 'find' | 'openCases'> & {
  /** `amountMinor` counts for a refund alone. */
  act(name: ActName, id: PurchaseId, act: Act, amountMinor: bigint | null): Promise<ActOutcome>;
  whole(loaded: Loaded): Promise<Whole>;
  close(): Promise<void>;
};

/** Opens it. @throws Fault `database_not_configured` */
export function openPeopleDesk(config: Config, log: Log): PeopleDesk {
  if (config.database.url === null) throw new Fault('database_not_configured', 'no');
  const clock = systemClock;
  const store = buildStore(config, { log }, clock);
  const desk = openDesk(connectionOfUrl(config.database.url), clock);
  const wallet = createGsmaConnector(config.payment.wallet, { clock });
  const coordinator = createCoordinator({
    store: store.purchases,
    // The order a person decides about left the board long ago, by its own deadline.
    board: { release: async () => 'not_held', close: async () => ({ kind: 'none' }) },
    machines: { holds: () => false, deny: async () => undefined },
    keyOf,
    clock,
    rules: rulesOf(config),
    leaseMs: config.effects.leaseMs,
    keepsEffects: false,
    run: () => undefined,
    nudge: () => undefined,
    onChange: () => undefined,
    onTrouble: (what, id, error) => log.error('trouble', { what, purchaseId: id }, error),
  });
  const people = createPeople({
    coordinator,
    store: store.purchases,
    reader: store.reader,
    refundsOf: (id) => desk.refundsOf(id),
    givesBackParts: (provider) => provider === wallet.name && givesBackParts(wallet.capabilities),
    keyOf,
  });
  return {
    act: (name, id, act, amountMinor) => {
      if (name === 'refund') return people.refund(id, act, amountMinor);
      return name === 'confirm' ? people.confirm(id, act) : people.acceptLoss(id, act);
    },
    find: (name) => desk.find(name),
    openCases: (limit) => desk.openCases(limit),
    whole: async (loaded) => ({
      loaded,
      payer: await maskedPayer(loaded, (id) => store.subscribers.msisdnOf(id)),
      timeline: await store.reader.timeline(loaded.purchase.id),
      beside: await desk.beside(loaded),
    }),
    close: async () => {
      await Promise.all([store.close(), desk.close(), wallet.close()]);
    },
  };
}

async function maskedPayer({ purchase }: Loaded, msisdnOf: (id: bigint) => Promise<string>): Promise<string | null> {
  try {
    return maskMsisdn(await msisdnOf(purchase.payerId));
  } catch (error) {
    if (error instanceof Fault && error.code === 'subscriber_erased') return null;
    throw error;
  }
}

/**
 * Who acts and why, fit to be kept: a phone number that slipped into the words is masked. By default the login's name;
 * empty where the login has none.
 */
export function actOf(reason: string, by: string | undefined): { readonly by: string; readonly reason: string } {
  const words = (text: string): string => String(cleaned(text.trim()));
  return { by: words(by ?? loginName()), reason: words(reason) };
}

/** A user without an entry in the list of users, as in our own image, has no name. */
function loginName(): string {
  try {
    return userInfo().username;
  } catch {
    return '';
  }
}
