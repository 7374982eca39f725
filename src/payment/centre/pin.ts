/**
 * The payer's PIN: hashed with a pepper, checked off the event loop, a few at a time; and the key to which it travels
 * encrypted.
 */
import { createHmac } from 'node:crypto';
import { hash, verify } from '@node-rs/argon2';
import {
  type CryptoKey,
  calculateJwkThumbprint,
  compactDecrypt,
  decodeProtectedHeader,
  exportJWK,
  generateKeyPair,
  type JWK,
} from 'jose';
import { z } from 'zod';

/** At most so many checks at once: each takes 19 MiB and a thread; more would only slow each other down. */
const PARALLEL_CHECKS = 4;
/** Beyond these the caller is told that the service is busy. */
const WAITING_CHECKS = 200;

// OWASP's first choice for argon2id. The package's own enum of algorithms cannot be named under isolated modules;
// argon2id is its default.
const COST = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** Hashes and checks PINs. */
export interface PinBook {
  /** True for 4 to 6 digits. */
  isPin(text: string): boolean;
  hash(holder: string, pin: string): Promise<string>;
  /** @returns null when too many checks wait: nothing was looked at. */
  check(holder: string, pin: string, stored: string): Promise<boolean | null>;
}

/** The book of one centre. `pepper`: secret of the installation, kept apart from the database. */
export function createPinBook(pepper: string): PinBook {
  let running = 0;
  const waiting: (() => void)[] = [];
  // As text: the package hashes any bytes, but checks only those that are UTF-8.
  const spice = (holder: string, pin: string): string =>
    createHmac('sha256', pepper).update(`${holder}${pin}`).digest('base64');
  return {
    isPin: (text) => /^\d{4,6}$/.test(text),
    hash: (holder, pin) => hash(spice(holder, pin), COST),
    async check(holder, pin, stored) {
      if (waiting.length >= WAITING_CHECKS) return null;
      if (running >= PARALLEL_CHECKS) await new Promise<void>((resolve) => waiting.push(resolve));
      else running += 1;
      try {
        return await verify(stored, spice(holder, pin));
      } finally {
        const next = waiting.shift();
        if (next === undefined) running -= 1;
        else next();
      }
    },
  };
}

/** The centre's key for credentials: made at each start, since nothing encrypted with it is kept. */
export interface CredentialKey {
  readonly publicJwk: JWK;
  /**
   * The PIN of a JWE that was made for this correlation id. `invalid`: it is none; `other_key`: it was encrypted to a key
   * that is no longer ours, so nothing can be said of it.
   */
  open(jwe: string, correlationId: string): Promise<{ readonly pin: string } | 'invalid' | 'other_key'>;
}

const credentialShape = z.object({ pin: z.string().max(32), correlationId: z.string() });

/** Makes a fresh key (ECDH-ES on P-256, A256GCM), named by its thumbprint. */
export async function createCredentialKey(): Promise<CredentialKey> {
  const pair = await generateKeyPair('ECDH-ES', { crv: 'P-256' });
  const jwk = await exportJWK(pair.publicKey);
  const kid = await calculateJwkThumbprint(jwk);
  return {
    publicJwk: { ...jwk, alg: 'ECDH-ES', use: 'enc', kid },
    open: (jwe, correlationId) => openCredential(pair.privateKey, kid, jwe, correlationId),
  };
}

async function openCredential(
  privateKey: CryptoKey,
  kid: string,
  jwe: string,
  correlationId: string,
): Promise<{ readonly pin: string } | 'invalid' | 'other_key'> {
  try {
    const named = decodeProtectedHeader(jwe).kid;
    if (named !== undefined && named !== kid) return 'other_key';
    const { plaintext } = await compactDecrypt(jwe, privateKey, {
      keyManagementAlgorithms: ['ECDH-ES'],
      contentEncryptionAlgorithms: ['A256GCM'],
    });
    const credential = credentialShape.parse(JSON.parse(new TextDecoder().decode(plaintext)));
    plaintext.fill(0);
    return credential.correlationId === correlationId ? { pin: credential.pin } : 'invalid';
  } catch {
    // Whatever is wrong with it, it is not a credential; saying more would help only a forger.
    return 'invalid';
  }
}
