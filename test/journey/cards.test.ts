import { expect } from 'chai';
import { playCard } from '../../simulators/card-player.ts';
import { readCards } from '../../simulators/cards.ts';
import { openWorld, type World } from '../../src/composition/demo-world.ts';
import { loadTexts } from '../../src/config.ts';

const TEXTS = loadTexts(new URL('../../config/texts/', import.meta.url));

describe('the cards of the demo', () => {
  const lines: string[] = [];
  let world: World;

  before(async function () {
    this.timeout(120_000);
    world = await openWorld({
      language: 'fr',
      keep: null,
      onReady: () => undefined,
      onLogLine: (line) => lines.push(line),
      narrate: (line) => lines.push(line),
    });
  });
  after(async function () {
    this.timeout(60_000);
    await world.close();
  });

  for (const card of readCards()) {
    it(`card ${card.number}: ${card.title}`, async function () {
      this.timeout(150_000);
      const played = await playCard(world.stage, card, { texts: TEXTS, language: 'fr', onStep: () => undefined });
      expect(played.checks.filter((check) => !check.isGood)).to.deep.equal([]);
      expect(played.checks.length).to.be.greaterThan(Object.keys(card.checks).length);
    });
  }

  // The last one, when every card has been played: what all processes wrote, and what was narrated.
  it('leave no full phone number and no PIN in the logs', () => {
    const logged = lines.filter((line) => line.startsWith('{'));
    expect(logged.length, 'lines of log').to.be.greaterThan(50);
    const secrets = world.stage.parts.phones.flatMap(({ msisdn, pin }) => [
      msisdn,
      msisdn.slice(2),
      ...(pin === null ? [] : [pin]),
    ]);
    const isIn = (line: string, secret: string): boolean =>
      new RegExp(`(?<![\\w.:-])\\+?(33)?${secret}(?![\\w.:-])`).test(line);
    for (const secret of secrets) expect(lines.filter((line) => isIn(line, secret))).to.deep.equal([]);
  });
});
