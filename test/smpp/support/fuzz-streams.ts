import { readFileSync } from 'node:fs';
import { commandId } from '../../../src/smpp/command.ts';

/** Numbers 0 <= x < 1 that come again with the seed (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

function readCorpus(): Buffer[] {
  const corpus: Buffer[] = [];
  for (const file of ['bad-frames.json', 'jasmin.json', 'smpp-pdu.json']) {
    const text = readFileSync(new URL(`../../fixtures/smpp/${file}`, import.meta.url), 'utf8');
    for (const match of text.matchAll(/"hex": "([0-9a-f]{2,})"/g)) corpus.push(Buffer.from(match[1] ?? '', 'hex'));
  }
  return corpus;
}

/**
 * Streams without end: a quarter noise, a quarter frames of a good header and a body of noise, half of them good or
 * bad vectors mutated in one to eight places, their length mostly put right again so that the mutation gets past the framer.
 */
export function createStreams(seed: number): () => Buffer {
  const random = createRandom(seed);
  const corpus = readCorpus();
  const below = (limit: number): number => Math.floor(random() * limit);
  const pick = <Item>(items: readonly Item[], fallback: Item): Item => items[below(items.length)] ?? fallback;
  const noise = (length: number): Buffer => Buffer.from(Array.from({ length }, () => below(256)));
  const ids = [
    ...Object.values(commandId),
    ...Object.values(commandId).map((id) => (id | 0x80000000) >>> 0),
    0x80000000,
    0,
    0x999,
  ];

  const frameOfNoise = (): Buffer => {
    const frame = noise(16 + below(120));
    frame.writeUInt32BE(frame.length, 0);
    frame.writeUInt32BE(pick(ids, 5), 4);
    return frame;
  };
  const mutate = (original: Buffer): Buffer => {
    let octets = Buffer.from(original);
    for (let n = 1 + below(8); n > 0; n -= 1) {
      const at = below(octets.length + 1);
      const edit = below(4);
      if (edit === 0) octets = Buffer.concat([octets.subarray(0, at), octets.subarray(at + 1 + below(4))]);
      else if (edit === 1) octets = Buffer.concat([octets.subarray(0, at), noise(1 + below(6)), octets.subarray(at)]);
      else if (at < octets.length) octets[at] = edit === 2 ? below(256) : pick([0, 1, 0x7f, 0x80, 0xff], 0);
    }
    if (octets.length >= 16 && random() < 0.8) octets.writeUInt32BE(octets.length, 0);
    return octets;
  };
  return () => {
    const kind = below(4);
    if (kind === 0) return noise(1 + below(200));
    if (kind === 1) return frameOfNoise();
    const first = mutate(pick(corpus, Buffer.alloc(16)));
    return random() < 0.2 ? Buffer.concat([first, mutate(pick(corpus, Buffer.alloc(16)))]) : first;
  };
}
