/**
 * Loader hooks of a process with a mutant: the modules it names are altered as they are loaded, all others are not
 * touched. Node calls what is exported here, in a thread of its own.
 */
import type { InitializeHook, LoadHook } from 'node:module';
import { altered, type Edit } from './mutant.ts';

/** What `plant.ts` hands over: edits by the module's address. */
export type Planted = Readonly<Record<string, readonly Edit[]>>;

let planted: Planted = {};

/** @public Called once by Node. */
export const initialize: InitializeHook<Planted> = (edits) => {
  planted = edits;
};

/** @public Called by Node for each module. */
export const load: LoadHook = async (address, context, nextLoad) => {
  const loaded = await nextLoad(address, context);
  const edits = planted[address];
  if (edits === undefined || loaded.source === undefined || loaded.source === null) return loaded;
  const text = typeof loaded.source === 'string' ? loaded.source : new TextDecoder().decode(loaded.source);
  return { ...loaded, source: altered(text, edits) };
};
