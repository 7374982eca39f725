/**
 * `relais serve` and `relais centre`: long-running processes that say on standard output where they listen.
 */
import { print, untilAsked } from './exit.ts';

/** A process that runs, and where. */
export type Served = { readonly where: Readonly<Record<string, string | number>>; stop(): Promise<void> };

/** Starts, prints one JSON line with `ready` and the addresses, and stops when asked to. */
export async function serve(startIt: () => Promise<Served>): Promise<void> {
  const served = await startIt();
  // Listened for first: whoever reads the line may ask at once.
  const ended = untilAsked(() => served.stop());
  print(JSON.stringify({ ready: true, ...served.where }));
  await ended;
}
