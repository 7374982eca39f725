import { spawnSync } from 'node:child_process';
import { expect } from 'chai';
import fc from 'fast-check';
import { cleaned, createLog, type Log, type logLevels } from '../src/log.ts';
import { Fault } from '../src/result.ts';

const NUMBER = '221770000001';
const MASKED = '22177*****01';

function logTo(lines: string[], level: (typeof logLevels)[number] = 'debug'): Log {
  return createLog(level, { node: 'relais-1' }, { write: (line) => void lines.push(line) });
}

function lineOf(act: (log: Log) => void): Record<string, unknown> {
  const lines: string[] = [];
  act(logTo(lines));
  const parsed: unknown = JSON.parse(lines[0] ?? '');
  return typeof parsed === 'object' && parsed !== null ? { ...parsed } : {};
}

describe('a line of the log', () => {
  it('is one JSON object with level, time, node, event and fields', () => {
    const { time, ...line } = lineOf((log) => log.info('notice_sent', { purchaseId: 'p', amount: 500n }));
    expect(line).to.deep.equal({
      level: 'info',
      node: 'relais-1',
      event: 'notice_sent',
      purchaseId: 'p',
      amount: '500',
    });
    expect(String(time)).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  it('carries its level', () => {
    expect([lineOf((log) => log.warn('a', {}))['level'], lineOf((log) => log.error('a', {}))['level']]).to.deep.equal([
      'warn',
      'error',
    ]);
  });

  it('keeps a field that is named like one of its own apart', () => {
    const line = lineOf((log) => log.info('purchase', { event: 'authorized', level: 9, node: 'other' }));
    expect([line['event'], line['event_'], line['level'], line['level_'], line['node'], line['node_']]).to.deep.equal([
      'purchase',
      'authorized',
      'info',
      9,
      'relais-1',
      'other',
    ]);
  });

  it('names the node once where a field repeats it', () => {
    const lines: string[] = [];
    logTo(lines).info('started', { node: 'relais-1' });
    expect(lines[0]?.match(/relais-1/g)?.length).to.equal(1);
  });

  it('is not written below the chosen level', () => {
    const lines: string[] = [];
    logTo(lines, 'error').warn('a', {});
    logTo(lines, 'silent').error('a', {});
    expect(lines).to.deep.equal([]);
  });

  it('holds an error with its code, what is known of the act, its stack and its causes', () => {
    const fault = new Fault('journal_unreachable', 'unknown', new Error(`no route for ${NUMBER}`));
    const { error } = lineOf((log) => log.error('commit_failed', {}, fault));
    expect(error).to.deep.include({
      name: 'Fault',
      message: 'journal_unreachable',
      code: 'journal_unreachable',
      happened: 'unknown',
    });
    expect(JSON.stringify(error))
      .to.include(`no route for ${MASKED}`)
      .and.to.match(/log\.test/);
    expect(JSON.stringify(error)).to.not.include(NUMBER);
  });

  it('holds the errors of an aggregate, and nothing of an error beyond its words', () => {
    const inner = Object.assign(new Error('refused'), { detail: `Key (msisdn)=(${NUMBER})`, parameters: [NUMBER] });
    const text = JSON.stringify(lineOf((log) => log.warn('away', { error: new AggregateError([inner], 'all') })));
    expect(text).to.include('"message":"refused"');
    expect(text).to.not.include(NUMBER).and.not.include('parameters');
  });

  it('goes to standard error when nothing else is said', function () {
    this.timeout(10_000);
    const program = "const {createLog} = await import('./log.ts'); createLog('info', {}).info('hello', {});".replace(
      './log.ts',
      new URL('../src/log.ts', import.meta.url).href.replace(/\.ts$/, import.meta.url.endsWith('.ts') ? '.ts' : '.js'),
    );
    const loader = import.meta.url.endsWith('.ts') ? ['--import', 'tsx'] : [];
    const { stdout, stderr } = spawnSync(process.execPath, [...loader, '--input-type=module', '--eval', program], {
      encoding: 'utf8',
    });
    expect(stdout).to.equal('');
    expect(stderr).to.match(/"event":"hello"/);
  });
});

describe('what the log cleans', () => {
  const masks: readonly (readonly [string, string])[] = [
    [NUMBER, MASKED],
    [`+${NUMBER}`, MASKED],
    [`00${NUMBER}`, '00221*******01'],
    [`from ${NUMBER}, to +33639980001.`, `from ${MASKED}, to 33639****01.`],
    [`/accounts/msisdn/%2B${NUMBER}/balance`, `/accounts/msisdn/${MASKED}/balance`],
    [`msisdn=${NUMBER}&x`, `msisdn=${MASKED}&x`],
    [`tel_${NUMBER}-1`, `tel_${MASKED}-1`],
    [`n${NUMBER}`, `n${MASKED}`],
    ['+29021234', '29021*34'],
    ['770000001', '77000**01'],
  ];
  for (const [text, masked] of masks) {
    it(`masks the number in "${text}"`, () => {
      expect(cleaned(text)).to.equal(masked);
    });
  }

  const untouched: readonly string[] = [
    '01939b5e-1111-7222-8333-123456789012',
    '12345678-1234-4234-8234-123456789012',
    '2026-11-24T23:34:44.123Z',
    '4567',
    '12345678',
    '3.141592653589793',
    'a'.repeat(10) + '1234567890123',
    '1234567890123456789',
    '127.0.0.1:54321',
    '*123*4567#',
  ];
  for (const text of untouched) {
    it(`leaves "${text}" as it is`, () => {
      expect(cleaned(text)).to.equal(text);
    });
  }

  it('masks at every depth, in lists, sets, maps, names of fields and URLs', () => {
    const text = JSON.stringify(
      cleaned({
        a: { b: [{ c: `to ${NUMBER}` }] },
        [NUMBER]: 1,
        s: new Set([NUMBER]),
        m: new Map([[NUMBER, NUMBER]]),
        u: new URL(`http://x/${NUMBER}`),
      }),
    );
    expect(text).to.not.include(NUMBER);
    expect(text.split(MASKED).length - 1).to.equal(6);
  });

  it('masks bare and short numbers in fields that name a phone', () => {
    expect(
      cleaned({ msisdn: 221770000001, payer: 221770000001n, phoneNumber: '12345678', subscriber: '+221770000001' }),
    ).to.deep.equal({
      msisdn: MASKED,
      payer: MASKED,
      phoneNumber: '12345*78',
      subscriber: MASKED,
    });
  });

  it('leaves in such fields what is no number', () => {
    expect(
      cleaned({ payer: '01939b5e-1111-7222-8333-123456789012', phone: null, msisdn: { known: true } }),
    ).to.deep.equal({
      payer: '01939b5e-1111-7222-8333-123456789012',
      phone: null,
      msisdn: { known: true },
    });
  });

  it('leaves numbers that are times and amounts', () => {
    expect(cleaned({ atMs: 1_764_023_684_123, amountMinor: 500 })).to.deep.equal({
      atMs: 1_764_023_684_123,
      amountMinor: 500,
    });
  });

  it('drops fields that hold a secret, at every depth', () => {
    const secrets = {
      pin: '2468',
      userPin: '1',
      PIN: '2',
      password: 'p',
      token: 't',
      clientToken: 't',
      api_key: 'k',
      apiKey: 'k',
      key: 'k',
      machineSecret: 's',
      Authorization: 'a',
      'set-cookie': 'c',
      pepper: 'p',
      credentials: {},
    };
    expect(cleaned({ kept: 1, ...secrets, inside: [{ kept: 2, ...secrets }] })).to.deep.equal({
      kept: 1,
      inside: [{ kept: 2 }],
    });
  });

  it('keeps fields whose names only look like it', () => {
    const fields = { spinning: 1, shipping: 2, keyboard: 3, monkey: 4, opinion: 5 };
    expect(cleaned(fields)).to.deep.equal(fields);
  });

  it('hides passwords in URLs and bearer tokens in texts', () => {
    expect(
      cleaned('postgres://relais:hunter2@db/x, redis://:hunter2@cache, Authorization: Bearer hunter2.abc'),
    ).to.equal('postgres://relais:***@db/x, redis://:***@cache, Authorization: Bearer ***');
  });

  it('writes dates as such and octets as their count', () => {
    expect(cleaned({ at: new Date(0), never: new Date(Number.NaN), pdu: Buffer.from(NUMBER) })).to.deep.equal({
      at: '1970-01-01T00:00:00.000Z',
      never: 'no date',
      pdu: '(12 octets)',
    });
  });

  it('ends at six levels and a hundred entries, also where a thing holds itself', () => {
    const ring: Record<string, unknown> = { number: NUMBER };
    ring['self'] = ring;
    const text = JSON.stringify(cleaned({ ring, list: Array.from({ length: 1000 }, () => 1) }));
    expect(text).to.include('(too deep)').and.not.include(NUMBER);
    expect(text.length).to.be.lessThan(1000);
  });

  it('lets no number through, wherever in a text it stands', () => {
    // Neighbors that make another thing of it, such as more digits, a fraction or a hash, are left out.
    const text = fc.string({ unit: fc.constantFrom(...'xyz ,;:/=&?()[]{}"\'\n_-+*#'.split('')), maxLength: 12 });
    fc.assert(
      fc.property(text, fc.integer({ min: 100_000_000, max: 999_999_999_999 }), text, (before, number, after) => {
        expect(String(cleaned(`${before}${number}${after}`))).to.not.include(String(number));
      }),
    );
  });
});
