/**
 * All chance of a simulation, drawn from one seed.
 */
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** A stream of chance. The same seed gives the same stream. */
export interface Dice {
  /** 0 <= x < 1. */
  float(): number;
  /** A whole number from `from` up to and including `to`. */
  int(from: number, to: number): number;
  /** True with this probability; draws once in any case. */
  happens(probability: number): boolean;
  /** One of these, each as likely. @throws Error on an empty list */
  pick<Value>(values: readonly Value[]): Value;
  /** Around `mean`: half of it to one and a half, and one time in twenty up to ten times. */
  latency(meanMs: number): number;
  /** A new UUID of this version, unlike any other of this stream. */
  uuid(version: 4 | 7, wallMs: number): string;
  /** A stream of its own, so that what one part draws does not move the others. */
  fork(): Dice;
}

/**
 * Seeds that are neighbours must give streams that are not: the generator's first words hardly differ otherwise. The last
 * step of MurmurHash3, which maps no two seeds to one.
 */
function spread(seed: number): number {
  let word = seed | 0;
  word = Math.imul(word ^ (word >>> 16), 0x85_eb_ca_6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2_b2_ae_35);
  return word ^ (word >>> 16);
}

/** Dice of a seed, an unsigned 32-bit number. */
export function createDice(seed: number): Dice {
  const source = xoroshiro128plus(spread(seed));
  const word = (): number => source.next() >>> 0;
  const float = (): number => (word() + (word() >>> 11) / 2 ** 21) / 2 ** 32;
  const hex = (digits: number): string => word().toString(16).padStart(8, '0').slice(0, digits);
  return {
    float,
    int: (from, to) => from + Math.floor(float() * (to - from + 1)),
    happens: (probability) => float() < probability,
    pick: (values) => {
      const value = values[Math.floor(float() * values.length)];
      if (value === undefined) throw new Error('nothing to pick from');
      return value;
    },
    latency: (meanMs) => {
      const share = float();
      return meanMs * (share < 0.95 ? 0.5 + share : 1 + (share - 0.95) * 180);
    },
    uuid: (version, wallMs) => {
      const random = `${hex(8)}${hex(8)}${hex(8)}`;
      const head = version === 7 ? Math.floor(wallMs).toString(16).padStart(12, '0') : `${hex(8)}${hex(4)}`;
      const tail = `${version}${random.slice(0, 3)}-8${random.slice(3, 6)}-${random.slice(6, 18)}`;
      return `${head.slice(0, 8)}-${head.slice(8, 12)}-${tail}`;
    },
    fork: () => createDice(word()),
  };
}
