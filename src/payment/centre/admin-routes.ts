/**
 * The admin face of the centre, on a port of its own: opens accounts, pays in, and shows the ledger's evidence. Numbers
 * travel in bodies, never in addresses.
 */
import Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import { decimalOf, isCurrency, parseDecimal } from '../../money.ts';
import type { Accounts, PayerAccount } from './account.ts';
import type { CentreLog } from './centre-config.ts';
import { createFace, isToken, readBody } from './http-face.ts';
import type { Ledger } from './ledger.ts';
import { isUuid } from './objects.ts';
import type { CredentialKey, PinBook } from './pin.ts';
import type { Finding } from './verify.ts';

/** What the admin face works with. */
export type AdminDeps = {
  /** Reads the whole ledger on a connection of its own. */
  readonly verify: () => Promise<readonly Finding[]>;
  readonly ledger: Ledger;
  readonly accounts: Accounts;
  readonly pins: PinBook;
  readonly credentialKey: CredentialKey;
  readonly token: string;
  readonly log: CentreLog;
  readonly newId: () => string;
};

const currency = z.string().refine(isCurrency, 'a currency of the table');
const msisdn = z.string().regex(/^[1-9]\d{7,14}$/);
const walletShape = z.strictObject({ msisdn, currency });
const openShape = z.strictObject({
  name: z.string().min(1).max(80),
  msisdn,
  currency,
  creditLimit: z.string().default('0'),
  validation: z.enum(['default', 'never', 'always', 'above']).default('default'),
  validationAbove: z.string().nullable().default(null),
  pin: z
    .string()
    .regex(/^\d{4,6}$/)
    .nullable()
    .default(null),
});
const cashShape = z.strictObject({ msisdn, currency, amount: z.string() });
const statusShape = z.strictObject({ msisdn, currency, status: z.enum(['available', 'unavailable']) });
const operatorShape = z.strictObject({ operator: z.string().min(1).max(64), currency });

const STATEMENT_LINES = 100;

type Reply = { readonly status: number; readonly body: unknown };
const refused = (status: number, code: string): Reply => ({ status, body: { error: code } });
const unknownWallet = refused(404, 'unknown_wallet');

async function open(deps: AdminDeps, body: unknown): Promise<Reply> {
  const asked = openShape.safeParse(body);
  if (!asked.success) return refused(400, 'invalid_body');
  const creditLimit = parseDecimal(asked.data.creditLimit, asked.data.currency);
  const above =
    asked.data.validationAbove === null ? null : parseDecimal(asked.data.validationAbove, asked.data.currency);
  if (!creditLimit.ok || above?.ok === false) return refused(400, 'not_an_amount');
  const opened = await deps.accounts.openWallet({
    name: asked.data.name,
    msisdn: asked.data.msisdn,
    currency: asked.data.currency,
    creditLimit: creditLimit.value.minor,
    validation: asked.data.validation,
    validationAbove: above === null ? null : above.value.minor,
  });
  if (asked.data.pin !== null)
    await deps.accounts.setPin(opened.holder, await deps.pins.hash(opened.holder, asked.data.pin));
  return { status: 201, body: opened };
}

async function cashIn(deps: AdminDeps, body: unknown, key: string): Promise<Reply> {
  const asked = cashShape.safeParse(body);
  if (!asked.success || !isUuid(key)) return refused(400, asked.success ? 'idempotency_key_missing' : 'invalid_body');
  const amount = parseDecimal(asked.data.amount, asked.data.currency);
  if (!amount.ok || amount.value.minor === 0n) return refused(400, 'not_an_amount');
  const payer = await deps.accounts.findPayer(asked.data.msisdn, asked.data.currency);
  if (payer === null || payer.wallet === null) return unknownWallet;
  const hash = Buffer.from(`${payer.wallet} ${amount.value.minor}`);
  const answer = await deps.ledger.cashIn(
    { client: 'admin', key: key.toLowerCase(), hash },
    deps.newId(),
    payer.wallet,
    amount.value.minor,
  );
  return answer.status === 201 ? { status: 201, body: { transfer: answer.object } } : refused(409, 'duplicate_request');
}

async function setStatus(deps: AdminDeps, body: unknown): Promise<Reply> {
  const asked = statusShape.safeParse(body);
  if (!asked.success) return refused(400, 'invalid_body');
  const payer = await deps.accounts.findPayer(asked.data.msisdn, asked.data.currency);
  if (payer === null || payer.wallet === null) return unknownWallet;
  await deps.accounts.setStatus(payer.wallet, asked.data.status);
  return { status: 200, body: { status: asked.data.status } };
}

async function readWallet(deps: AdminDeps, body: unknown): Promise<Reply> {
  const asked = walletShape.safeParse(body);
  if (!asked.success) return refused(400, 'invalid_body');
  const payer: PayerAccount | null = await deps.accounts.findPayer(asked.data.msisdn, asked.data.currency);
  if (payer === null || payer.wallet === null) return unknownWallet;
  const text = (minor: bigint): string => decimalOf({ minor, currency: asked.data.currency });
  const lines = await deps.accounts.statement(payer.wallet, STATEMENT_LINES);
  const statement = lines.map((line) => ({
    seq: line.seq.toString(),
    kind: line.kind,
    amount: text(line.delta),
    balance: text(line.balance),
    at: line.at.toISOString(),
    transfer: line.transfer,
    original: line.original,
  }));
  return {
    status: 200,
    body: {
      currency: asked.data.currency,
      balance: text(payer.posted),
      held: text(payer.held),
      available: text(payer.available),
      statement,
    },
  };
}

async function openOperator(deps: AdminDeps, body: unknown): Promise<Reply> {
  const asked = operatorShape.safeParse(body);
  if (!asked.success) return refused(400, 'invalid_body');
  return { status: 201, body: { holder: await deps.accounts.openOperator(asked.data.operator) } };
}

async function readOperator(deps: AdminDeps, body: unknown): Promise<Reply> {
  const asked = operatorShape.safeParse(body);
  if (!asked.success) return refused(400, 'invalid_body');
  const operator = await deps.accounts.findOperator(asked.data.operator);
  if (operator === null) return refused(404, 'unknown_operator');
  const balance = await deps.accounts.operatorBalance(operator, asked.data.currency);
  const text = (minor: bigint): string => decimalOf({ minor, currency: asked.data.currency });
  return {
    status: 200,
    body: { currency: asked.data.currency, pending: text(balance.pending), available: text(balance.available) },
  };
}

async function jsonOf(ctx: Context): Promise<unknown> {
  const bytes = await readBody(ctx);
  if (bytes === null) return undefined;
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** The application that tellers, tests and the demonstration talk to. */
export function createAdminFace(deps: AdminDeps): ReturnType<typeof createFace> {
  const app = createFace('admin', deps.log);
  const router = new Router();
  const post = (path: string, act: (body: unknown, ctx: Context) => Promise<Reply>): void => {
    router.post(path, async (ctx) => {
      const reply = await act(await jsonOf(ctx), ctx);
      ctx.status = reply.status;
      ctx.body = reply.body;
    });
  };
  post('/wallets', (body) => open(deps, body));
  post('/wallets/read', (body) => readWallet(deps, body));
  post('/wallets/status', (body) => setStatus(deps, body));
  post('/cash-in', (body, ctx) => cashIn(deps, body, ctx.get('idempotency-key')));
  post('/operators', (body) => openOperator(deps, body));
  post('/operators/read', (body) => readOperator(deps, body));
  router.get('/verify', async (ctx) => {
    ctx.body = { findings: await deps.verify() };
  });
  app.use(async (ctx, next) => {
    if (isToken(ctx.get('authorization'), deps.token)) await next();
    else ctx.status = 401;
  });
  app.use(router.routes());
  return app;
}
