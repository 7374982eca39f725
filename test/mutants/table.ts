/**
 * The table of mutants.
 */
import { readFileSync } from 'node:fs';
import { linkMutants } from './link-mutants.ts';
import { moneyMutants } from './money-mutants.ts';
import type { Mutant } from './mutant.ts';

/** All of them. */
export const mutants: readonly Mutant[] = [...moneyMutants, ...linkMutants];

/** The mutant of that name. @throws Error when there is none. */
export function mutantNamed(name: string): Mutant {
  const found = mutants.find((mutant) => mutant.name === name);
  if (found === undefined) throw new Error(`no mutant is called "${name}"`);
  return found;
}

/** Seeds of the simulation by the mutant's name: see `knownSeeds`. Written by `main.js --from-one --keep`. */
export const SEEDS_FILE = 'test/mutants/seeds.json';

/**
 * The first seed, counted from 1, that found each mutant when it was looked for. Played first, which saves time and
 * proves nothing: each run shows anew that it finds it, and goes on with other seeds when it does not.
 */
export function knownSeeds(): Readonly<Record<string, number>> {
  return JSON.parse(readFileSync(new URL('./seeds.json', import.meta.url), 'utf8')) as Record<string, number>;
}

/** Address of the built module of a source, under which Node loads it; from the sources as well as from the build. */
export function addressOf(file: string): string {
  const build = import.meta.url.includes('/dist/test/mutants/') ? '../../' : '../../dist/';
  return new URL(`${build}${file.replace(/\.ts$/, '.js')}`, import.meta.url).href;
}
