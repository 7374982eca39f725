import { expect } from 'chai';
import postgres from 'postgres';
import { stringify } from 'yaml';
import { settingsFor } from '../audit/audited-world.ts';
import { type Files, openFiles } from '../config/settings-for-test.ts';
import { buyAt, machineOf } from '../journey/buying.ts';
import { type NodeForTest, startNodeForTest, until } from '../journey/node-for-test.ts';
import type { TestWallet } from '../payment/centre-for-test.ts';
import { type Ended, runRelais } from './relais.ts';

describe('relais purchases', function () {
  this.timeout(60_000);
  let node: NodeForTest;
  let files: Files;
  let config: string;

  before(async function () {
    this.timeout(120_000);
    node = await startNodeForTest({ machineCount: 4, config: { drainMs: 500 } });
    files = openFiles();
    config = files.write('relais.yaml', stringify(settingsFor(node.database)));
    await until('machines are connected', () =>
      [...node.machines.values()].every((each) => each.status().agent?.link === 'ready'),
    );
  });
  after(async function () {
    this.timeout(60_000);
    files.remove();
    await node.stop();
  });

  const relais = (...parameters: readonly string[]): Promise<Ended> =>
    runRelais(['purchases', ...parameters, '--config', config], { RELAIS_LOG__LEVEL: 'silent' });

  /** A purchase that nobody knows the end of: the machine hangs, and its time is up. */
  async function inDoubt(number: string): Promise<{ readonly id: string; readonly payer: TestWallet }> {
    machineOf(node, number).setFault('hang');
    const bought = await buyAt(node, number, 1_000n, 'approving');
    await until(
      'the machine has accepted',
      async () => (await node.running.purchases.view(bought.id))?.state === 'vending',
    );
    await node.running.coordinator.apply(bought.id, { type: 'deadline_passed' });
    return bought;
  }

  async function stateOf(id: string): Promise<string> {
    return (await node.running.purchases.view(id))?.state ?? 'none';
  }

  async function rows(
    statement: (sql: postgres.Sql) => postgres.PendingQuery<postgres.Row[]>,
  ): Promise<readonly postgres.Row[]> {
    const sql = postgres({ ...node.database.app, max: 1 });
    try {
      return [...(await statement(sql))];
    } finally {
      await sql.end();
    }
  }

  it('refunds a sale at most once, by whoever comes first, and writes down who it was', async () => {
    const { id, payer } = await buyAt(node, '1000', 1_000n, 'completed');
    const [one, other] = await Promise.all([
      relais('refund', id, '--reason', 'cold', '--by', 'awa'),
      relais('refund', id, '--reason', 'cold coffee', '--by', 'bintou'),
    ]);
    expect([one.code, other.code]).to.deep.equal([0, 0]);
    const said = [one.stdout, other.stdout].sort(
      (a, b) => Number(a.includes('did this')) - Number(b.includes('did this')),
    );
    expect(said[0]).to.match(/ 500 F CFA is given back\. A running node carries it out within seconds\.\n$/);
    expect(said[1]).to.match(/: (awa|bintou) did this at 20\S+Z \(500 F CFA\)\. Nothing was done again\.\n$/);
    await until('the payer has his money back', async () => (await node.balanceOf(payer)) === 1_000n);
    const log = await rows(
      (sql) => sql`SELECT actor, action, subject, content, operator_id FROM audit_log WHERE subject = ${id}`,
    );
    expect(log).to.have.length(1);
    expect(log[0]).to.deep.include({ action: 'refund', operator_id: 1 });
    expect(said[1]).to.include(`: ${String(log[0]?.['actor'])} did this`);
    expect(await node.findings()).to.deep.equal([]);
  });

  it('refunds in parts, and never more than the price', async () => {
    const { id, payer } = await buyAt(node, '1000', 1_000n, 'completed');
    const part = await relais('refund', id, '--reason', 'half', '--amount', '200');
    const tooMuch = await relais('refund', id, '--reason', 'all', '--amount', '301');
    expect([part.code, tooMuch.code]).to.deep.equal([0, 1]);
    expect(tooMuch.stderr).to.match(/: That is more than what is left of the price\. Nothing was changed\.\n$/);
    await until('a part is back', async () => (await node.balanceOf(payer)) === 700n);
    const rest = await relais('refund', id, '--reason', 'rest', '--json');
    expect(JSON.parse(rest.stdout)).to.deep.include({ id, act: 'refund', outcome: 'done', amountMinor: '300' });
    await until('all of it is back', async () => (await node.balanceOf(payer)) === 1_000n);
    expect(await node.findings()).to.deep.equal([]);
  });

  it('lists what waits for a person, and a refund from there goes back at once', async () => {
    const { id, payer } = await inDoubt('1001');
    const list = await relais('list', '--attention');
    expect(list.code).to.equal(0);
    expect(list.stdout).to.match(
      new RegExp(
        `^[2-9A-HJ-NP-Z]{6} ${id} {2}0 min {2}500 F CFA {2}journey-1001 {2}in_doubt: nobody knows whether the good came out\\. What to do: .*relais purchases refund ${id}\\.\\n`,
      ),
    );
    const refund = await relais('refund', id, '--reason', `he called from +${payer.msisdn}`, '--by', 'awa');
    expect(refund.code, refund.stderr).to.equal(0);
    await until('it is reversed', async () => (await stateOf(id)) === 'reversed', 10_000);
    expect(await node.balanceOf(payer)).to.equal(1_000n);
    const again = await relais('refund', id, '--reason', 'again', '--by', 'bintou');
    expect(again.stdout).to.match(/: awa did this at /);
    const show = await relais('show', id);
    expect(show.stdout).to.include('a person decided for the payer (awa, he called from').and.not.include(payer.msisdn);
    expect(await rows((sql) => sql`SELECT actor, action FROM audit_log WHERE subject = ${id}`)).to.deep.equal([
      { actor: 'awa', action: 'operator_refunded' },
    ]);
    expect(await node.findings()).to.deep.equal([]);
  });

  it('confirms a delivery, found by its reference', async () => {
    const { id } = await inDoubt('1002');
    const [row] = await rows((sql) => sql`SELECT reference FROM purchases WHERE id = ${id}`);
    const confirmed = await relais('confirm', String(row?.['reference']).toLowerCase(), '--reason', 'on camera');
    expect(confirmed.code, confirmed.stderr).to.equal(0);
    await until('it is completed', async () => (await stateOf(id)) === 'completed', 10_000);
    const refused = await relais('accept-loss', id, '--reason', 'none');
    expect([refused.code, refused.stdout]).to.deep.equal([1, '']);
    expect(refused.stderr).to.match(
      /: There is no loss: the purchase is not being collected\. Nothing was changed\.\n$/,
    );
  });

  it('shows a purchase as it went, the number masked', async () => {
    const { id, payer } = await buyAt(node, '1003', 1_000n, 'completed');
    const [text, json] = await Promise.all([relais('show', id), relais('show', id, '--json')]);
    expect(text.code).to.equal(0);
    const shape = text.stdout
      .replaceAll(/20\S+Z/g, 'T')
      .replaceAll(/\[[^\]]+\]/g, '[node]')
      .replace(/order \d+/, 'order N')
      // Written down only where the delivery takes more than a second.
      .replace(/.*the machine accepted.*\n/, '')
      .split('\n');
    expect(shape.slice(1, 9)).to.deep.equal([
      '  completed',
      '  500 F CFA, Café long, machine 1003 (journey-1003), order N',
      `  payer ${payer.msisdn.slice(0, 5)}****${payer.msisdn.slice(-2)} by ussd, wallet centre, hold_capture, to SNACKS`,
      'Timeline',
      '  T  the payer said yes: authorizing  [node]',
      '  T  the wallet secured the price: approving  [node]',
      '  T  the machine says that the good came out: settling  [node]',
      '  T  the operator has the money: completed  [node]',
    ]);
    expect(JSON.parse(json.stdout)).to.deep.include({ id, state: 'completed' });
    expect(text.stdout + json.stdout).to.not.include(payer.msisdn);
    const [row] = await rows(
      (sql) => sql`SELECT content FROM purchase_events WHERE purchase_id = ${id} AND version = 2`,
    );
    const told = ['by', 'reason', 'code', 'result', 'basis'];
    expect(JSON.stringify(row?.['content']), 'what the wallet said').to.include('":"');
    const { timeline } = JSON.parse(json.stdout) as { readonly timeline: readonly { readonly content: object }[] };
    expect(
      timeline.flatMap(({ content }) => Object.keys(content)).filter((name) => !told.includes(name)),
    ).to.deep.equal([]);
  });

  it('does not take its own name for a person, nor a login without one', async () => {
    const nameless = `data:text/javascript,import os from 'node:os';import{syncBuiltinESMExports as s}from'node:module';os.userInfo=()=>{throw new Error('ENOENT')};s()`;
    const act = ['purchases', 'refund', 'K7M2QX', '--reason', 'x', '--config', config];
    const [own, none] = await Promise.all([
      relais('refund', 'K7M2QX', '--reason', 'x', '--by', 'Relais'),
      runRelais(act, { NODE_OPTIONS: `--import "${nameless}"` }),
    ]);
    expect([own.code, own.stderr]).to.deep.equal([
      2,
      'Say who decides: --by; Relais is the name of the program itself.\n',
    ]);
    expect([none.code, none.stderr]).to.deep.equal([2, 'Say who decides: --by; this login has no name.\n']);
  });

  it('says what it was not told, and what it does not find', async () => {
    const [list, reason, amount, nobody] = await Promise.all([
      relais('list'),
      relais('refund', 'K7M2QX'),
      relais('refund', 'K7M2QX', '--reason', 'x', '--amount', '1.5'),
      relais('show', 'K7M2QX'),
    ]);
    expect([list.code, reason.code, amount.code, nobody.code]).to.deep.equal([2, 2, 2, 1]);
    expect(nobody.stderr).to.equal('There is no purchase K7M2QX.\n');
  });
});
