/**
 * Every name that this room uses in Redis, in one place. The part in braces is the hash tag that keeps what belongs to
 * one machine or one payer in one slot of a cluster; no script touches more than one key.
 */
import { assert } from '../result.ts';

const PREFIX = 'relais:';

/** Number of route hashes, so that one of a million machines holds about 60. */
const ROUTE_BUCKETS = 16_384;

/** The order a machine is waiting with: a hash. */
export function orderKey(machineId: string): string {
  return `${PREFIX}order:{${machineId}}`;
}

/** The open dialog of one payer: a hash. `mac`: keyed hash of the payer's number. */
export function dialogKey(account: string, mac: string): string {
  return `${PREFIX}dialog:{${account}:${mac}}`;
}

/** The SMS quote of one payer: a string, read once. */
export function quoteKey(account: string, mac: string): string {
  return `${PREFIX}quote:{${account}:${mac}}`;
}

/** The parts of one long SMS: a hash. `reference`: the phone's own number of the message (3GPP TS 23.040, 9.2.3.24.1). */
export function partsKey(account: string, mac: string, reference: string): string {
  return `${PREFIX}parts:{${account}:${mac}:${reference}}`;
}

/** The mark of a message already taken: a string. */
export function seenKey(account: string, digest: string): string {
  return `${PREFIX}seen:{${account}:${digest}}`;
}

/** Prefix of rate-limiter-flexible's counters of one kind; the library appends `:` and the id. */
export function rateKeyPrefix(what: string): string {
  return `${PREFIX}rate:${what}`;
}

/** The lease of a node: a string holding its incarnation. */
export function leaseKey(nodeName: string): string {
  return `${PREFIX}node:${nodeName}`;
}

/** The routes of the machines of one bucket: a hash. */
export function routeKey(machineId: string): string {
  return `${PREFIX}route:{${crc16(machineId) % ROUTE_BUCKETS}}`;
}

/** Random text that changes when Redis has lost everything: a string. */
export const epochKey = `${PREFIX}board:epoch`;

/** Channel on which an order of this machine is announced. */
export function wakeChannel(machineId: string): string {
  return `${PREFIX}wake:{${machineId}}`;
}

/** Channel of the nudges for one node. */
export function nodeChannel(nodeName: string): string {
  return `${PREFIX}node:${nodeName}`;
}

/** A node's name as it may stand in keys and routes. @throws Bug for any other. */
export function checkedNodeName(name: string): string {
  assert(/^[A-Za-z0-9][A-Za-z0-9._-]{0,47}$/.test(name), 'a node name is 1 to 48 of A-Z a-z 0-9 . _ -');
  return name;
}

/** CRC-16/XMODEM (polynomial 0x1021, start 0) of the UTF-8 bytes: what Redis Cluster itself computes of a key. */
export function crc16(text: string): number {
  let crc = 0;
  for (const byte of Buffer.from(text, 'utf8')) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) {
      crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
    }
    crc &= 0xffff;
  }
  return crc;
}
