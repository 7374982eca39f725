/**
 * A real centre on a real PostgreSQL for one test file, and the shortest ways to ask it things.
 */
import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { v7 } from 'uuid';
import { postgresUrl } from '../../src/engines/postgres-server.ts';
import type { Money } from '../../src/money.ts';
import { type Accounts, createAccounts } from '../../src/payment/centre/account.ts';
import { type Centre, startCentre } from '../../src/payment/centre/centre.ts';
import { type CentreConfigInput, type CentreLog, centreConfigShape } from '../../src/payment/centre/centre-config.ts';
import {
  connectLedger,
  createLedger,
  type Keyed,
  type Ledger,
  type Order,
  type Sql,
} from '../../src/payment/centre/ledger.ts';
import { verifyLedger } from '../../src/payment/centre/verify.ts';
import { createGsmaConnector, type GsmaConnector } from '../../src/payment/gsma.ts';
import { type GsmaConnectorConfigInput, gsmaConnectorShape } from '../../src/payment/gsma-config.ts';
import type { Outcome, Terms } from '../../src/purchase/payment-port.ts';
import { systemClock } from '../../src/time.ts';
import { freshDatabase, type TestDatabase } from '../support/servers.ts';

export const CLIENT_TOKEN = 'token-of-the-relation-server';
export const ADMIN_TOKEN = 'token-of-the-admin-face';
export const OPERATOR = 'SNACKS';

export type LogLine = { readonly event: string; readonly fields: Readonly<Record<string, unknown>> };

export type TestCentre = {
  readonly centre: Centre;
  readonly database: TestDatabase;
  readonly config: CentreConfigInput;
  /** As the owner of the tables, who may do what the running centre may not. */
  readonly owner: Sql;
  /** As the running centre. */
  readonly app: Sql;
  readonly ledger: Ledger;
  readonly accounts: Accounts;
  readonly lines: LogLine[];
  stop(): Promise<void>;
};

export function xof(minor: bigint): Money {
  return { minor, currency: 'XOF' };
}

export function collectingLog(lines: LogLine[]): CentreLog {
  const keep = (fields: Readonly<Record<string, unknown>>, event: string): void => {
    lines.push({ event, fields });
  };
  return { info: keep, warn: keep, error: keep };
}

export async function startTestCentre(more: Partial<CentreConfigInput> = {}): Promise<TestCentre> {
  const database = await freshDatabase('centre');
  const lines: LogLine[] = [];
  const config: CentreConfigInput = {
    databaseUrl: postgresUrl(database.owner),
    appDatabaseUrl: postgresUrl(database.app),
    admin: { token: ADMIN_TOKEN },
    clients: [
      { id: 'relais', token: CLIENT_TOKEN },
      { id: 'other', token: 'token-of-another-server', mayReadBalances: true },
    ],
    pepper: 'a pepper for tests only',
    ...more,
  };
  const centre = await startCentre(centreConfigShape.parse(config), { log: collectingLog(lines), clock: systemClock });
  const owner = connectLedger(postgresUrl(database.owner), 4);
  const app = connectLedger(postgresUrl(database.app), 16);
  const accounts = createAccounts(app, v7);
  await accounts.openOperator(OPERATOR);
  const stop = async (): Promise<void> => {
    await Promise.all([owner.end(), app.end(), centre.stop()]);
    await database.drop();
  };
  return { centre, database, config, owner, app, ledger: createLedger(app, v7), accounts, lines, stop };
}

let lastNumber = 33_639_981_000;

export type TestWallet = {
  readonly msisdn: string;
  readonly holder: string;
  readonly wallet: string;
  readonly operator: string;
};

/** A wallet of its own with so much on it, paid in, and PIN 2468 where one is asked. */
export async function openTestWallet(
  from: TestCentre,
  minor: bigint,
  validation: 'never' | 'always' = 'never',
): Promise<TestWallet> {
  lastNumber += 1;
  const msisdn = String(lastNumber);
  const body = {
    name: 'Test',
    msisdn,
    currency: 'XOF',
    validation,
    ...(validation === 'always' ? { pin: '2468' } : {}),
  };
  const opened = await admin(from, '/wallets', body);
  expect(opened.status).to.equal(201);
  if (minor > 0n) {
    const paid = await admin(from, '/cash-in', { msisdn, currency: 'XOF', amount: minor.toString() });
    expect(paid.status).to.equal(201);
  }
  const payer = await from.accounts.findPayer(msisdn, 'XOF');
  const operator = await from.accounts.findOperator(OPERATOR);
  if (payer === null || payer.wallet === null || operator === null) throw new Error('the wallet was not opened');
  return { msisdn, holder: payer.holder, wallet: payer.wallet, operator };
}

export async function admin(
  from: TestCentre,
  path: string,
  body: unknown,
  key = randomUUID(),
): Promise<{ status: number; body: unknown }> {
  const answer = await fetch(`${from.centre.adminUrl}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: await answer.json() };
}

export function keyed(key: string = randomUUID(), hash = 'body'): Keyed {
  return { client: 'relais', key, hash: Buffer.from(hash) };
}

/** A JSON object from a wire; an empty text is an empty one. */
export function objectIn(text: string): Record<string, unknown> {
  const value: unknown = text === '' ? {} : JSON.parse(text);
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}

/** What lies on a wallet: posted and held. */
export async function balanceOf(from: TestCentre, msisdn: string): Promise<{ posted: bigint; held: bigint }> {
  const payer = await from.accounts.findPayer(msisdn, 'XOF');
  if (payer === null) throw new Error('no such wallet');
  return { posted: payer.posted, held: payer.held };
}

/** Every money test ends here. */
export async function expectSound(from: TestCentre): Promise<void> {
  expect(await verifyLedger(from.app)).to.deep.equal([]);
}

export function connectorFor(url: string, more: Partial<GsmaConnectorConfigInput> = {}): GsmaConnector {
  const config = gsmaConnectorShape.parse({
    id: 'centre',
    baseUrl: url,
    clientId: 'relais',
    token: CLIENT_TOKEN,
    ...more,
  });
  return createGsmaConnector(config, { clock: systemClock });
}

export function termsFor(wallet: TestWallet, price: bigint, plan: Terms['plan']): Terms {
  return { purchaseId: v7(), payer: wallet.msisdn, operator: OPERATOR, machineNumber: '4567', price: xof(price), plan };
}

export function authorizeOf(terms: Terms, key: string = randomUUID()) {
  const holdMs = terms.plan === 'hold_capture' ? 3_600_000 : null;
  return { key, terms, expiresInMs: 60_000, holdMs, channel: 'ussd' as const, text: 'Chips' };
}

/** The reference of an outcome that must have one. */
export function refOf(outcome: Outcome): string {
  if (outcome.kind === 'done' || outcome.kind === 'needs_validation') return outcome.ref;
  throw new Error(`no reference in ${JSON.stringify(outcome)}`);
}

const NOW = { isValidated: false, expiresInMs: 60_000n };
const STATEMENT = { machine: '4567', description: 'Chips' };

function orderOf(wallet: TestWallet, amount: bigint): Order {
  return { payer: wallet.wallet, operator: wallet.operator, amount, currency: 'XOF', reference: v7() };
}

/** An immediate debit, as the ledger takes it. */
export function debitOf(wallet: TestWallet, amount: bigint, fee = 0n) {
  return { ...orderOf(wallet, amount), ...STATEMENT, ...NOW, fee };
}

/** A hold that needs no validation. */
export function holdOf(wallet: TestWallet, amount: bigint, lifetimeMs = 3_600_000n) {
  return { ...orderOf(wallet, amount), ...NOW, lifetimeMs };
}

/** A capture of this hold. */
export function captureOf(wallet: TestWallet, amount: bigint, hold: string, fee = 0n) {
  return { ...orderOf(wallet, amount), ...STATEMENT, hold, fee };
}
