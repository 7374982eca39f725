import { expect } from 'chai';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { loadCentreConfig, loadConfig } from '../../src/config.ts';
import { readYaml } from '../../src/settings-form.ts';
import { type Files, leastSettings, openFiles, problemsIn, secrets, valueIn } from './settings-for-test.ts';

describe('the sources of the configuration', () => {
  let files: Files;
  let least: string;

  before(() => {
    files = openFiles();
    least = files.write('least.yaml', stringify(leastSettings()));
  });
  after(() => files.remove());

  const withVariables = (given: Readonly<Record<string, string | undefined>>) => loadConfig([least], given);
  const refused = (text: string) => problemsIn(loadConfig([files.write('refused.yaml', text)], {}));

  describe('in their order', () => {
    it('gives a default where nobody says anything', () => {
      expect(valueIn(withVariables({})).log.level).to.equal('info');
    });

    it('lets a file win over the default, a later file over it, and the environment over all', () => {
      const first = files.write('1.yaml', 'node: from-1\nlog: {level: warn}\nhttp: {port: 1}');
      const second = files.write('2.yaml', 'log: {level: error}\nhttp: {port: 2}');
      const config = valueIn(loadConfig([least, first, second], { RELAIS_HTTP__PORT: '3' }));
      expect([config.node, config.log.level, config.http.port]).to.deep.equal(['from-1', 'error', 3]);
    });

    it('merges sections key by key and replaces lists whole', () => {
      const first = files.write(
        'm1.yaml',
        'admin: {host: "::1"}\npayment: {wallet: {capabilities: {validation: [pin, push]}}}',
      );
      const second = files.write(
        'm2.yaml',
        'admin: {port: 9}\npayment: {wallet: {capabilities: {validation: [confirm]}}}',
      );
      const config = valueIn(loadConfig([least, first, second], {}));
      expect(config.admin).to.deep.equal({ host: '::1', port: 9 });
      expect(config.payment.wallet.capabilities.validation).to.deep.equal(['confirm']);
    });

    it('changes one of two sections that share an anchor, and not the other', () => {
      const shared = files.write('shared.yaml', 'http: &here {host: 0.0.0.0}\nadmin: *here');
      const config = valueIn(loadConfig([least, shared], { RELAIS_ADMIN__HOST: '127.0.0.1' }));
      expect([config.http.host, config.admin.host]).to.deep.equal(['0.0.0.0', '127.0.0.1']);
    });

    it('takes an empty file for no settings', () => {
      expect(loadConfig([least, files.write('empty.yaml', '# nothing\n')], {}).ok).to.equal(true);
    });
  });

  describe('by variables', () => {
    it('reach into lists', () => {
      const config = valueIn(withVariables({ RELAIS_SMPP__BINDS__0__HOSTS__0__HOST: 'smsc.example' }));
      expect(config.smpp.binds[0]?.hosts).to.deep.equal([{ host: 'smsc.example', port: 2775 }]);
    });

    it('add an entry to a list', () => {
      const config = valueIn(
        withVariables({
          RELAIS_SMPP__BINDS__0__HOSTS__1__HOST: 'second.example',
          RELAIS_SMPP__BINDS__0__HOSTS__1__PORT: '2776',
        }),
      );
      expect(config.smpp.binds[0]?.hosts.map(({ host }) => host)).to.deep.equal(['127.0.0.1', 'second.example']);
    });

    it('make a whole configuration without a file', () => {
      const config = valueIn(
        loadConfig([], {
          RELAIS_KEYS__MSISDN_MAC: secrets.msisdnMac,
          RELAIS_KEYS__MSISDN_MASTER__0__ID: 'one',
          RELAIS_KEYS__MSISDN_MASTER__0__KEY: secrets.msisdnMaster,
          RELAIS_KEYS__MACHINE_SECRET: secrets.machineSecret,
          RELAIS_SMPP__ACCOUNTS__OPERATOR__SMS_SOURCE: '{ton: 0, npi: 1, addr: "0123"}',
          RELAIS_SMPP__BINDS:
            '[{account: operator, name: a, hosts: [{host: h, port: 1}], systemId: s, password: "12"}]',
          RELAIS_PAYMENT__WALLET__ID: 'centre',
          RELAIS_PAYMENT__WALLET__BASE_URL: 'http://w',
          RELAIS_PAYMENT__WALLET__CLIENT_ID: 'relais',
          RELAIS_PAYMENT__WALLET__TOKEN: secrets.walletToken,
        }),
      );
      expect(config.smpp.accounts['operator']?.smsSource.addr).to.equal('0123');
      expect(config.smpp.binds[0]?.password).to.equal('12');
    });

    it('reach a name of ours in records, however it is written in the file', () => {
      const settings = leastSettings();
      const source = { smsSource: { ton: 0, npi: 1, addr: '123' } };
      const named = {
        ...settings.smpp,
        accounts: { 'Orange-SN': source },
        binds: settings.smpp.binds.map((bind) => ({ ...bind, account: 'Orange-SN' })),
      };
      const file = files.write('named.yaml', stringify({ ...settings, smpp: named }));
      const config = valueIn(loadConfig([file], { RELAIS_SMPP__ACCOUNTS__ORANGE_SN__POLICY: 'failover' }));
      expect(Object.entries(config.smpp.accounts).map(([name, { policy }]) => [name, policy])).to.deep.equal([
        ['Orange-SN', 'failover'],
      ]);
    });

    it('set what the schema leaves open, numbers and yes as such', () => {
      const under = 'RELAIS_SMPP__ACCOUNTS__OPERATOR__DIALECT__';
      const config = valueIn(
        withVariables({
          [`${under}EXTENDS`]: 'generic',
          [`${under}REPLY_DEADLINE_MS`]: '9000',
          [`${under}PACKED`]: 'false',
          [`${under}CODE`]: '0123',
        }),
      );
      expect(config.smpp.accounts['operator']?.dialect).to.deep.equal({
        extends: 'generic',
        replyDeadlineMs: 9000,
        packed: false,
        code: '0123',
      });
    });

    it('keep names made of digits as they are', () => {
      expect(valueIn(withVariables({ RELAIS_USSD__SERVICE_CODE: '0384' })).ussd.serviceCode).to.equal('0384');
    });

    it('read yes and no, and an empty text where nothing may stand', () => {
      const config = valueIn(
        withVariables({
          RELAIS_PAYMENT__WALLET__CAPABILITIES__RELEASE: 'false',
          RELAIS_PAYMENT__WALLET__CAPABILITIES__HOLDS: '',
          DATABASE_URL: '',
        }),
      );
      expect([
        config.payment.wallet.capabilities.release,
        config.payment.wallet.capabilities.holds,
        config.database.url,
      ]).to.deep.equal([false, null, null]);
    });

    it('stand beside the scheme for the servers', () => {
      const config = valueIn(withVariables({ DATABASE_URL: 'postgres://u:p@db/relais', REDIS_URL: 'redis://cache' }));
      expect([config.database.url, config.redis.url]).to.deep.equal(['postgres://u:p@db/relais', 'redis://cache']);
    });

    it('are not ours under RELAIS_TEST_, nor without the prefix', () => {
      const given = {
        RELAIS_TEST_DATABASE_URL: 'x',
        RELAIS_TEST_ANYTHING: 'y',
        constructor: 'z',
        HOME: '/',
        RELAIS_NODE: undefined,
      };
      expect(withVariables(given).ok).to.equal(true);
    });

    it('are refused when they name nothing, with the nearest name', () => {
      const problems = problemsIn(
        withVariables({
          RELAIS_LOG_LEVEL: 'debug',
          RELAIS_SMPP__BINDS__3__PASWORD: 'x',
          RELAIS_DATABASE_URL: 'x',
          RELAIS_ZZZZZZZZ: 'x',
          RELAIS_: 'x',
          RELAIS_SMPP__BINDS__FIRST__NAME: 'x',
          RELAIS_LOG__LEVEL__MORE: 'x',
        }),
      );
      expect(problems).to.deep.equal([
        'RELAIS_: there is no such setting',
        'RELAIS_DATABASE_URL: there is no such setting; did you mean RELAIS_DATABASE__URL?',
        'RELAIS_LOG_LEVEL: there is no such setting; did you mean RELAIS_LOG__LEVEL?',
        'RELAIS_LOG__LEVEL__MORE: there is no such setting',
        'RELAIS_SMPP__BINDS__3__PASWORD: there is no such setting; did you mean RELAIS_SMPP__BINDS__3__PASSWORD?',
        'RELAIS_SMPP__BINDS__FIRST__NAME: there is no such setting; did you mean RELAIS_SMPP__BINDS__0__NAME?',
        'RELAIS_ZZZZZZZZ: there is no such setting',
      ]);
    });

    it('are refused when two of them set the same', () => {
      const problems = problemsIn(
        withVariables({ DATABASE_URL: 'postgres://u:hidden1@db/a', RELAIS_DATABASE__URL: 'postgres://u:hidden2@db/b' }),
      );
      expect(problems).to.deep.equal(['DATABASE_URL and RELAIS_DATABASE__URL both set database.url: keep one of them']);
    });

    it('are refused when a list or section is no YAML', () => {
      expect(problemsIn(withVariables({ RELAIS_SMPP__BINDS: '[hidden' }))).to.deep.equal([
        'RELAIS_SMPP__BINDS: expected YAML, such as {name: value} or [one, two]',
      ]);
    });

    it('are checked like files: a number must be one', () => {
      expect(problemsIn(withVariables({ RELAIS_HTTP__PORT: '80a' }))).to.deep.equal([
        'http.port: expected a whole number, found text',
      ]);
    });
  });

  describe('by files that variables name', () => {
    it('give any value, without the last line end', () => {
      const url = files.write('url', 'postgres://u:p@db/relais\n');
      const password = files.write('password', 'p w \r\n');
      const config = valueIn(withVariables({ DATABASE_URL_FILE: url, RELAIS_SMPP__BINDS__0__PASSWORD_FILE: password }));
      expect([config.database.url, config.smpp.binds[0]?.password]).to.deep.equal(['postgres://u:p@db/relais', 'p w ']);
    });

    it('are refused beside the value itself', () => {
      const url = files.write('both', 'redis://a');
      const problems = problemsIn(withVariables({ REDIS_URL: 'redis://b', REDIS_URL_FILE: url }));
      expect(problems).to.deep.equal(['REDIS_URL and REDIS_URL_FILE are both set: keep one of them']);
    });

    it('are refused when they cannot be read, without the name, which may be the secret itself', () => {
      const problems = problemsIn(withVariables({ RELAIS_KEYS__MACHINE_SECRET_FILE: 'hidden-secret-itself' }));
      expect(problems).to.deep.equal(['RELAIS_KEYS__MACHINE_SECRET_FILE: the file it names cannot be read (ENOENT)']);
    });

    it('are refused when nothing has such a name', () => {
      expect(problemsIn(withVariables({ RELAIS_NODES_FILE: least }))).to.deep.equal([
        'RELAIS_NODES: there is no such setting; did you mean RELAIS_NODE?',
      ]);
    });
  });

  describe('as YAML', () => {
    it('is refused with line and column, all faults at once, and never with what stands there', () => {
      const problems = refused('a: *hunter2\nb: !hunter2 x\nc: @hunter2\nd: 1\nd: 2\n\te: hunter2\n');
      expect(problems.join('\n')).to.not.include('hunter2');
      const file = `${files.folder}/refused.yaml`;
      expect(problems).to.include.members([
        `${file}: line 1, column 4: a text that begins with * needs quotes, such as "*123#"`,
        `${file}: line 2, column 4: a text that begins with ! needs quotes`,
        `${file}: line 3, column 4: a text that begins with @, \` or % needs quotes`,
        `${file}: line 5, column 1: this setting stands twice`,
      ]);
    });

    it('is refused when it is a list, a word, more than one document, or has a list for a name', () => {
      expect(refused('- a')[0]).to.match(/expected settings as "name: value"$/);
      expect(refused('? [hunter2, b]\n: 1')[0]).to.match(/line 1, column 3: the name of a setting must be plain text$/);
      expect(refused('word')[0]).to.match(/expected settings as "name: value"$/);
      expect(refused('a: 1\n---\na: 2')[0]).to.match(/only one document is read/);
    });

    it('is refused when its aliases would fill the memory', () => {
      const layers = Array.from(
        { length: 9 },
        (_, n) => `l${n + 1}: &l${n + 1} [${Array.from({ length: 9 }, () => `*l${n}`).join(', ')}]`,
      );
      expect(refused(['l0: &l0 [x]', ...layers].join('\n'))[0]).to.match(/repeats its own parts too often/);
    });

    it('is refused when the file is not there', () => {
      expect(problemsIn(loadConfig([least, '/nowhere/relais.yaml'], {}))).to.deep.equal([
        '/nowhere/relais.yaml: cannot be read (ENOENT)',
      ]);
    });

    it('does not show what was meant as a value and became a name', () => {
      const problems = refused('redis: {url:hunter2}\n__proto__: {polluted: yes}');
      expect(problems.join('\n')).to.not.include('hunter2');
      expect(problems).to.include.members([
        'redis.(not shown): what stands here is no name of a setting; a blank is missing after its colon, or it needs quotes',
        '(not shown): what stands here is no name of a setting; a blank is missing after its colon, or it needs quotes',
      ]);
      expect(Reflect.get({}, 'polluted')).to.equal(undefined);
    });

    it('never throws, whatever it is', () => {
      fc.assert(
        fc.property(
          fc.string({ unit: fc.constantFrom(...'ab: -[]{}&*!|>\'"%@`#\n\t,?<0'.split('')), maxLength: 40 }),
          (text) => {
            const read = readYaml(text);
            if (!read.ok) expect(read.refusal.length).to.be.greaterThan(0);
          },
        ),
        { numRuns: 1_000 },
      );
    });
  });

  describe('of the payment centre', () => {
    const centre = {
      databaseUrl: 'postgres://o:p@db/c',
      admin: { token: 't'.repeat(16) },
      clients: [{ id: 'relais', token: 'u'.repeat(16) }],
      pepper: 'v'.repeat(16),
    };

    it('may stand in the same file as those of the server, and neither is asked for the other', () => {
      const both = files.write('both.yaml', stringify({ ...leastSettings(), centre: { policy: {} } }));
      expect(loadConfig([both], {}).ok).to.equal(true);
      const alone = files.write('centre.yaml', stringify({ smpp: 'anything', centre }));
      expect(valueIn(loadCentreConfig([alone], {})).centre.policy.validation).to.equal('never');
    });

    it('take the URL of the ledger from its own variable', () => {
      const file = files.write('centre.yaml', stringify({ centre: { ...centre, databaseUrl: undefined } }));
      const config = valueIn(loadCentreConfig([file], { RELAIS_CENTRE_DATABASE_URL: 'postgres://o:p@db/ledger' }));
      expect(config.centre.databaseUrl).to.equal('postgres://o:p@db/ledger');
    });

    it('are refused with all that is wrong', () => {
      const file = files.write(
        'centre.yaml',
        stringify({ nod: 'x', log: { level: 'loud' }, centre: { pepper: 'short', polcy: {} } }),
      );
      expect(problemsIn(loadCentreConfig([file], {}))).to.have.members([
        'nod: unknown setting; did you mean node?',
        'log.level: expected one of error, warn, info, debug, silent',
        'centre.databaseUrl: missing; expected text',
        'centre.admin: missing; expected settings below it: token',
        'centre.clients: missing; expected a list',
        'centre.pepper: expected at least 16 characters',
        'centre.polcy: unknown setting; did you mean policy?',
      ]);
    });

    it('are refused when a URL is none', () => {
      const file = files.write(
        'centre.yaml',
        stringify({ centre: { ...centre, databaseUrl: 'postgres://o:hid#den@db/c' } }),
      );
      expect(problemsIn(loadCentreConfig([file], {}))).to.deep.equal([
        'centre.databaseUrl: expected a URL such as postgres://name:password@host:5432/database, special characters %-encoded',
      ]);
    });
  });
});
