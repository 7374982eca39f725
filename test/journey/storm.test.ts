import { expect } from 'chai';
import { kindsNamed, runStorm } from './support/storm.ts';
import { openStormWorld, type StormWorld } from './support/storm-world.ts';

/** Every victim once, every fault of a wire once. */
const KINDS = [
  'kill gateway',
  'stall gateway',
  'kill centre',
  'stall centre',
  'kill machines',
  'stall machines',
  'kill Redis',
  'FLUSHALL',
  'kill PostgreSQL',
  'cut wire to centre',
  'stall wire to machines',
  'delay wire to redis',
  'halve wire to postgres',
];
const SEED = Number(process.env['RELAIS_STORM_SEED'] ?? 20_261_124);

describe('a short storm over real processes', () => {
  let world: StormWorld;
  before(async function () {
    this.timeout(120_000);
    world = await openStormWorld({
      machines: 8,
      halls: 2,
      plan: 'hold_capture',
      maxWaitMs: 30_000,
      inDoubtMs: 120_000,
      longestStallMs: 3_000,
      logs: null,
    });
  });
  after(async function () {
    this.timeout(60_000);
    await world.close();
  });

  it(`leaves journal, ledger and goods in agreement (seed ${SEED})`, async function () {
    this.timeout(240_000);
    const told: string[] = [];
    const outcome = await runStorm(world, {
      seed: SEED,
      strikes: KINDS.length,
      kinds: kindsNamed(KINDS),
      isByState: false,
      gapMs: [200, 700],
      restMs: 120_000,
      say: (line) => told.push(line),
    });
    expect(outcome.disagreements, told.join('\n')).to.deep.equal([]);
    expect(outcome.fallen, 'processes that ended by themselves').to.deep.equal([]);
    expect(outcome.struck.map(({ kind }) => kind)).to.have.members(KINDS);
    expect(outcome.endings.find(({ what }) => what === 'completed')?.count ?? 0).to.be.greaterThan(0);
  });
});
