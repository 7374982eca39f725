import { expect } from 'chai';
import type { Command } from 'commander';
import { stringify } from 'yaml';
import { lockFolder } from '../../src/engines/folder-lock.ts';
import { commandTable } from '../../src/main.ts';
import { type Files, leastSettings, openFiles, secrets } from '../config/settings-for-test.ts';
import { importsOf, textOf } from '../support/source-tree.ts';
import { runRelais } from './relais.ts';

const EXIT_CODES =
  'Exit codes: 0 done, 1 failed, 2 usage, 69 a needed service is unavailable, 70 bug, 75 try later, 78 configuration, 130 interrupted';

/** All commands with the words that call them. */
function commandsBelow(
  command: Command,
  before: readonly string[] = [],
): readonly { words: string; command: Command }[] {
  return command.commands.flatMap((each) => {
    const words = [...before, each.name()];
    return [{ words: words.join(' '), command: each }, ...commandsBelow(each, words)];
  });
}

function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => void (text += part) });
  command.outputHelp();
  return text;
}

describe('the help', () => {
  it('lists the exit codes', () => {
    expect(helpOf(commandTable())).to.include(EXIT_CODES);
  });

  it('of each command begins with an example of it', () => {
    for (const { words, command } of commandsBelow(commandTable()))
      expect(helpOf(command), words).to.match(new RegExp(`^Example: relais ${words}`));
  });

  it('gives examples that the command line itself understands', async () => {
    for (const { words, command } of commandsBelow(commandTable())) {
      const example = /^Example: relais (.*)$/m.exec(helpOf(command))?.[1] ?? '';
      const table = commandTable();
      const called: string[] = [];
      for (const each of commandsBelow(table)) {
        each.command.exitOverride();
        if (each.command.commands.length === 0) each.command.action(() => void called.push(each.words));
      }
      await table.parseAsync(['node', 'relais', ...example.split(' ')]);
      expect(called.length, words).to.equal(1);
      expect(called[0], words).to.match(new RegExp(`^${words}`));
    }
  });

  it('loads no room and no package but the parser of commands', () => {
    const seen = new Set<string>();
    const load = (path: string): void => {
      if (seen.has(path)) return;
      seen.add(path);
      const loaded = importsOf(path, textOf(path)).filter((each) => !each.isType && !each.isDynamic);
      for (const { target } of loaded) {
        if (target.startsWith('src/')) load(target);
        else seen.add(target);
      }
    };
    load('src/main.ts');
    const loaded = [...seen].filter((name) => !name.startsWith('node:') && !name.startsWith('src/cli/'));
    expect(loaded).to.have.members(['src/main.ts', 'commander']);
  });
});

describe('relais', function () {
  this.timeout(20_000);
  let files: Files;
  let good: string;

  before(() => {
    files = openFiles();
    good = files.write('good.yaml', stringify(leastSettings()));
  });
  after(() => files.remove());

  it('ends with 0 and prints on standard output what it was asked', async () => {
    const [help, check] = await Promise.all([runRelais(['--help']), runRelais(['config', 'check', '--config', good])]);
    expect(help).to.deep.include({ code: 0, stderr: '' });
    expect(help.stdout).to.include(EXIT_CODES);
    expect(check).to.deep.equal({ code: 0, stdout: 'configuration is good\n', stderr: '' });
  });

  it('ends with 2 when called wrongly, and names the nearest command', async () => {
    const [mistyped, nothing, half, choice] = await Promise.all([
      runRelais(['serv']),
      runRelais([]),
      runRelais(['registry', 'aply']),
      runRelais(['config', 'check', '--for', 'nobody']),
    ]);
    expect([mistyped.code, nothing.code, half.code, choice.code]).to.deep.equal([2, 2, 2, 2]);
    expect(mistyped.stderr).to.match(/unknown command 'serv'\n\(Did you mean serve\?\)/);
    expect(half.stderr).to.match(/Did you mean apply\?/);
    expect([mistyped.stdout, nothing.stdout]).to.deep.equal(['', '']);
  });

  it('ends with 78 and all problems when the configuration is wrong, and shows no secret', async () => {
    const wrong = files.write('wrong.yaml', stringify({ ...leastSettings(), nodes: 1, drainMs: 0 }));
    const given = { RELAIS_LOG_LEVEL: secrets.walletToken, REDIS_URL: secrets.walletToken };
    const ended = await runRelais(['serve', '--config', wrong], given);
    expect(ended).to.deep.equal({
      code: 78,
      stdout: '',
      stderr: [
        'The configuration has 4 problems:',
        '  RELAIS_LOG_LEVEL: there is no such setting; did you mean RELAIS_LOG__LEVEL?',
        '  redis.url: expected a URL such as redis://host:6379, special characters %-encoded, or the path of a socket',
        '  drainMs: expected at least 1',
        '  nodes: unknown setting; did you mean node?',
        '',
      ].join('\n'),
    });
  });

  it('checks dialects and texts too, before it serves', async () => {
    const settings = leastSettings();
    const source = { smsSource: { ton: 0, npi: 1, addr: '1' } };
    const accounts = { operator: { ...source, dialect: { budgett: 1 } } };
    const wrong = files.write(
      'dialect.yaml',
      stringify({ ...settings, smpp: { ...settings.smpp, accounts }, texts: { defaultLanguage: 'fe' } }),
    );
    const [check, serve] = await Promise.all([
      runRelais(['config', 'check', '--config', wrong]),
      runRelais(['serve', '--config', wrong]),
    ]);
    expect([check.code, serve.code]).to.deep.equal([78, 78]);
    expect(check.stderr).to.match(
      /2 problems:\n {2}smpp\.accounts\.operator\.dialect\..*budgett.*\n {2}texts\.defaultLanguage: expected one of en, fr; did you mean fr\?/,
    );
    expect(serve.stderr).to.equal(check.stderr);
  });

  it('checks what the payment centre reads, where it is asked to', async () => {
    const ended = await runRelais(['config', 'check', '--for', 'centre', '--config', good]);
    expect(ended.code).to.equal(78);
    expect(ended.stderr).to.match(
      /1 problem:\n {2}centre: missing; expected settings below it: databaseUrl, admin, clients, pepper\n$/,
    );
  });

  it('ends with 78 when a file or variable that the command needs is not there', async () => {
    const [registry, broken, migrate, centre] = await Promise.all([
      runRelais(['registry', 'apply', '/nowhere.yaml', '--config', good]),
      runRelais(['registry', 'apply', files.write('broken.yaml', 'machines: 5'), '--config', good]),
      runRelais(['migrate', '--config', good]),
      runRelais(['centre', '--config', good]),
    ]);
    expect([registry.code, broken.code, migrate.code, centre.code]).to.deep.equal([78, 78, 78, 78]);
    expect(registry.stderr).to.equal('/nowhere.yaml cannot be read.\n');
    expect(broken.stderr).to.match(/broken\.yaml has 1 problem:\n {2}machines: expected a list, found a number\n$/);
    expect(migrate.stderr).to.equal('Set database.ownerUrl or DATABASE_URL.\n');
  });

  it('ends with 69 when a server is not there, in one sentence without its password', async () => {
    const url = 'postgres://relais:hunter2@127.0.0.1:1/relais';
    const given = {
      DATABASE_URL: url,
      REDIS_URL: 'redis://127.0.0.1:1',
      RELAIS_HTTP__PORT: '0',
      RELAIS_ADMIN__PORT: '0',
      RELAIS_LOG__LEVEL: 'silent',
    };
    const centre = {
      RELAIS_CENTRE_DATABASE_URL: url,
      RELAIS_CENTRE__ADMIN__TOKEN: 'a'.repeat(24),
      RELAIS_CENTRE__CLIENTS: stringify([{ id: 'relais', token: 'b'.repeat(24) }]),
      RELAIS_CENTRE__PEPPER: 'c'.repeat(24),
      RELAIS_LOG__LEVEL: 'silent',
    };
    const ends = await Promise.all([
      runRelais(['migrate', '--config', good], given),
      runRelais(['serve', '--config', good], given),
      runRelais(['centre'], centre),
    ]);
    for (const { code, stdout, stderr } of ends) {
      expect([code, stdout]).to.deep.equal([69, '']);
      expect(stderr)
        .to.match(/^A needed server is not there or does not let us in: .+\n$/)
        .and.not.include('hunter2');
    }
  });

  it('ends with 75 when another one works in the folder', async () => {
    const lock = await lockFolder(files.folder);
    const ended = await runRelais(['serve', '--config', good, '--keep', files.folder]);
    await lock.release();
    expect(ended.code).to.equal(75);
    expect(ended.stderr).to.match(/is in use by process \d+\. Stop it, or choose another folder with --keep\.\n$/);
  });
});
