/**
 * Who plays in the demo: three phones with their wallets, three machines with their goods. Numbers are from the range
 * that France reserves for fiction.
 */
import { randomInt, randomUUID } from 'node:crypto';
import { request } from 'undici';
import type { StageMachine, StagePhone } from './stage.ts';

/** Currency of the demo: no decimals. */
export const CURRENCY = 'XOF';
/** The operator's account at the payment centre. */
export const OPERATOR = 'DEMO';

const WALLETS = [
  { name: 'awa', msisdn: '33639980001', balance: '25000', asksPin: false },
  { name: 'bintou', msisdn: '33639980002', balance: '300', asksPin: false },
  { name: 'cherif', msisdn: '33639980003', balance: '25000', asksPin: true },
] as const;

/** The machines. Prices in minor units of the demo's currency. */
export const machines: readonly StageMachine[] = [
  {
    number: '4567',
    name: 'Café Plateau',
    place: 'Gare, hall A',
    goods: [
      { item: 1, name: 'Café long', price: 500n },
      { item: 2, name: 'Chocolat', price: 600n },
      { item: 3, name: 'Thé', price: 450n },
      { item: 4, name: 'Cappuccino', price: 650n },
    ],
  },
  {
    number: '1203',
    name: 'Copieur',
    place: 'Bibliothèque, 1er étage',
    goods: [
      { item: 1, name: '10 copies', price: 200n },
      { item: 2, name: '50 copies', price: 900n },
      { item: 3, name: 'Reliure', price: 700n },
    ],
  },
  {
    number: '8810',
    name: 'Horodateur',
    place: 'Rue du Port',
    goods: [
      { item: 1, name: '1 h de parking', price: 300n },
      { item: 2, name: '2 h de parking', price: 550n },
    ],
  },
];

/** The link's name of a machine of the demo. */
export function machineIdOf(number: string): string {
  return `demo-${number}`;
}

/** Opens the wallets at the centre by its admin face; the PIN of the one that asks for it is drawn here and told to nobody else. */
export async function openWallets(adminUrl: string, token: string): Promise<readonly StagePhone[]> {
  await post(adminUrl, token, '/operators', { operator: OPERATOR, currency: CURRENCY });
  const phones: StagePhone[] = [];
  for (const { name, msisdn, balance, asksPin } of WALLETS) {
    const pin = asksPin ? randomInt(0, 10_000).toString().padStart(4, '0') : null;
    const validation = asksPin ? 'always' : 'never';
    await post(adminUrl, token, '/wallets', { name, msisdn, currency: CURRENCY, validation, pin });
    await post(adminUrl, token, '/cash-in', { msisdn, currency: CURRENCY, amount: balance });
    phones.push({ name, msisdn, pin });
  }
  return phones;
}

async function post(adminUrl: string, token: string, path: string, body: object): Promise<void> {
  const answer = await request(`${adminUrl}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'idempotency-key': randomUUID() },
    body: JSON.stringify(body),
  });
  if (answer.statusCode >= 300) throw new Error(`${path} answered ${answer.statusCode}: ${await answer.body.text()}`);
  await answer.body.dump();
}
