/**
 * The built-in payment centre: wallets, PINs, holds and a double-entry ledger behind the GSMA interface. A process and
 * a database of its own; relation servers know it only by HTTP.
 */
import type { JWK } from 'jose';
import { v7 } from 'uuid';
import type { Clock } from '../../time.ts';
import { GSMA_PATH } from '../gsma-messages.ts';
import { createAccounts } from './account.ts';
import { createActs } from './acts.ts';
import { createAdminFace } from './admin-routes.ts';
import type { CentreConfig, CentreLog } from './centre-config.ts';
import { type DemoWallet, seedDemo } from './demo-seed.ts';
import { type Listening, listen } from './http-face.ts';
import { connectLedger, createLedger, type Ledger, type Sql } from './ledger.ts';
import { migrateLedger } from './migrate.ts';
import { createObjects } from './objects.ts';
import { createCredentialKey, createPinBook } from './pin.ts';
import { createGsmaFace } from './routes.ts';
import { verifyApart } from './verify.ts';

/** What the centre is handed. */
export type CentreDeps = { readonly log: CentreLog; readonly clock: Clock };

/** A running centre. */
export type Centre = {
  /** Base of the GSMA face without its path, e.g. `http://127.0.0.1:41233`; the connector's `baseUrl`. */
  readonly url: string;
  readonly adminUrl: string;
  readonly port: number;
  readonly adminPort: number;
  /** The key to which PINs are encrypted; also at `/.well-known/jwks.json` of the GSMA face. */
  readonly publicJwk: JWK;
  /** Empty unless `demoSeed` was asked for. */
  readonly demoWallets: readonly DemoWallet[];
  /** Answers what is under way, then closes ports and database. */
  stop(): Promise<void>;
};

const SWEEP_MS = 1_000;
const SWEEP_LIMIT = 500;

function createNewId(): () => string {
  return () => v7();
}

// One sweep at a time; each plans the next one only when it is over.
function startSweep(ledger: Ledger, deps: CentreDeps): () => Promise<void> {
  let isStopped = false;
  let cancel = (): void => undefined;
  let running: Promise<void> = Promise.resolve();
  const plan = (): void => {
    if (isStopped) return;
    cancel = deps.clock.after(SWEEP_MS, () => {
      running = sweep();
    });
  };
  const sweep = async (): Promise<void> => {
    try {
      const ended = await ledger.expireDue(SWEEP_LIMIT);
      if (ended > 0n) deps.log.info({ ended: ended.toString() }, 'centre_expired');
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'none';
      deps.log.warn({ code }, 'centre_sweep_failed');
    }
    plan();
  };
  plan();
  return async () => {
    isStopped = true;
    cancel();
    await running;
  };
}

async function isAnswering(sql: Sql): Promise<boolean> {
  try {
    await sql`select 1`;
    return true;
  } catch {
    return false;
  }
}

async function serve(config: CentreConfig, deps: CentreDeps, sql: Sql): Promise<Centre> {
  const newId = createNewId();
  const ledger = createLedger(sql, newId);
  const accounts = createAccounts(sql, newId);
  const objects = createObjects(sql, () => deps.clock.wall());
  const pins = createPinBook(config.pepper);
  const credentialKey = await createCredentialKey();
  const acts = createActs({ ledger, accounts, objects, pins, credentialKey, policy: config.policy, newId });
  const demoWallets = config.demoSeed ? await seedDemo({ ledger, accounts, pins, newId }) : [];
  const face = createGsmaFace({
    acts,
    objects,
    accounts,
    credentialKey,
    clients: config.clients,
    policy: config.policy,
    log: deps.log,
    wall: () => deps.clock.wall(),
    isHealthy: () => isAnswering(sql),
  });
  const admin = createAdminFace({
    verify: () => verifyApart(config.appDatabaseUrl ?? config.databaseUrl),
    ledger,
    accounts,
    pins,
    credentialKey,
    token: config.admin.token,
    log: deps.log,
    newId,
  });
  const listening: Listening = await listen(face, config.listen, deps.clock);
  const adminListening: Listening = await listen(admin, config.admin, deps.clock).catch(async (error: unknown) => {
    await listening.stop();
    throw error;
  });
  const stopSweep = startSweep(ledger, deps);
  deps.log.info({ port: listening.port, adminPort: adminListening.port, path: GSMA_PATH }, 'centre_listening');
  return {
    url: `http://${config.listen.host}:${listening.port}`,
    adminUrl: `http://${config.admin.host}:${adminListening.port}`,
    port: listening.port,
    adminPort: adminListening.port,
    publicJwk: credentialKey.publicJwk,
    demoWallets,
    stop: async () => {
      await Promise.all([listening.stop(), adminListening.stop()]);
      await stopSweep();
      await sql.end({ timeout: 5 });
    },
  };
}

/**
 * Brings the database to this version, then listens.
 * @throws when the database is away, a migration fails, or a port is taken; nothing is left running then.
 */
export async function startCentre(config: CentreConfig, deps: CentreDeps): Promise<Centre> {
  await migrateLedger(config.databaseUrl, config.appDatabaseUrl, deps.log);
  const sql = connectLedger(config.appDatabaseUrl ?? config.databaseUrl, config.connections);
  try {
    return await serve(config, deps, sql);
  } catch (error) {
    await sql.end({ timeout: 1 });
    throw error;
  }
}
