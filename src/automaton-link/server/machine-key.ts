/**
 * Keys of machines: random, 32 bytes, kept by the server only as HMAC-SHA-256 under its own secret. A slow hash would
 * add nothing to a random key and cost CPU at each connect.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** A fresh key as the machine holds it: 43 characters of base64url. */
export function newMachineKey(): string {
  return randomBytes(32).toString('base64url');
}

/** What the server keeps of a key: HMAC-SHA-256 of its text under the server's secret, hexadecimal. */
export function machineKeyMac(serverSecret: string, key: string): string {
  return createHmac('sha256', serverSecret).update(key, 'utf8').digest('hex');
}

/** True when `mac` is among `registered`. All are compared, each in constant time. */
export function isRegisteredMac(mac: string, registered: readonly string[]): boolean {
  const offered = Buffer.from(mac, 'hex');
  let isFound = false;
  for (const known of registered) {
    const kept = Buffer.from(known, 'hex');
    if (kept.length === offered.length && timingSafeEqual(kept, offered)) isFound = true;
  }
  return isFound;
}
