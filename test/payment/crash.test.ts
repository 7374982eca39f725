import { expect } from 'chai';
import { v7 } from 'uuid';
import { type PostgresServer, postgresUrl } from '../../src/engines/postgres-server.ts';
import { createAccounts } from '../../src/payment/centre/account.ts';
import { type Centre, startCentre } from '../../src/payment/centre/centre.ts';
import { centreConfigShape } from '../../src/payment/centre/centre-config.ts';
import { connectLedger, type Sql } from '../../src/payment/centre/ledger.ts';
import { verifyLedger } from '../../src/payment/centre/verify.ts';
import type { GsmaConnector } from '../../src/payment/gsma.ts';
import type { Outcome } from '../../src/purchase/payment-port.ts';
import { systemClock } from '../../src/time.ts';
import { startOwnPostgres } from '../support/servers.ts';
import { ADMIN_TOKEN, authorizeOf, CLIENT_TOKEN, collectingLog, connectorFor, termsFor } from './centre-for-test.ts';

const PAYER = '33639980001';

describe('a centre whose database is killed', function () {
  this.timeout(60_000);
  let server: PostgresServer;
  let centre: Centre;
  let wallet: GsmaConnector;
  let sql: Sql;
  before(async () => {
    server = await startOwnPostgres();
    const config = centreConfigShape.parse({
      databaseUrl: postgresUrl(server.addressOf('centre_owner', 'relais_centre')),
      appDatabaseUrl: postgresUrl(server.addressOf('centre_app', 'relais_centre')),
      admin: { token: ADMIN_TOKEN },
      clients: [{ id: 'relais', token: CLIENT_TOKEN }],
      pepper: 'a pepper for tests only',
      demoSeed: true,
    });
    centre = await startCentre(config, { log: collectingLog([]), clock: systemClock });
    wallet = connectorFor(centre.url, {
      budgets: { connectMs: 500, checkMs: 500, authorizeMs: 1_000, otherMs: 1_000 },
    });
    sql = connectLedger(config.appDatabaseUrl ?? '', 2);
  });
  after(async () => {
    await wallet.close();
    await sql.end({ timeout: 1 });
    await centre.stop();
    await server.stop();
  });

  it('calls nothing done that is lost, nothing declined that was done, and finds every key again', async () => {
    const accounts = createAccounts(sql, v7);
    const operator = (await accounts.findOperator('DEMO')) ?? '';
    const payer = { msisdn: PAYER, holder: '', wallet: '', operator };
    const commands = Array.from({ length: 60 }, () =>
      authorizeOf({ ...termsFor(payer, 10n, 'debit_refund'), operator: 'DEMO' }),
    );
    const first = commands.slice(0, 20).map((command) => wallet.authorize(command));
    await Promise.race(first);
    const killed = server.kill9();
    const rest = commands.slice(20).map((command) => wallet.authorize(command));
    await killed;
    const outcomes = await Promise.all([...first, ...rest]);
    expect(outcomes.some((outcome) => outcome.kind === 'unknown')).to.equal(true);
    expect(outcomes.filter((outcome) => outcome.kind === 'declined')).to.deep.equal([]);
    await server.restart();
    const found: Outcome[] = [];
    for (const { key, terms } of commands) {
      let outcome: Outcome = { kind: 'unknown', cause: 'status' };
      while (outcome.kind === 'unknown') outcome = await wallet.query({ of: 'authorize', key, terms, ref: null });
      found.push(outcome);
    }
    const lost = outcomes.filter((outcome, n) => outcome.kind === 'done' && found[n]?.kind !== 'done');
    expect(lost).to.deep.equal([]);
    const taken = found.filter((outcome) => outcome.kind === 'done').length;
    expect((await accounts.findPayer(PAYER, 'XOF'))?.posted).to.equal(25_000n - 10n * BigInt(taken));
    expect(await verifyLedger(sql)).to.deep.equal([]);
  });
});
