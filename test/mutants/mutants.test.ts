import { expect } from 'chai';
import { altered, placesOf } from './mutant.ts';
import { boundedEffort, rottenEdits, tryMutants, tryNothing } from './run.ts';
import { mutants } from './table.ts';

/** It takes less than a minute on two idle cores; known seeds that no longer find their mutant make it longer. */
const LIMIT_MS = 900_000;

describe('the table of mutants', () => {
  it('names at least fifteen mistakes, each once, each with what it breaks', () => {
    expect(mutants.length).to.be.at.least(15);
    expect(new Set(mutants.map(({ name }) => name)).size).to.equal(mutants.length);
    expect(mutants.filter(({ breaks }) => !/^[A-Z].*\.$/.test(breaks))).to.deep.equal([]);
  });

  it('finds the place of each in the built program', () => {
    expect(mutants.flatMap(rottenEdits)).to.deep.equal([]);
  });
});

describe('the planting of a mutant', () => {
  const edit = { file: 'src/a.ts', find: 'if (isOver) return 1;', replace: 'if ($&) return 2;' };

  it('finds its place whatever the white space', () => {
    expect(placesOf('a();\nif (isOver)\n    return 1;\n', edit)).to.equal(1);
  });

  it('puts in its text as it is', () => {
    expect(altered('a(); if (isOver) return 1;', [edit])).to.equal('a(); if ($&) return 2;');
  });

  it('is refused where there is no such place, or more than one', () => {
    expect(() => altered('a();', [edit])).to.throw('src/a.ts has 0 places for: if (isOver) return 1;');
    expect(() => altered('if (isOver) return 1; if (isOver) return 1;', [edit])).to.throw('has 2 places');
  });
});

describe('each deliberate mistake', function () {
  this.timeout(LIMIT_MS);

  it('is caught, and nothing is found where none was made', async () => {
    const control = await tryNothing(mutants, boundedEffort);
    const verdicts = await tryMutants(mutants, boundedEffort);
    const missed = verdicts.filter(({ isCaught }) => !isCaught);
    expect({
      control,
      missed: missed.map(({ mutant, where, said }) => `${mutant.name}: ${where} ${said}`),
    }).to.deep.equal({
      control: [],
      missed: [],
    });
  });
});
