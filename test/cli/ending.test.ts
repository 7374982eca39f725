import { expect } from 'chai';
import { CommanderError } from 'commander';
import { configurationEnd, reportCheck } from '../../src/cli/config-check.ts';
import { type Ending, endingOf } from '../../src/cli/ending.ts';
import { CommandEnd, exitCodes } from '../../src/cli/exit.ts';
import { EngineFault } from '../../src/engines/engine-fault.ts';
import { Bug, Fault } from '../../src/result.ts';

function withCode(error: Error, code: string): Error {
  return Object.assign(error, { code });
}

describe('the end of a command', () => {
  const away = 'A needed server is not there or does not let us in';
  const cases: readonly {
    readonly what: string;
    readonly error: unknown;
    readonly exitCode: number;
    readonly sentence: string | null;
  }[] = [
    {
      what: 'help that was asked for',
      error: new CommanderError(0, 'commander.helpDisplayed', '(outputHelp)'),
      exitCode: 0,
      sentence: null,
    },
    {
      what: 'a mistyped command',
      error: new CommanderError(1, 'commander.unknownCommand', 'error'),
      exitCode: 2,
      sentence: null,
    },
    {
      what: 'a failed check',
      error: new CommandEnd(exitCodes.failed, '1 of 13 cards failed.'),
      exitCode: 1,
      sentence: '1 of 13 cards failed.',
    },
    {
      what: 'a wrong configuration',
      error: configurationEnd(['node: missing']),
      exitCode: 78,
      sentence: 'The configuration has 1 problem:\n  node: missing',
    },
    {
      what: 'a registry that the database refuses',
      error: Object.assign(new Fault('registry_invalid', 'no'), { message: 'Machine m cannot be registered.' }),
      exitCode: 78,
      sentence: 'Machine m cannot be registered.',
    },
    {
      what: 'no URL of a database',
      error: new Fault('database_not_configured', 'no'),
      exitCode: 78,
      sentence: 'Set DATABASE_URL or database.url.',
    },
    {
      what: 'no URL of Redis',
      error: new Fault('redis_not_configured', 'no'),
      exitCode: 78,
      sentence: 'Set REDIS_URL or redis.url.',
    },
    {
      what: 'a taken port',
      error: new Fault('port_taken', 'no', new Error('listen EADDRINUSE 127.0.0.1:1')),
      exitCode: 69,
      sentence:
        'A port cannot be listened on; free it, or choose another by http.port or admin.port: listen EADDRINUSE 127.0.0.1:1',
    },
    {
      what: 'another fault',
      error: new Fault('journal_unreachable', 'no'),
      exitCode: 69,
      sentence: `${away}: journal_unreachable`,
    },
    {
      what: 'a refused connection',
      error: withCode(new Error('connect ECONNREFUSED 127.0.0.1:1'), 'ECONNREFUSED'),
      exitCode: 69,
      sentence: `${away}: connect ECONNREFUSED 127.0.0.1:1`,
    },
    {
      what: 'a name with several addresses, none answering',
      error: withCode(new AggregateError([new Error('connect ECONNREFUSED ::1:1')]), 'ECONNREFUSED'),
      exitCode: 69,
      sentence: `${away}: connect ECONNREFUSED ::1:1`,
    },
    {
      what: 'an error of a socket without words',
      error: withCode(new Error(''), 'ECONNRESET'),
      exitCode: 69,
      sentence: `${away}: ECONNRESET`,
    },
    {
      what: "the driver's late write to a connection that is gone",
      error: Object.assign(new TypeError("Cannot read properties of null (reading 'write')"), {
        stack: 'TypeError: x\n    at Immediate.nextWrite (file:///x/node_modules/postgres/src/connection.js:255:22)',
      }),
      exitCode: 69,
      sentence: 'A needed server is not there any more: the connection to PostgreSQL broke',
    },
    {
      what: 'a wrong password',
      error: withCode(new Error('password authentication failed'), '28P01'),
      exitCode: 69,
      sentence: `${away}: password authentication failed`,
    },
    {
      what: 'a busy folder',
      error: new EngineFault('engine_folder_busy', 'It is in use.'),
      exitCode: 75,
      sentence: 'It is in use.',
    },
    {
      what: 'a folder that another user cannot enter',
      error: new EngineFault('engine_folder_unreachable', 'Choose another.'),
      exitCode: 78,
      sentence: 'Choose another.',
    },
    {
      what: 'a missing engine',
      error: new EngineFault('engine_program_missing', 'Run: apt-get.'),
      exitCode: 69,
      sentence: 'Run: apt-get.',
    },
    {
      what: 'a code that no list names',
      error: Object.assign(new Error('odd'), { exitCode: 64 }),
      exitCode: 1,
      sentence: 'odd',
    },
    { what: 'a word that was thrown', error: 'word', exitCode: 70, sentence: 'word' },
  ];
  for (const { what, error, exitCode, sentence } of cases) {
    it(`is ${exitCode} for ${what}`, () => {
      const { isBug: _isBug, ...ending } = endingOf(error);
      expect(ending).to.deep.equal({ exitCode, sentence } satisfies Omit<Ending, 'isBug'>);
    });
  }

  it('is 70 for a bug, with its stack', () => {
    const ending = endingOf(new Bug('cannot be'));
    expect([ending.exitCode, ending.isBug]).to.deep.equal([70, true]);
    expect(ending.sentence).to.match(/cannot be[\s\S]+ending\.test/);
  });

  it('is 70 for a bug that has no stack', () => {
    expect(endingOf(Object.assign(new Bug('cannot be'), { stack: undefined })).sentence).to.equal('cannot be');
  });

  it('is 78 for a check with findings, all of them listed', () => {
    expect(() => reportCheck(['a: missing', 'b: missing'])).to.throw(
      CommandEnd,
      'The configuration has 2 problems:\n  a: missing\n  b: missing',
    );
  });
});
