/**
 * One purchase by USSD at a node for test.
 */
import type { SimulatedMachine } from '../../simulators/machine.ts';
import type { TestWallet } from '../payment/centre-for-test.ts';
import { isFree, isWaiting, type NodeForTest, until } from './node-for-test.ts';

/** A machine of the node, by its number. */
export function machineOf(node: NodeForTest, number: string): SimulatedMachine {
  const machine = node.machines.get(number);
  if (machine === undefined) throw new Error(`no machine ${number}`);
  return machine;
}

/** Buys with a new wallet of so much, until the purchase has been in this state. */
export async function buyAt(
  node: NodeForTest,
  number: string,
  minor: bigint,
  state: string,
): Promise<{ readonly id: string; readonly payer: TestWallet }> {
  const machine = machineOf(node, number);
  const payer = await node.openWallet(minor);
  const seen = node.log.length;
  machine.select(1);
  await until('the machine waits', () => isWaiting(machine));
  const call = node.smsc.dial(payer.msisdn, `*123*${number}#`);
  await call.nextScreen();
  call.key('1');
  const isThere = (line: NodeForTest['log'][number]): boolean =>
    line.fields['machineId'] === machine.machineId && line.fields['state'] === state;
  const found = (): NodeForTest['log'][number] | undefined => node.log.slice(seen).find(isThere);
  await until(`a purchase at ${number} is ${state}`, () => found() !== undefined);
  if (state === 'completed') await until('the machine is free', () => isFree(machine));
  return { id: String(found()?.fields['purchaseId']), payer };
}
