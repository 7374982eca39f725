/**
 * Names of orders for displays and logs: ULIDs, so that they sort by time.
 */
import type { UnixMs } from '../../time.ts';

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** A new ULID: 10 characters of time, 16 of chance. */
export function newOrderId(wallMs: UnixMs, random: () => number): string {
  let time = '';
  let rest = Math.floor(wallMs);
  for (let place = 0; place < 10; place += 1) {
    time = `${alphabet[rest % 32] ?? '0'}${time}`;
    rest = Math.floor(rest / 32);
  }
  return time + Array.from({ length: 16 }, () => alphabet[Math.floor(random() * 32)] ?? '0').join('');
}
