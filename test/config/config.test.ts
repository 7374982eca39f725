import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import { parse, stringify } from 'yaml';
import { type ConfigInput, checkConfig, loadCentreConfig, loadConfig, loadTexts } from '../../src/config.ts';
import { nearestName } from '../../src/settings-form.ts';
import { checkoutFolder } from '../support/servers.ts';
import { type Files, leastSettings, openFiles, problemsIn, secrets, valueIn } from './settings-for-test.ts';

describe('the configuration', () => {
  let files: Files;

  before(() => {
    files = openFiles();
  });
  after(() => files.remove());

  /** The least settings with some replaced, as a person would write them. */
  const wrong = (more: object): readonly string[] =>
    problemsIn(loadConfig([files.write('wrong.yaml', stringify({ ...leastSettings(), ...more }))], {}));
  const bind = (more: object): object => ({
    smpp: { ...leastSettings().smpp, binds: [{ ...leastSettings().smpp.binds[0], ...more }] },
  });

  it('lists what is missing when there is nothing, with what belongs below it', () => {
    expect(problemsIn(loadConfig([], {}))).to.deep.equal([
      'keys: missing; expected settings below it: msisdnMac, msisdnMaster, machineSecret',
      'smpp: missing; expected settings below it: accounts, binds',
      'payment: missing; expected settings below it: wallet',
    ]);
  });

  it('lists all problems at once, from every source', () => {
    const file = files.write(
      'many.yaml',
      stringify({ ...leastSettings(), nodes: 'x', http: { port: 70_000 }, drainMs: 'long', keys: {} }),
    );
    expect(
      problemsIn(loadConfig([file, '/nowhere.yaml'], { RELAIS_X: '1', RELAIS_EFFECTS__LEASE_MS: '1' })),
    ).to.have.members([
      '/nowhere.yaml: cannot be read (ENOENT)',
      'RELAIS_X: there is no such setting',
      'http.port: expected at most 65535',
      'keys.msisdnMac: missing; expected 32 bytes as 64 hexadecimal digits, in quotes',
      'keys.msisdnMaster: missing; expected a list',
      'keys.machineSecret: missing; expected text',
      'drainMs: expected a whole number, found text',
      'effects.leaseMs: expected at least 13000',
      'nodes: unknown setting; did you mean node?',
    ]);
  });

  it('asks for quotes where a name made of digits was read as a number', () => {
    const file = files.write(
      'digits.yaml',
      `${stringify({ ...leastSettings(), ussd: undefined })}ussd: {serviceCode: 0123}\nsms: {timeZone: true}\n`,
    );
    expect(problemsIn(loadConfig([file], {}))).to.deep.equal([
      'ussd.serviceCode: expected text, found a number; put it in quotes, since YAML reads 0123 as 123 and drops a plus sign',
      'sms.timeZone: expected text, found true or false; put it in quotes, since YAML reads 0123 as 123 and drops a plus sign',
    ]);
  });

  it('names the nearest setting to a mistyped one, at any depth', () => {
    expect(wrong(bind({ windowsize: 5, hots: [], xyz: 1 }))).to.deep.equal([
      'smpp.binds.0.windowsize: unknown setting; did you mean windowSize?',
      'smpp.binds.0.hots: unknown setting; did you mean hosts?',
      'smpp.binds.0.xyz: unknown setting',
    ]);
  });

  it('says which kind it found where it expected another', () => {
    expect(
      wrong({ log: null, http: [], redis: { url: {} }, ...bind({ hosts: 'h', tps: 1.5, kind: 'both' }) }),
    ).to.have.members([
      'log: expected settings below it, found nothing',
      'http: expected settings below it, found a list',
      'redis.url: expected text, found settings below it',
      'smpp.binds.0.hosts: expected a list, found text',
      'smpp.binds.0.tps: expected a whole number, found a number',
      'smpp.binds.0.kind: expected one of transceiver, transmitter, receiver',
    ]);
  });

  const bounds: readonly { readonly what: string; readonly more: object; readonly problem: string }[] = [
    { what: 'an empty list', more: bind({ hosts: [] }), problem: 'smpp.binds.0.hosts: expected at least 1 entries' },
    {
      what: 'port 0 of a gateway',
      more: bind({ hosts: [{ host: 'h', port: 0 }] }),
      problem: 'smpp.binds.0.hosts.0.port: expected at least 1',
    },
    {
      what: 'a text too long',
      more: bind({ password: 'hunter2hunter2' }),
      problem: 'smpp.binds.0.password: expected at most 8 characters',
    },
    {
      what: 'a name of other letters',
      more: bind({ name: 'A b' }),
      problem: 'smpp.binds.0.name: expected text of the form /^[a-z0-9-]{1,32}$/',
    },
    {
      what: 'a key of another length',
      more: { keys: { ...leastSettings().keys, msisdnMac: 'abc' } },
      problem: 'keys.msisdnMac: expected 32 bytes as 64 hexadecimal digits, in quotes',
    },
    {
      what: 'a database of another kind',
      more: { database: { url: 'mysql://db/x' } },
      problem:
        'database.url: expected a URL such as postgres://name:password@host:5432/database, special characters %-encoded',
    },
    {
      what: 'a database without a name',
      more: { database: { url: 'postgres://db' } },
      problem:
        'database.url: expected a URL such as postgres://name:password@host:5432/database, special characters %-encoded',
    },
    {
      what: 'a password that breaks its URL',
      more: { redis: { url: 'redis://:a/b#c@cache:63x' } },
      problem:
        'redis.url: expected a URL such as redis://host:6379, special characters %-encoded, or the path of a socket',
    },
    {
      what: 'a wallet without a URL',
      more: { payment: { wallet: { ...leastSettings().payment.wallet, baseUrl: 'ftp://w' } } },
      problem: 'payment.wallet.baseUrl: expected a URL such as http://host:8080',
    },
    {
      what: 'a time zone that nobody knows',
      more: { sms: { timeZone: 'Africa/Dakkar' } },
      problem: 'sms.timeZone: expected the name of a time zone, such as Africa/Dakar',
    },
    {
      what: 'a code that cannot be dialed',
      more: { ussd: { serviceCode: '*123#' } },
      problem: 'ussd.serviceCode: expected a code such as "123" or "384*77"',
    },
    {
      what: 'a bind of no account',
      more: bind({ account: 'operater' }),
      problem: 'smpp.binds.0.account: no such name in smpp.accounts; did you mean operator?',
    },
    {
      what: 'a bind of an account far from any',
      more: bind({ account: 'zz' }),
      problem: 'smpp.binds.0.account: no such name in smpp.accounts',
    },
    {
      what: 'an account without bind',
      more: {
        smpp: {
          ...leastSettings().smpp,
          accounts: { ...leastSettings().smpp.accounts, other: { smsSource: { ton: 0, npi: 1, addr: '1' } } },
        },
      },
      problem: 'smpp.accounts.other: no bind names it',
    },
    {
      what: 'two binds of one name',
      more: {
        smpp: { ...leastSettings().smpp, binds: [leastSettings().smpp.binds[0], leastSettings().smpp.binds[0]] },
      },
      problem: 'smpp.binds.1.name: another bind has this name',
    },
    {
      what: 'two keys of one name',
      more: { keys: { ...leastSettings().keys, msisdnMaster: [1, 2].map(() => leastSettings().keys.msisdnMaster[0]) } },
      problem: 'keys.msisdnMaster.1.id: another key has this name',
    },
    {
      what: 'a lease shorter than a call',
      more: { payment: { wallet: { ...leastSettings().payment.wallet, budgets: { authorizeMs: 14_500 } } } },
      problem: 'effects.leaseMs: expected at least 15500, the longest of payment.wallet.budgets and a second',
    },
    {
      what: 'a wait longer than the answer',
      more: { ussd: { rendezvousMs: 8_000 } },
      problem: 'ussd.rendezvousMs: expected less than ussd.replyDeadlineMs, 8000',
    },
  ];
  for (const { what, more, problem } of bounds) {
    it(`refuses ${what}`, () => {
      expect(wrong(more)).to.include(problem);
    });
  }

  it('takes Redis by name, by TLS, and by its socket', () => {
    for (const url of ['redis://cache:6379/0', 'rediss://:p%23w@cache', 'unix:///run/redis.sock', '/run/redis.sock']) {
      expect(valueIn(loadConfig([], variables({ REDIS_URL: url }))).redis.url).to.equal(url);
    }
  });

  it('never shows a secret, whatever is wrong with it', () => {
    const hidden = 'hunter2hunter2hunter2';
    const places = [
      'DATABASE_URL',
      'REDIS_URL',
      'RELAIS_DATABASE__OWNER_URL',
      'RELAIS_KEYS__MSISDN_MAC',
      'RELAIS_KEYS__MSISDN_MASTER__0__KEY',
      'RELAIS_SMPP__BINDS__0__PASSWORD',
      'RELAIS_PAYMENT__WALLET__CREDENTIAL_JWK',
      'RELAIS_PAYMENT__WALLET__BASE_URL',
      'RELAIS_CENTRE_DATABASE_URL',
      'RELAIS_CENTRE__POLICY__VALIDATION',
      'RELAIS_CENTRE__CLIENTS',
      'RELAIS_KEYS',
      'RELAIS_SMPP__BINDS__0__TLS',
    ];
    for (const name of places) {
      for (const value of [hidden, `{${hidden}`, `{a:${hidden}}`, `*${hidden}`, `postgres://u:${hidden}@h:x/d`]) {
        const given = { ...variables({}), [name]: value };
        const problems = [loadConfig([], given), loadCentreConfig([], given)].flatMap((each) =>
          each.ok ? [] : each.refusal.problems,
        );
        expect(problems.join('\n'), name).to.not.include(hidden);
        expect(problems, name).to.not.deep.equal([]);
      }
    }
  });

  it('is frozen to its depths', () => {
    const config = valueIn(loadConfig([], variables({})));
    expect(() => Reflect.set(config.smpp.binds[0]?.hosts[0] ?? {}, 'port', 1)).to.not.throw();
    expect(config.smpp.binds[0]?.hosts[0]?.port).to.equal(2775);
    expect(
      [config, config.keys.msisdnMaster, config.smpp.binds[0]?.hosts[0], config.payment.wallet.budgets].every(
        Object.isFrozen,
      ),
    ).to.equal(true);
  });

  it('leaves the settings that a program hands in as they were', () => {
    const dialect = { budget: { gsm7: 150 } };
    const settings: ConfigInput = {
      ...leastSettings(),
      smpp: { ...leastSettings().smpp, accounts: { operator: { smsSource: { ton: 0, npi: 1, addr: '1' }, dialect } } },
    };
    expect(valueIn(checkConfig(settings)).smpp.accounts['operator']?.dialect).to.deep.equal(dialect);
    expect([Object.isFrozen(settings), Object.isFrozen(dialect), Object.isFrozen(dialect.budget)]).to.deep.equal([
      false,
      false,
      false,
    ]);
  });

  it('is refused to a program as it is to a person', () => {
    expect(problemsIn(checkConfig({ ...leastSettings(), drainMs: 0 }))).to.deep.equal(['drainMs: expected at least 1']);
  });

  function variables(more: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
    const { keys, smpp, payment } = leastSettings();
    return {
      RELAIS_KEYS__MSISDN_MAC: keys.msisdnMac,
      RELAIS_KEYS__MSISDN_MASTER: stringify(keys.msisdnMaster),
      RELAIS_KEYS__MACHINE_SECRET: keys.machineSecret,
      RELAIS_SMPP__ACCOUNTS: stringify(smpp.accounts),
      RELAIS_SMPP__BINDS: stringify(smpp.binds),
      RELAIS_PAYMENT__WALLET: stringify(payment.wallet),
      ...more,
    };
  }
});

describe('the example files', () => {
  const example = (name: string): string => join(checkoutFolder(), 'config', name);
  const ofServer = {
    DATABASE_URL: 'postgres://relais_app:p@db:5432/relais',
    REDIS_URL: 'redis://cache:6379',
    RELAIS_KEYS__MSISDN_MAC: secrets.msisdnMac,
    RELAIS_KEYS__MSISDN_MASTER__0__KEY: secrets.msisdnMaster,
    RELAIS_KEYS__MACHINE_SECRET: secrets.machineSecret,
    RELAIS_SMPP__BINDS__0__PASSWORD: secrets.bindPassword,
    RELAIS_PAYMENT__WALLET__TOKEN: secrets.walletToken,
  };
  const ofCentre = {
    RELAIS_CENTRE_DATABASE_URL: 'postgres://centre_owner:p@db:5432/relais_centre',
    RELAIS_CENTRE__APP_DATABASE_URL: 'postgres://centre_app:p@db:5432/relais_centre',
    RELAIS_CENTRE__ADMIN__TOKEN: 'a'.repeat(24),
    RELAIS_CENTRE__CLIENTS__0__TOKEN: 'b'.repeat(24),
    RELAIS_CENTRE__PEPPER: 'c'.repeat(24),
  };
  const cases = [
    { name: 'relais.example.yaml', load: loadConfig, given: ofServer },
    { name: 'centre.example.yaml', load: loadCentreConfig, given: ofCentre },
  ];

  for (const { name, load, given } of cases) {
    it(`${name} is accepted with the secrets that its head names`, () => {
      expect(load([example(name)], given).ok).to.equal(true);
    });

    it(`${name} names every variable of a secret in its head`, () => {
      const text = readFileSync(example(name), 'utf8');
      expect(Object.keys(given).filter((variable) => !text.includes(`${variable}_FILE `))).to.deep.equal([]);
    });

    it(`${name} holds every setting there is but the secrets`, () => {
      const loaded = load([example(name)], given);
      const secret = Object.keys(given).length;
      const missing = pathsOf(loaded.ok ? loaded.value : {}).filter(
        (path) => !pathsOf(parse(readFileSync(example(name), 'utf8'))).includes(path),
      );
      const named = missing.map((path) => path.replace(/.*\./, ''));
      expect(
        named.filter(
          (last) =>
            !/^(?:url|databaseUrl|msisdnMac|key|machineSecret|password|token|pepper|centre|extends)$/.test(last),
        ),
      ).to.deep.equal([]);
      expect(missing.length).to.be.lessThanOrEqual(secret);
    });
  }

  it('hold no secret themselves', () => {
    for (const { name } of cases) {
      expect(
        pathsOf(parse(readFileSync(example(name), 'utf8'))).filter((path) =>
          /(?:password|token|pepper|\.key|secret|msisdnMac)$/i.test(path),
        ),
      ).to.deep.equal([]);
    }
  });
});

/** The paths of all values, those of lists by their number. */
function pathsOf(value: unknown, before = ''): readonly string[] {
  if (typeof value !== 'object' || value === null || Object.keys(value).length === 0) return [before];
  return Object.entries(value).flatMap(([key, each]) => pathsOf(each, before === '' ? key : `${before}.${key}`));
}

describe('the texts for phones', () => {
  let files: Files;

  before(() => {
    files = openFiles();
  });
  after(() => files.remove());

  it('are read by language from one file each', () => {
    files.write('fr.yaml', 'pay: Payer\n');
    files.write('en.yaml', 'pay: Pay\n');
    files.write('notes.txt', 'no texts');
    expect(loadTexts(pathToFileURL(`${files.folder}/`))).to.deep.equal({ fr: { pay: 'Payer' }, en: { pay: 'Pay' } });
  });

  it('are not read when one of them is no text', () => {
    files.write('xx.yaml', 'pay: {a: b}\n');
    expect(() => loadTexts(pathToFileURL(`${files.folder}/`))).to.throw();
  });
});

describe('the nearest name', () => {
  it('is the one with the fewest edits, whatever the case', () => {
    expect(nearestName('SERV', ['centre', 'serve', 'server'])).to.equal('serve');
  });

  it('is none when all are far', () => {
    expect([nearestName('demo', ['migrate', 'centre']), nearestName('x', [])]).to.deep.equal([null, null]);
  });
});
