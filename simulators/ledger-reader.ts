/**
 * The payment centre's ledger as an outsider with a teller's key reads it, by HTTP.
 */
import { request } from 'undici';
import { z } from 'zod';
import { parseDecimal } from '../src/money.ts';

/** The ledger's evidence. Amounts in minor units. */
export interface LedgerReader {
  /** What the payer can still spend plus what is held: a hold that is not captured costs nothing. */
  payer(msisdn: string): Promise<{ readonly balance: bigint; readonly held: bigint }>;
  operator(account: string): Promise<{ readonly pending: bigint; readonly available: bigint }>;
  /** What does not add up; empty when all does. */
  verify(): Promise<readonly string[]>;
}

const walletAnswer = z.object({ balance: z.string(), held: z.string() });
const operatorAnswer = z.object({ pending: z.string(), available: z.string() });
const verifyAnswer = z.object({ findings: z.array(z.unknown()) });

/** A reader of one centre. @throws when the centre does not answer. */
export function createLedgerReader(adminUrl: string, token: string, currency: string): LedgerReader {
  const call = async (method: 'GET' | 'POST', path: string, body: unknown): Promise<unknown> => {
    const answer = await request(`${adminUrl}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: body === null ? null : JSON.stringify(body),
    });
    if (answer.statusCode !== 200)
      throw new Error(`${path} answered ${answer.statusCode}: ${await answer.body.text()}`);
    return answer.body.json();
  };
  const minor = (text: string): bigint => {
    const sign = text.startsWith('-') ? -1n : 1n;
    const read = parseDecimal(text.replace('-', ''), currency);
    if (!read.ok) throw new Error(`not an amount: ${text}`);
    return sign * read.value.minor;
  };
  return {
    payer: async (msisdn) => {
      const found = walletAnswer.parse(await call('POST', '/wallets/read', { msisdn, currency }));
      return { balance: minor(found.balance), held: minor(found.held) };
    },
    operator: async (operator) => {
      const found = operatorAnswer.parse(await call('POST', '/operators/read', { operator, currency }));
      return { pending: minor(found.pending), available: minor(found.available) };
    },
    verify: async () =>
      verifyAnswer.parse(await call('GET', '/verify', null)).findings.map((finding) => JSON.stringify(finding)),
  };
}
