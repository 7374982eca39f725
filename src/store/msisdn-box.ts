/**
 * Phone numbers at rest: found by a keyed hash, read back from a box whose own key is wrapped by a master key.
 */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import type { Msisdn } from '../purchase/purchase.ts';
import { assert } from '../result.ts';

/** The server's keys, 32 bytes each, from the environment or files, never from a database. */
export type MsisdnKeys = {
  /** Of the hash by which a number is found. */
  readonly msisdnMacKey: Buffer;
  /** The first wraps; all of them unwrap, so that one can be replaced while rows are rewritten. */
  readonly masterKeys: readonly { readonly id: string; readonly key: Buffer }[];
};

/** A number in its box. `key`: the subscriber's key, wrapped by the master key `keyId`. */
export type BoxedMsisdn = { readonly key: Buffer; readonly box: Buffer; readonly keyId: string };

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

function seal(key: Buffer, plain: Buffer, context: Buffer): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(context);
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([nonce, sealed, cipher.getAuthTag()]);
}

function open(key: Buffer, sealed: Buffer, context: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(context);
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES)), decipher.final()]);
}

/** Checks the length of the keys, once. @throws Bug for keys of another length, or no master key. */
export function assertKeys(keys: MsisdnKeys): void {
  assert(keys.msisdnMacKey.length === KEY_BYTES, 'the key of the number hash has 32 bytes');
  assert(keys.masterKeys.length > 0, 'there is a master key');
  for (const { key } of keys.masterKeys) assert(key.length === KEY_BYTES, 'a master key has 32 bytes');
}

/** The keyed hash of a number, 32 bytes. */
export function msisdnMacOf(keys: MsisdnKeys, msisdn: Msisdn): Buffer {
  return createHmac('sha256', keys.msisdnMacKey).update(`msisdn:${msisdn}`).digest();
}

/** Puts a number into a box of its own. The box is bound to `mac`: it opens for no other row. */
export function boxMsisdn(keys: MsisdnKeys, msisdn: Msisdn, mac: Buffer): BoxedMsisdn {
  const [master] = keys.masterKeys;
  assert(master !== undefined, 'there is a master key');
  const own = randomBytes(KEY_BYTES);
  return { key: seal(master.key, own, mac), box: seal(own, Buffer.from(msisdn, 'utf8'), mac), keyId: master.id };
}

/** Takes the number out again. @throws Bug when its master key is not at hand; Error when the box was tampered with. */
export function unboxMsisdn(keys: MsisdnKeys, boxed: BoxedMsisdn, mac: Buffer): Msisdn {
  const master = keys.masterKeys.find(({ id }) => id === boxed.keyId);
  assert(master !== undefined, 'the master key of this row is configured');
  return open(open(master.key, boxed.key, mac), boxed.box, mac).toString('utf8');
}
