/**
 * Who plays in the storm: payers with their wallets, each at a machine of his own, and one operator.
 */
import { randomInt, randomUUID } from 'node:crypto';
import { request } from 'undici';
import { CURRENCY } from '../../../simulators/cast.ts';
import type { Registry } from '../../../src/store/registry.ts';

/** Goods on each machine; prices in minor units. */
export const GOODS = [
  { item: 1, name: 'Café long', priceMinor: 500 },
  { item: 2, name: 'Thé', priceMinor: 150 },
  { item: 3, name: 'Menu', priceMinor: 2_500 },
] as const;
const OPERATOR = 'STORM';
/** Somebody with a phone, who buys at one machine. */
export type StormPayer = {
  readonly msisdn: string;
  readonly pin: string | null;
  readonly openingMinor: number;
  readonly machineId: string;
  readonly machineNumber: string;
  readonly hall: number;
};

/** Wallets of several amounts; a third of them ask for a PIN. */
export function drawPayers({
  machines,
  halls,
}: {
  readonly machines: number;
  readonly halls: number;
}): readonly StormPayer[] {
  return Array.from({ length: machines }, (_, index) => ({
    msisdn: `3363998${String(1000 + index).padStart(4, '0')}`,
    pin: index % 3 === 2 ? randomInt(0, 10_000).toString().padStart(4, '0') : null,
    openingMinor: index % 6 === 1 ? 4_000 : 5_000_000,
    machineId: `storm-${1000 + index}`,
    machineNumber: String(1000 + index),
    hall: index % halls,
  }));
}

/** Their machines, as an operator registers them. */
export function registryOf(payers: readonly StormPayer[], keys: ReadonlyMap<string, string>): Registry {
  const operatorId = 1;
  const goods = GOODS.map(({ item, name, priceMinor }) => ({ item, name, priceMinor: BigInt(priceMinor) }));
  return {
    operators: [
      {
        id: operatorId,
        name: 'Storm Vending',
        account: OPERATOR,
        timeZone: 'Africa/Dakar',
        currency: CURRENCY,
        language: 'fr',
      },
    ],
    products: goods.map(({ name, priceMinor }) => ({ operatorId, name, priceMinor })),
    machines: payers.map(({ machineId, machineNumber }) => ({
      id: machineId,
      number: machineNumber,
      operatorId,
      name: machineId,
      place: 'Hall',
      currency: CURRENCY,
      priceMode: 'machine',
      minMinor: 1n,
      maxMinor: 100_000n,
      isSuspended: false,
      key: keys.get(machineId) ?? null,
      items: goods.map(({ item, name, priceMinor }) => ({ item, productName: name, priceMinor })),
    })),
  };
}

/** Opens their wallets and the operator's account at the centre, and pays in. */
export async function openAccounts(adminUrl: string, token: string, payers: readonly StormPayer[]): Promise<void> {
  const post = async (path: string, body: object): Promise<void> => {
    const answer = await request(`${adminUrl}${path}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'idempotency-key': randomUUID(),
      },
      body: JSON.stringify(body),
    });
    await answer.body.dump();
    if (answer.statusCode >= 300) throw new Error(`${path} answered ${answer.statusCode}`);
  };
  await post('/operators', { operator: OPERATOR, currency: CURRENCY });
  for (const { msisdn, pin, openingMinor } of payers) {
    const validation = pin === null ? 'never' : 'always';
    await post('/wallets', { name: msisdn, msisdn, currency: CURRENCY, validation, pin });
    await post('/cash-in', { msisdn, currency: CURRENCY, amount: String(openingMinor) });
  }
}
