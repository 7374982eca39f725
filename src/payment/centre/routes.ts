/**
 * The GSMA face of the centre: the routes of section 3 of the payment page that a relation server uses.
 */
import Router from '@koa/router';
import type { Context } from 'koa';
import { decimalOf, isCurrency, parseDecimal } from '../../money.ts';
import { errorBody, GSMA_PATH } from '../gsma-messages.ts';
import type { Accounts } from './account.ts';
import { type Acts, digitsOf } from './acts.ts';
import { authenticate, type Call, type Client, readCall, sendError, sendPlainAnswer } from './call.ts';
import type { CentreConfig, CentreLog } from './centre-config.ts';
import { createFace } from './http-face.ts';
import type { Answer } from './ledger.ts';
import type { Body, Objects } from './objects.ts';
import type { CredentialKey } from './pin.ts';
import { needsPin } from './policy.ts';

/** What the GSMA face shows. */
export type FaceDeps = {
  readonly acts: Acts;
  readonly objects: Objects;
  readonly accounts: Accounts;
  readonly credentialKey: CredentialKey;
  readonly clients: readonly Client[];
  readonly policy: CentreConfig['policy'];
  readonly log: CentreLog;
  readonly wall: () => number;
  /** True while the ledger answers. */
  readonly isHealthy: () => Promise<boolean>;
};

type Route = (ctx: Context, client: string, path: Readonly<Record<string, string>>) => Promise<void>;

const notFound = errorBody('identification', 'identifierError');

// The router's own type for them is `any`.
function parametersOf(ctx: Context): Readonly<Record<string, string>> {
  const parameters: unknown = ctx['params'];
  if (typeof parameters !== 'object' || parameters === null) return {};
  return Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, String(value)]));
}

function sendFound(ctx: Context, body: Body | null): void {
  if (body === null) sendError(ctx, 404, notFound);
  else ctx.body = body;
}

async function accountStatus(deps: FaceDeps, ctx: Context, number: string): Promise<void> {
  const msisdn = digitsOf(number);
  if (msisdn === null) return sendError(ctx, 400, errorBody('validation', 'formatError'));
  const { amount, currency } = ctx.query;
  const asked = typeof amount === 'string' && typeof currency === 'string' ? parseDecimal(amount, currency) : null;
  if (asked !== null && !asked.ok) return sendError(ctx, 400, errorBody('validation', 'formatError'));
  const payer = await deps.accounts.findPayer(msisdn, asked === null ? '' : asked.value.currency);
  if (payer === null) return sendError(ctx, 404, notFound);
  const accountStatus = payer.isUsable ? 'available' : 'unavailable';
  if (asked === null) {
    ctx.body = { accountStatus };
    return;
  }
  const price = asked.value.minor;
  const affordable = payer.available >= price ? 'affordable' : 'insufficient';
  const validation = needsPin(deps.policy, payer, price) ? ';validation=pin' : '';
  ctx.body = { accountStatus, subStatus: `${affordable}${validation}` };
}

/**
 * The balance, to clients that may see it; to all others, and where no wallet in that currency is, the account's status
 * alone. `currency`: a query parameter of ours, since one holder may have several wallets.
 */
async function accountBalance(deps: FaceDeps, ctx: Context, client: string, number: string): Promise<void> {
  const msisdn = digitsOf(number);
  if (msisdn === null) return sendError(ctx, 400, errorBody('validation', 'formatError'));
  const currency = typeof ctx.query['currency'] === 'string' ? ctx.query['currency'] : '';
  if (currency !== '' && !isCurrency(currency)) {
    return sendError(ctx, 400, errorBody('validation', 'currencyNotSupported'));
  }
  const payer = await deps.accounts.findPayer(msisdn, currency);
  if (payer === null) return sendError(ctx, 404, notFound);
  const accountStatus = payer.isUsable ? 'available' : 'unavailable';
  const mayRead = deps.clients.some((each) => each.id === client && each.mayReadBalances);
  if (!mayRead || payer.wallet === null) {
    ctx.body = { accountStatus };
    return;
  }
  const shown = (minor: bigint): string => decimalOf({ minor, currency });
  ctx.body = {
    accountStatus,
    currentBalance: shown(payer.posted),
    availableBalance: shown(payer.available),
    reservedBalance: shown(payer.held),
    currency,
  };
}

// The object that an act made, or how far its request has come.
async function sendAnswer(
  deps: FaceDeps,
  ctx: Context,
  client: string,
  answer: Answer,
  read: (id: string) => Promise<Body | null>,
): Promise<void> {
  if (sendPlainAnswer(ctx, answer)) return;
  const isMade = answer.status === 201 && answer.object !== null;
  ctx.body = isMade ? await read(answer.object ?? '') : await deps.objects.requestState(client, answer.serverKey);
  ctx.status = answer.status ?? 500;
}

function addReads(deps: FaceDeps, get: (path: string, route: Route) => void): void {
  get('/heartbeat', async (ctx) => {
    ctx.body = { serviceStatus: (await deps.isHealthy()) ? 'available' : 'unavailable' };
  });
  get('/accounts/msisdn/:number/status', (ctx, _client, path) => accountStatus(deps, ctx, path['number'] ?? ''));
  get('/accounts/msisdn/:number/balance', (ctx, client, path) =>
    accountBalance(deps, ctx, client, path['number'] ?? ''),
  );
  get('/transactions/:reference', async (ctx, client, path) =>
    sendFound(ctx, await deps.objects.transaction(client, path['reference'] ?? '')),
  );
  get('/accounts/msisdn/:number/authorisationcodes/:code', async (ctx, client, path) =>
    sendFound(ctx, await deps.objects.code(client, path['code'] ?? '', digitsOf(path['number']) ?? '')),
  );
  get('/requeststates/:id', async (ctx, client, path) =>
    sendFound(ctx, await deps.objects.requestState(client, path['id'] ?? '')),
  );
  get('/responses/:id', async (ctx, client, path) => {
    const link = await deps.objects.link(client, path['id'] ?? '');
    sendFound(ctx, link === null ? null : { link: `${GSMA_PATH}${link}` });
  });
}

type Act = (call: Call, path: Readonly<Record<string, string>>) => Promise<Answer>;

function addActs(
  deps: FaceDeps,
  add: (method: 'post' | 'patch', path: string, act: Act, reads: 'code' | 'transaction') => void,
): void {
  const { acts } = deps;
  add('post', '/transactions/type/merchantpay', (call) => acts.merchantPay(call), 'transaction');
  add('post', '/transactions/type/reversal', (call) => acts.reverseByKey(call), 'transaction');
  add(
    'post',
    '/transactions/:reference/reversals',
    (call, path) => acts.reverse(call, path['reference'] ?? ''),
    'transaction',
  );
  add(
    'patch',
    '/transactions/:reference',
    (call, path) => acts.patchTransaction(call, path['reference'] ?? ''),
    'transaction',
  );
  add(
    'post',
    '/accounts/msisdn/:number/authorisationcodes',
    (call, path) => acts.createCode(call, path['number'] ?? ''),
    'code',
  );
  add(
    'patch',
    '/accounts/msisdn/:number/authorisationcodes/:code',
    (call, path) => acts.patchCode(call, path['code'] ?? '', path['number'] ?? ''),
    'code',
  );
}

/** The application that relation servers talk to. */
export function createGsmaFace(deps: FaceDeps): ReturnType<typeof createFace> {
  const app = createFace('gsma', deps.log);
  const router = new Router({ prefix: GSMA_PATH });
  const authenticated =
    (route: Route) =>
    async (ctx: Context): Promise<void> => {
      const client = authenticate(ctx, deps.clients);
      if (client === null) sendError(ctx, 401, errorBody('authorisation', 'clientAuthorisationError'));
      else await route(ctx, client, parametersOf(ctx));
      // Last, so that remaining times, which are counted from it, are never told too long.
      ctx.set('X-Date', new Date(deps.wall()).toISOString());
    };
  addReads(deps, (path, route) => router.get(path, authenticated(route)));
  addActs(deps, (method, path, act, reads) =>
    router[method](
      path,
      authenticated(async (ctx, client, parameters) => {
        const call = await readCall(ctx, client);
        if ('error' in call) return sendError(ctx, call.status, call.error);
        const answer = await act(call, parameters);
        await sendAnswer(deps, ctx, client, answer, (id) =>
          reads === 'code'
            ? deps.objects.code(client, id, digitsOf(parameters['number']) ?? '')
            : deps.objects.transaction(client, id),
        );
      }),
    ),
  );
  app.use(async (ctx, next) => {
    if (ctx.path === '/.well-known/jwks.json' && ctx.method === 'GET')
      ctx.body = { keys: [deps.credentialKey.publicJwk] };
    else await next();
  });
  app.use(router.routes());
  app.use(async (ctx) => sendError(ctx, 404, notFound));
  return app;
}
