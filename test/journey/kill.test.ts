import { expect } from 'chai';
import type { Stage } from '../../simulators/stage.ts';
import { openWorld, type World } from '../../src/composition/demo-world.ts';
import { isFree, isWaiting, until } from './node-for-test.ts';

const AWA = 'awa';
const REST_MS = 90_000;

/** Dials, reads the price, confirms; the machine and the wallet do as they were told before. */
async function confirm(stage: Stage, number: string, item: number): Promise<void> {
  const machine = stage.machine(number);
  machine.select(item);
  await until(`machine ${number} waits`, () => isWaiting(machine));
  stage.dial(AWA, `*123*${number}#`);
  await stage.nextScreen(AWA, 20_000);
  stage.key(AWA, '1');
}

type Evidence = { readonly payer: bigint; readonly operator: bigint; readonly goods: ReadonlyMap<string, number> };

async function evidence(world: World): Promise<Evidence> {
  const { stage } = world;
  const payer = await stage.parts.ledger.payer(stage.phone(AWA).msisdn);
  const operator = await stage.parts.ledger.operator(stage.parts.operatorAccount);
  const goods = stage.parts.machines.map(({ number }): [string, number] => [number, stage.machine(number).dropped()]);
  return { payer: payer.balance - payer.held, operator: operator.available, goods: new Map(goods) };
}

/** Everything has come to rest: what the payer lacks the operator has, for exactly the goods that dropped. */
async function expectRest(world: World, before: Evidence, prices: ReadonlyMap<string, bigint>): Promise<void> {
  const { stage } = world;
  const isAtRest = async (): Promise<boolean> => {
    const now = await evidence(world);
    const paid = before.payer - now.payer;
    const due = [...prices].reduce(
      (sum, [number, price]) => sum + price * BigInt((now.goods.get(number) ?? 0) - (before.goods.get(number) ?? 0)),
      0n,
    );
    return (
      paid === due &&
      now.operator - before.operator === due &&
      [...prices.keys()].every((number) => isFree(stage.machine(number)))
    );
  };
  await until('payer, operator and goods agree', isAtRest, REST_MS);
  expect(await stage.parts.ledger.verify()).to.deep.equal([]);
}

function dropped(world: World, before: Evidence, number: string): number {
  return world.stage.machine(number).dropped() - (before.goods.get(number) ?? 0);
}

/** A world for the tests of one `describe`, there once they run. */
function worldForTests(): () => World {
  let opened: World | null = null;
  before(async function () {
    this.timeout(120_000);
    opened = await openWorld({
      language: 'fr',
      keep: null,
      onReady: () => undefined,
      onLogLine: () => undefined,
      narrate: null,
    });
  });
  after(async function () {
    this.timeout(60_000);
    await opened?.close();
  });
  return () => {
    if (opened === null) throw new Error('the world is not open yet');
    return opened;
  };
}

describe('kill -9 of the gateway', () => {
  const opened = worldForTests();
  it('between the commits of three purchases at once, each in another one of them: all end right', async function () {
    this.timeout(240_000);
    const world = opened();
    const { stage } = world;
    const before = await evidence(world);
    const calls = stage.parts.wallet.calls().length;
    // After commit 2: the machine has accepted and is still delivering.
    await stage.breakMachine('1203', 'slow_delivery');
    stage.machine('1203').hardware.setDeliveryTime(15_000);
    await confirm(stage, '1203', 1);
    await until('the copier delivers', () => stage.machine('1203').status().agent?.order?.state === 'delivering');
    // After commit 3: the good is out, and the wallet's answer to the capture never comes.
    await confirm(stage, '8810', 1);
    await until('the meter has the approval', () => stage.machine('8810').status().agent?.order?.state !== 'waiting');
    stage.parts.wallet.set({ kind: 'silent' }, (call) => call.method === 'POST');
    await until('the capture is asked', () =>
      stage.parts.wallet
        .calls()
        .slice(calls)
        .some((call) => call.isCapture),
    );
    // After commit 1: the wallet holds the price, and its answer never comes.
    await confirm(stage, '4567', 1);
    await until('the hold is asked', () => stage.authorizes(calls) === 3);

    await world.killGateway();
    await stage.breakWallet('none');
    await world.startGateway();

    await expectRest(
      world,
      before,
      new Map([
        ['4567', 500n],
        ['1203', 200n],
        ['8810', 300n],
      ]),
    );
    expect(dropped(world, before, '1203'), 'copies').to.equal(1);
    expect(dropped(world, before, '8810'), 'parking tickets').to.equal(1);
    expect(dropped(world, before, '4567'), 'coffees').to.equal(1);
    await stage.breakMachine('1203', 'repair');
  });

  it('at the moment of the confirmation: nothing began, or all of it', async function () {
    this.timeout(240_000);
    const world = opened();
    const { stage } = world;
    const before = await evidence(world);
    await confirm(stage, '4567', 2);
    await world.killGateway();
    await world.startGateway();
    // An order that nobody pays is ended by the machine's own waiting time.
    stage.machine('4567').skip(130_000);
    await expectRest(world, before, new Map([['4567', 600n]]));
  });

  it('at the moment of the approval, and again at that of the result', async function () {
    this.timeout(240_000);
    const world = opened();
    const { stage } = world;
    const before = await evidence(world);
    const machine = stage.machine('8810');
    machine.hardware.setDeliveryTime(2_000);
    await confirm(stage, '8810', 2);
    await until('the approval is there', () => machine.status().agent?.order?.state !== 'waiting');
    await world.killGateway();
    await world.startGateway();
    await until('the good is out', () => machine.dropped() === (before.goods.get('8810') ?? 0) + 1);
    await world.killGateway();
    await world.startGateway();
    await expectRest(world, before, new Map([['8810', 550n]]));
    expect(dropped(world, before, '8810')).to.equal(1);
    await stage.breakMachine('8810', 'repair');
  });
});

describe('FLUSHALL of Redis', () => {
  const opened = worldForTests();
  it('during an open purchase: it goes on as without it', async function () {
    this.timeout(120_000);
    const world = opened();
    const { stage } = world;
    const before = await evidence(world);
    const calls = stage.parts.wallet.calls().length;
    stage.parts.wallet.set({ kind: 'slow', ms: 2_000 }, (call) => call.method === 'POST');
    stage.machine('4567').hardware.setDeliveryTime(2_000);
    await confirm(stage, '4567', 1);
    await until('the hold is asked', () => stage.authorizes(calls) === 1);
    await world.wipeRedis();
    await until('the machine delivers', () => stage.machine('4567').status().agent?.order?.state === 'delivering');
    await world.wipeRedis();
    await expectRest(world, before, new Map([['4567', 500n]]));
    expect(dropped(world, before, '4567')).to.equal(1);
    await stage.breakWallet('none');
    await stage.breakMachine('4567', 'repair');
  });

  it('before the confirmation: the payer is asked to look again, and the machine repeats its order', async function () {
    this.timeout(120_000);
    const world = opened();
    const { stage } = world;
    const before = await evidence(world);
    const machine = stage.machine('1203');
    machine.select(2);
    await until('the machine waits', () => isWaiting(machine));
    stage.dial(AWA, '*123*1203#');
    await stage.nextScreen(AWA, 20_000);
    await world.wipeRedis();
    stage.key(AWA, '1');
    const screen = await stage.nextScreen(AWA, 20_000);
    expect(screen.text).to.match(/Session terminée|Aucun débit/);
    // Found within five seconds by the missing epoch; every machine is asked for its order again.
    await until(
      'the order is back',
      async () => {
        stage.dial(AWA, '*123*1203#');
        const again = await stage.nextScreen(AWA, 20_000);
        stage.hangUp(AWA);
        return again.text.includes('900 F CFA');
      },
      30_000,
    );
    machine.cancel();
    await expectRest(world, before, new Map([['1203', 900n]]));
    expect(dropped(world, before, '1203')).to.equal(0);
  });
});

describe('kill -9 of the payment centre', () => {
  const opened = worldForTests();

  it('after it held the price and before it said so: the gateway finds out, and the good comes', async function () {
    this.timeout(240_000);
    const world = opened();
    const { stage } = world;
    const before = await evidence(world);
    const calls = stage.parts.wallet.calls().length;
    stage.parts.wallet.set({ kind: 'silent' }, (call) => call.method === 'POST');
    await confirm(stage, '4567', 1);
    await until('the hold is made', () => stage.authorizes(calls) === 1);
    await world.killCentre();
    await stage.breakWallet('none');
    await world.startCentre();
    await expectRest(world, before, new Map([['4567', 500n]]));
    expect(dropped(world, before, '4567')).to.equal(1);
  });

  it('while the money is on its way back: the payer has it all in the end', async function () {
    this.timeout(240_000);
    const world = opened();
    const { stage } = world;
    const before = await evidence(world);
    await stage.breakMachine('8810', 'jam');
    stage.machine('8810').hardware.setDeliveryTime(2_000);
    await confirm(stage, '8810', 1);
    await until('the machine delivers', () => stage.machine('8810').status().agent?.order?.state === 'delivering');
    await world.killCentre();
    await until('the machine is free', () => isFree(stage.machine('8810')));
    await world.startCentre();
    await expectRest(world, before, new Map([['8810', 300n]]));
    expect(dropped(world, before, '8810')).to.equal(0);
    expect((await evidence(world)).payer).to.equal(before.payer);
    await stage.breakMachine('8810', 'repair');
  });
});
