import { expect } from 'chai';
import { Fault } from '../../src/result.ts';
import { pause } from '../../src/time.ts';
import { awa, type Bench, binta, createBench, createUssdNode } from './support/phone-bench.ts';
import { breathe } from './support/turned-clock.ts';

type Node = ReturnType<typeof createUssdNode>;

async function quoted(): Promise<{ bench: Bench; node: Node }> {
  const bench = createBench();
  const node = createUssdNode(bench);
  await bench.placeOrder('4567');
  expect(await node.dial('*123*4567#')).to.contain('1 Payer');
  return { bench, node };
}

const outcomes = (bench: Bench): readonly (string | undefined)[] =>
  bench.counted.filter(({ name }) => name === 'ussd_dialogs_total').map(({ labels }) => labels['outcome']);

describe('an abort', () => {
  it('gives the claim back', async () => {
    const { bench, node } = await quoted();
    await node.send({ kind: 'abort', text: null });
    expect((await bench.board.orders.look('machine-4567'))?.state).to.equal('open');
    expect(outcomes(bench)).to.deep.equal(['user_abort']);
  });

  it('between confirmation and reply suppresses the reply and leaves the purchase (edge 21)', async () => {
    const { bench, node } = await quoted();
    bench.purchases.script.isSlow = true;
    const paying = node.request({ text: '1' });
    await breathe();
    await node.send({ kind: 'abort', text: null });
    await bench.clock.until(paying);
    expect(node.replies.length).to.equal(1);
    expect(bench.purchases.only().state).to.equal('authorizing');
    expect(bench.counted.map(({ name }) => name)).to.include('ussd_late_replies_total');
  });

  it('while we wait for the order leaves no claim behind', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    const dialed = node.request({ kind: 'begin', text: '*123*4567#', sessionId: 'x' });
    await breathe();
    await node.send({ kind: 'abort', text: null });
    await bench.placeOrder('4567');
    await bench.clock.until(dialed);
    expect(node.replies).to.deep.equal([]);
    expect((await bench.board.orders.look('machine-4567'))?.state).to.equal('open');
  });

  it('of nothing is nothing', async () => {
    const bench = createBench();
    await createUssdNode(bench).send({ kind: 'abort', text: null });
    expect(outcomes(bench)).to.deep.equal([]);
  });
});

describe('the idle timer', () => {
  it('ends the dialog after 90 s and gives the claim back', async () => {
    const { bench, node } = await quoted();
    await bench.clock.turn(89_000);
    expect(node.gateway.openDialogs()).to.equal(1);
    await bench.clock.turn(1_001);
    expect((await bench.board.orders.look('machine-4567'))?.state).to.equal('open');
    expect(outcomes(bench)).to.deep.equal(['reply_timeout']);
    expect(await node.key('1')).to.equal('nothing');
  });

  it('runs on when a copy of a dial or key is dropped', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    for (let times = 0; times < 3; times += 1) await node.dial('*123#', { sessionId: 'same' });
    await bench.clock.turn(90_001);
    expect(node.gateway.openDialogs()).to.equal(0);
    expect(outcomes(bench)).to.deep.equal(['reply_timeout']);
  });

  it('of one node leaves a dialog alone that has gone on at another', async () => {
    const { bench, node } = await quoted();
    const other = createUssdNode(bench);
    await bench.clock.turn(80_000);
    expect(await other.send({ text: '9', bind: 'bind2' })).to.match(/^Choix invalide/);
    await bench.clock.turn(11_000);
    expect(await node.key('0')).to.equal('END Annulé. Aucun débit.');
  });
});

describe('the network’s word on our reply', () => {
  for (const [outcome, counted] of [
    ['gone', 'network_abort'],
    ['unsuited', 'app_error'],
    ['not_sent', 'app_error'],
  ] as const) {
    it(`${outcome} closes the dialog as ${counted} and gives the claim back`, async () => {
      const bench = createBench();
      const node = createUssdNode(bench);
      node.network.outcome = outcome;
      await bench.placeOrder('4567');
      await node.dial('*123*4567#');
      expect(outcomes(bench)).to.deep.equal([counted]);
      expect((await bench.board.orders.look('machine-4567'))?.state).to.equal('open');
    });
  }

  it('unknown leaves the dialog waiting, shows a price once more, and lets the SMS tell the outcome', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    node.network.outcome = 'unknown';
    await bench.placeOrder('4567');
    await node.dial('*123*4567#');
    bench.purchases.script.afterConfirm = { state: 'completed' };
    expect(await node.key('1')).to.contain('1 Payer');
    expect(await node.key('1')).to.match(/^END Payé/);
    expect(bench.purchases.toldOf).to.deep.equal([]);
    expect(outcomes(bench)).to.deep.equal(['completed']);
  });

  it('taken says that the payer was told', async () => {
    const { bench, node } = await quoted();
    bench.purchases.script.afterConfirm = { state: 'completed' };
    await node.key('1');
    expect(bench.purchases.toldOf.map(({ template }) => template)).to.deep.equal(['receipt']);
  });
});

describe('the USSD side', () => {
  it('replies within the deadline that it gives to the network', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    const arrivedMs = bench.clock.now();
    await node.dial('*123*4567#');
    expect(node.replies[0]?.replyByMs).to.equal(arrivedMs + 8_000);
    expect(bench.clock.now()).to.be.below(arrivedMs + 8_000);
  });

  it('tells new dialogs of the maintenance while those that are open go on', async () => {
    const { bench, node } = await quoted();
    await node.gateway.drain();
    expect(await node.dial('*123#', { msisdn: binta, sessionId: 'b' })).to.match(/^END Service en maintenance/);
    expect(await node.send({ text: '1', msisdn: awa })).to.match(/^END Payé/);
    expect(bench.purchases.count()).to.equal(1);
  });

  it('waits at the end for what is owed', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    const dialed = node.request({ kind: 'begin', text: '*123*4567#', sessionId: 'x' });
    await breathe();
    await bench.clock.until(node.gateway.drain());
    await dialed;
    expect(node.replies.length).to.equal(1);
  });

  it('takes no more dialogs than it may', async () => {
    const bench = createBench();
    const node = createUssdNode(bench, { settings: { maxDialogs: 1 } });
    await node.dial('*123#');
    expect(await node.dial('*123#', { msisdn: binta })).to.equal('END Service indisponible. Réessayez plus tard.');
  });

  it('lets a reply go that is late, and counts it', async () => {
    const bench = createBench();
    const node = createUssdNode(bench, { settings: { replyDeadlineMs: 100, rendezvousMs: 1 } });
    bench.purchases.script.advice = 'silent';
    await bench.placeOrder('4567');
    const real = { ...bench.board.dialogs };
    bench.board.dialogs.isFirst = async (...given) => {
      await pause(bench.clock, 200);
      return real.isFirst(...given);
    };
    expect(await node.dial('*123*4567#')).to.equal('nothing');
    expect(outcomes(bench)).to.deep.equal(['app_error']);
    expect(bench.counted.map(({ name }) => name)).to.include('ussd_late_replies_total');
    expect((await bench.board.orders.look('machine-4567'))?.state).to.equal('open');
  });

  for (const [key, text] of [
    ['1', /^END Payé/],
    ['9', /^END Service indisponible. Aucun débit/],
  ] as const) {
    it(`tells what happened to key ${key} when Redis goes away before the record is saved`, async () => {
      const { bench, node } = await quoted();
      const real = { ...bench.board.dialogs };
      let saves = 0;
      bench.board.dialogs.save = (dialog) => {
        saves += 1;
        return saves === 1 ? real.save(dialog) : Promise.reject(new Fault('board_unreachable', 'no'));
      };
      expect(await node.key(key)).to.match(text);
    });
  }

  it('does not mind when the journal cannot note that the payer was told', async () => {
    const { bench, node } = await quoted();
    bench.purchases.script.afterConfirm = { state: 'completed' };
    bench.purchases.told = () => Promise.reject(new Fault('journal_unreachable', 'unknown'));
    expect(await node.key('1')).to.match(/^END Payé/);
    expect(outcomes(bench)).to.deep.equal(['completed']);
  });

  it('survives Redis being away, and says so', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    bench.redis.setReachable(false);
    expect(await node.dial('*123*4567#')).to.equal('END Service indisponible. Réessayez plus tard.');
    bench.redis.setReachable(true);
    expect(await node.dial('*123#')).to.contain('Numéro du distributeur');
  });

  it('asks the board once more when an answer of it is lost', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    bench.redis.cutReplies(1);
    expect(await node.dial('*123#')).to.contain('Numéro du distributeur');
  });

  it('logs and counts no number of a phone', async () => {
    const { bench, node } = await quoted();
    bench.purchases.script.isConfirmBroken = true;
    await node.key('1');
    expect(JSON.stringify([bench.lines, bench.counted])).to.not.contain(awa);
  });

  it('serves 200 interleaved callers: each his own screen, exactly the confirmed ones pay', async () => {
    const bench = createBench();
    const node = createUssdNode(bench);
    const callers = Array.from({ length: 200 }, (_, n) => ({
      msisdn: `2217700${10_000 + n}`,
      number: String(5_000 + n),
    }));
    bench.subscribers.pseudonymOf = (msisdn) => `p${msisdn}`;
    for (const { number } of callers) {
      const machine = bench.machines.get('4567');
      if (machine !== undefined) bench.machines.set(number, { ...machine, number, machineId: `machine-${number}` });
      await bench.placeOrder(number, { minor: BigInt(number) });
    }
    const send = (kind: 'begin' | 'continue', textOf: (n: number) => string) =>
      bench.clock.until(
        Promise.all(
          callers.map(({ msisdn }, n) =>
            node.request({ kind, text: textOf(n), msisdn, sessionId: msisdn, echo: echoOf(msisdn) }),
          ),
        ),
      );
    const screenOf = (msisdn: string): string =>
      node.replies.findLast(({ echo }) => echo.subscriber.addr === msisdn)?.text ?? '';
    await send('begin', (n) => `*123*${5_000 + n}#`);
    for (const { msisdn, number } of callers)
      expect(screenOf(msisdn)).to.contain(`${number}\nCafé long: ${number} F CFA`);
    await send('continue', (n) => (n % 2 === 0 ? '1' : '0'));
    const paid = callers.filter((_, n) => n % 2 === 0);
    for (const { msisdn, number } of paid) expect(screenOf(msisdn)).to.contain(`Payé: ${number} F CFA`);
    expect(
      bench.purchases.confirmed.map(({ machine, payerId }) => `${payerId} ${machine.number}`).sort(),
    ).to.deep.equal(paid.map(({ msisdn, number }) => `${msisdn} ${number}`).sort());
  });
});

function echoOf(msisdn: string) {
  return {
    bind: 'bind1',
    serviceType: 'USSD',
    subscriber: { ton: 1, npi: 1, addr: msisdn },
    service: { ton: 0, npi: 0, addr: '123' },
    sessionInfo: '0001',
    userMessageReference: null,
    dataCoding: 15,
  };
}
