import { expect } from 'chai';
import fc from 'fast-check';
import UssdMenu from 'ussd-menu-builder';
import { systemClock } from '../../src/time.ts';
import { foldInput, nextStep } from '../../src/ussd/menu.ts';
import { isOpen, keysOf, type OpenScreen } from '../../src/ussd/screens.ts';
import { texts } from './support/phone-bench.ts';

const screens = Object.keys(keysOf).filter((name): name is OpenScreen => isOpen(name as OpenScreen));
const step = (screen: OpenScreen, input: string) => nextStep(screen, input, systemClock);

describe('the menu', () => {
  for (const screen of screens) {
    for (const [rule, expected] of Object.entries(keysOf[screen])) {
      if (rule.startsWith('*')) continue;
      it(`takes ${rule} on ${screen} as ${expected}`, async () => {
        expect(await step(screen, ` ${rule} `)).to.equal(expected);
      });
    }
  }

  it('takes a number at the prompt, whatever the digits look like', async () => {
    for (const input of ['4567', '４５６７', '٤٥٦٧', '12345678']) {
      expect(await step('ask_number', input)).to.equal('enter_number');
    }
  });

  it('takes what cannot be a machine as a wrong number', async () => {
    for (const input of ['0000', '123456789', '12', 'abc4x', '4567;', '../4567']) {
      expect(await step('ask_number', input), input).to.equal('enter_wrong_number');
    }
  });

  const nothing = [
    '',
    ' ',
    'x'.repeat(200),
    '1'.repeat(21),
    '☕',
    '\u0000',
    '\r\n',
    '\u001b',
    '1\u0000',
    'abc',
    '1\n1',
  ];
  const paths = ['4567*1', '1*1*1', '*123#', '1#', '*'];
  const properties = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '__start__', 'invalid'];
  for (const input of [...nothing, ...paths, ...properties]) {
    it(`finds nothing in ${JSON.stringify(input.slice(0, 22))} on any screen`, async () => {
      for (const screen of screens) expect(await step(screen, input), screen).to.equal('invalid');
    });
  }

  it('has at most one rule for any input', () => {
    const inputs = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 24 }),
      fc.stringMatching(/^[0-9]{0,21}$/),
      fc.stringMatching(/^[0-9a-z .;/*#]{0,10}$/),
    );
    fc.assert(
      fc.property(fc.constantFrom(...screens), inputs, (screen, input) => {
        const key = foldInput(input);
        if (key === null) return;
        const matching = Object.keys(keysOf[screen]).filter((rule) =>
          rule.startsWith('*') ? new RegExp(rule.slice(1)).test(key) : rule === key,
        );
        expect(matching.length, `${screen} ${key}`).to.be.at.most(1);
      }),
      { numRuns: 2_000 },
    );
  });

  it('has no rule for an empty input, and only anchored expressions', () => {
    for (const screen of screens) {
      for (const rule of Object.keys(keysOf[screen])) {
        expect(rule).to.match(/^(\d{1,2}|\*\^.*\$)$/);
      }
    }
  });

  it('offers the keys that the texts name, in every language', () => {
    for (const [language, byKey] of Object.entries(texts)) {
      for (const screen of screens) {
        const named = (byKey[screen] ?? '').split('\n').flatMap((line) => /^(\d{1,2}) /.exec(line)?.[1] ?? []);
        const silent = new Set(['00']);
        const taken = Object.keys(keysOf[screen]).filter((rule) => !rule.startsWith('*') && !silent.has(rule));
        expect(named.sort(), `${language} ${screen}`).to.deep.equal(taken.sort());
      }
    }
  });
});

/** 200 callers in 37 ms: each asks about a machine of his own, his step waits a moment, and he reads what he gets. */
async function callAtOnce(ask: (caller: number, answer: (text: string) => void) => void): Promise<number[]> {
  const got = new Map<number, string>();
  for (let caller = 0; caller < 200; caller += 1) {
    setTimeout(() => ask(caller, (text) => got.set(caller, text)), (caller * 7) % 38);
  }
  await new Promise((resolve) => setTimeout(resolve, 250));
  const right = [...got].filter(([caller, text]) => text === `${caller}`).length;
  const foreign = [...got].filter(([caller, text]) => text !== `${caller}`).length;
  return [right, foreign, 200 - got.size];
}

const numberOf = (caller: number): string => String(4000 + caller);
const afterAMoment = (caller: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, (caller * 11) % 38));

describe('200 interleaved callers', () => {
  it('get their own screens, each over an instance of his own', async () => {
    const counts = await callAtOnce((caller, answer) => {
      const input = caller % 2 === 0 ? numberOf(caller) : '0';
      const expected = caller % 2 === 0 ? 'enter_number' : 'leave';
      const asked = afterAMoment(caller).then(() => step('ask_number', input));
      void asked.then((found) => answer(found === expected ? `${caller}` : found));
    });
    expect(counts).to.deep.equal([200, 0, 0]);
  });

  it('do not get them over one shared instance, which is why there is none', async () => {
    const shared = new UssdMenu();
    shared.on('error', () => undefined);
    shared.startState({ run: () => undefined, next: { '*^[0-9]{4}$': 'number' }, defaultNext: 'number' });
    shared.state('number', {
      run: () => {
        const caller = Number(shared.val) - 4000;
        void afterAMoment(caller).then(() => shared.con(String(Number(shared.args.phoneNumber) - 4000)));
      },
      next: {},
    });
    const [right = 200] = await callAtOnce((caller, answer) => {
      const text = numberOf(caller);
      void shared.run({ text, phoneNumber: text, sessionId: text, serviceCode: '' }, (result: unknown) =>
        answer(String(result).replace('CON ', '')),
      );
    });
    expect(right).to.be.below(200);
  });
});
