/**
 * Plants the mutant that RELAIS_MUTANT names: `RELAIS_MUTANT='...' node --import ./dist/test/mutants/plant.js PROGRAM`.
 * Without the variable the program runs as it is.
 */
import { register } from 'node:module';
import type { Planted } from './loader.ts';
import { addressOf, mutantNamed } from './table.ts';

const name = process.env['RELAIS_MUTANT'];

if (name !== undefined) {
  const { edits } = mutantNamed(name);
  const files = [...new Set(edits.map(({ file }) => file))];
  const planted: Planted = Object.fromEntries(
    files.map((file) => [addressOf(file), edits.filter((edit) => edit.file === file)]),
  );
  register('./loader.js', import.meta.url, { data: planted });
}
