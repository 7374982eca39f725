import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { aMachine, anOrder, type LinkWorld, machineKey, openWorld, settle } from './support/link-world.ts';
import { aHello, aRequest, RawMachine } from './support/raw-machine.ts';

const frameCount = 10_000;
const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000);

/** Small generator of pseudo-random numbers (mulberry32), so that a seed gives the same run. */
function createChance(start: number): (below: number) => number {
  let state = start;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const templates: readonly string[] = [
  JSON.stringify([2, 'm1', 'hello', aHello({ open: [{ orderSeq: 1, state: 'waiting' }] })]),
  JSON.stringify([2, 'm2', 'vend.request', aRequest()]),
  JSON.stringify([
    2,
    'm3',
    'vend.success',
    { orderSeq: 1, approvalId: 'A9', item: 7, amount: 500, presumed: false, basis: null },
  ]),
  JSON.stringify([2, 'm4', 'vend.failure', { orderSeq: 1, approvalId: 'A9', code: 'jam' }]),
  JSON.stringify([2, 'm5', 'vend.closed', { orderSeq: 1, result: 'expired', approvalSeen: null }]),
  JSON.stringify([2, 'm6', 'vend.cancel', { orderSeq: 1, reason: 'user' }]),
  JSON.stringify([2, 'm7', 'status', { status: 'available', codes: [], sinceMs: 0 }]),
  JSON.stringify([2, 'm8', 'heartbeat', {}]),
  '[3,"m9",{"status":"accepted"}]',
  '[4,"m9","busy","",{"code":"busy","retryMs":1}]',
];
const values: readonly string[] = [
  'null',
  '-1',
  '0',
  '1e400',
  '1e308',
  '9007199254740993',
  '0.1',
  '"\\u0000"',
  '"\\ud800"',
  '[]',
  '{}',
  'true',
  '""',
  '{"__proto__":{"a":1}}',
  '[[[[[[[[[[]]]]]]]]]]',
  `"${'x'.repeat(3_000)}"`,
  '4294967296',
  '"constructor"',
];

/** One frame: random bytes, a template with broken bytes, or one with another value somewhere. */
function aFrame(chance: (below: number) => number): string | Buffer {
  const template = templates[chance(templates.length)] ?? '';
  const value = values[chance(values.length)] ?? '';
  switch (chance(10)) {
    case 0:
      return Buffer.from(Array.from({ length: chance(200) }, () => chance(256))).toString('latin1');
    case 1:
      return Buffer.from(Array.from({ length: chance(200) }, () => chance(256)));
    case 2:
      return template.slice(0, chance(template.length));
    case 3:
      return template + template;
    case 4:
      return template.repeat(1 + chance(60));
    case 5:
      return template;
    case 6: {
      const place = chance(template.length);
      return template.slice(0, place) + String.fromCharCode(chance(65_536)) + template.slice(place + chance(3));
    }
    default: {
      const fields = [...template.matchAll(/:("[^"]*"|[0-9]+|null|true|false|\[\]|\{\})/g)];
      const field = fields[chance(Math.max(1, fields.length))];
      if (field === undefined) return `[${chance(6)},"m1",${value},${value}]`;
      return `${template.slice(0, field.index + 1)}${value}${template.slice(field.index + field[0].length)}`;
    }
  }
}

function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect === 'function') Reflect.apply(collect, undefined, []);
  return process.memoryUsage().heapUsed;
}

describe('the machine link under random frames', () => {
  let world: LinkWorld;
  let good: RawMachine;
  let attacker: RawMachine;
  beforeEach(async () => {
    const many = 1_000_000_000;
    world = await openWorld(
      { callsPerSecond: many, requestsPerMinute: many, upgradesPerMinute: many, failedUpgradesPerMinute: many },
      [aMachine(), aMachine({ machineId: 'machine-2' })],
    );
    good = await new RawMachine(world.url).greeted();
  });
  afterEach(() => world.close());

  /** What the test itself keeps is not the link's memory. */
  function forget(): void {
    for (const list of [world.frames, world.logged, world.purchases.recorded, good.frames]) list.length = 0;
  }

  async function attack(chance: (below: number) => number): Promise<void> {
    if (attacker.socket.readyState !== attacker.socket.OPEN) {
      attacker = await new RawMachine(world.url, { user: 'machine-2', key: machineKey }).opened();
      if (chance(4) > 0) await attacker.call('hello', aHello());
    }
    if (chance(200) === 0) {
      // Bytes that are no WebSocket frame at all.
      const inside: unknown = Reflect.get(attacker.socket, '_socket');
      if (isWritable(inside)) inside.write(Buffer.from(Array.from({ length: 50 }, () => chance(256))));
    } else attacker.socket.send(aFrame(chance));
    attacker.frames.length = 0;
  }

  it(`serves a good machine after each thousand of ten thousand (FUZZ_SEED=${seed})`, async function () {
    this.timeout(60_000);
    const chance = createChance(seed);
    attacker = await new RawMachine(world.url, { user: 'machine-2' }).opened();
    let before = 0;
    for (let count = 1; count <= frameCount; count += 1) {
      await attack(chance);
      if (count % 20 === 0) await settle(3);
      if (count % 1_000 !== 0) continue;
      await settle();
      const orderSeq = count / 1_000;
      const answer = await good.call('vend.request', aRequest({ orderSeq }));
      expect(answer[2], `after ${count}`).to.include({ status: 'waiting', amount: 500 });
      const asked = world.link.port.approve({ order: anOrder({ orderSeq }), approvalId: 'A9', validMs: 1_000 });
      good.reply(await good.called('vend.approve'), { status: 'accepted' });
      expect(await asked, `after ${count}`).to.deep.equal({ kind: 'accepted' });
      const bugs = world.logged.filter(({ event }) => event.endsWith('_bug'));
      expect(bugs).to.deep.equal([]);
      forget();
      if (count === 1_000) before = heapUsed();
    }
    const open = await new Promise<number>((resolve) => world.http.getConnections((_error, many) => resolve(many)));
    expect(open).to.be.lessThan(10);
    expect((heapUsed() - before) / 1_048_576, 'MiB more').to.be.lessThan(8);
  });
});

function isWritable(value: unknown): value is { write(bytes: Buffer): void } {
  return typeof value === 'object' && value !== null && 'write' in value;
}
