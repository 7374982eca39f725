/**
 * The wallets by their stable labels. A purchase stores the label of its wallet and is served by that one for ever.
 */
import type { PaymentPort } from '../purchase/payment-port.ts';
import { assert } from '../result.ts';

/** The connectors of this process. */
export interface ConnectorMap {
  /** Null for a label that is configured no more: its purchases wait for a person. */
  find(name: string): PaymentPort | null;
  readonly names: readonly string[];
}

/** @throws Bug when two connectors have one label. */
export function createConnectorMap(connectors: readonly PaymentPort[]): ConnectorMap {
  const byName = new Map(connectors.map((connector) => [connector.name, connector]));
  assert(byName.size === connectors.length, 'each wallet has a label of its own');
  return { find: (name) => byName.get(name) ?? null, names: [...byName.keys()] };
}
