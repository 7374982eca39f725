/**
 * Machines in a process of their own, told what to do by the test. Killed, it is a power cut at all of them at once: their
 * journals, and the lists of goods that dropped, are on disk.
 */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSimulatedMachine, type SimulatedMachine } from '../../../simulators/machine.ts';
import { systemClock } from '../../../src/time.ts';
import type { HallAnswer, HallCall, HallPlan } from './machine-hall.ts';

const machines = new Map<string, SimulatedMachine>();

async function open(plan: HallPlan): Promise<void> {
  for (const { machineId, key } of plan.machines) {
    const machine: SimulatedMachine = createSimulatedMachine({
      machineId,
      key,
      url: plan.url,
      folder: plan.folder,
      currency: plan.currency,
      goods: plan.goods.map(({ item, name, priceMinor }) => ({
        item,
        name,
        price: BigInt(priceMinor),
        stock: 1_000_000,
      })),
      clock: systemClock,
      timers: { maxWaitMs: plan.maxWaitMs, deliveryMs: plan.deliveryMs },
      onNote: (note) => {
        if (note.kind !== 'dropped') return;
        // On disk before anybody hears of it: the flap's own count.
        const orderSeq = machine.status().agent?.order?.orderSeq ?? null;
        const line = JSON.stringify({ machineId, orderSeq, item: note.item, atMs: Date.now() });
        appendFileSync(join(plan.folder, 'dropped.jsonl'), `${line}\n`);
      },
    });
    machines.set(machineId, machine);
    await machine.powerOn();
  }
}

function act(call: HallCall): HallAnswer {
  const machine = machines.get(call.machineId);
  if (machine === undefined) return { id: call.id, isDone: false, isFree: false, isWaiting: false };
  let isDone = true;
  if (call.select !== undefined) {
    machine.setFault(call.select.fault);
    machine.hardware.setDeliveryTime(call.select.deliveryTakesMs);
    isDone = machine.select(call.select.item);
  }
  if (call.cancel === true) machine.cancel();
  const { agent } = machine.status();
  return {
    id: call.id,
    isDone,
    isFree: agent !== null && agent.order === null,
    isWaiting: agent?.order?.state === 'waiting' && machine.display.includes('*'),
  };
}

const [, , planText = ''] = process.argv;
process.on('message', (call) => process.send?.(act(call as HallCall)));
// Whoever started us is gone.
process.once('disconnect', () => process.exit(1));
await open(JSON.parse(planText) as HallPlan);
process.send?.({ id: 0, isDone: true, isFree: true, isWaiting: false } satisfies HallAnswer);
setInterval(() => undefined, 60_000);
