import fc from 'fast-check';

describe('a property', () => {
  it('is not awaited', () => {
    fc.assert(fc.asyncProperty(fc.nat(), async (n) => Promise.resolve(n < 0)));
  });
});
