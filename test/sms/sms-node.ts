/**
 * The SMS side of one node, and a sender who has been quoted a price.
 */
import { expect } from 'chai';
import type { SmsMessage } from '../../src/smpp/inbound.ts';
import { createSmsGateway } from '../../src/sms/sms-gateway.ts';
import { type Bench, createBench, createSmsNetwork, smsSettings } from '../ussd/support/phone-bench.ts';
import { breathe } from '../ussd/support/turned-clock.ts';

/** The SMS side of one node with its network. Several may share one bench. */
export function createSmsNode(bench: Bench) {
  const { board, ...deps } = bench;
  const network = createSmsNetwork();
  let codes = 381;
  const gateway = createSmsGateway({
    ...deps,
    settings: smsSettings,
    dialogs: board.dialogs,
    orders: board.orders,
    newCode: () => {
      codes += 1;
      return String(codes);
    },
  });
  gateway.listen(network.account);
  return {
    ...network,
    gateway,
    /** What is sent back once everything without a long wait is done; `nothing` when that is so. */
    text: async (text: string, of: Partial<SmsMessage> = {}): Promise<string> => {
      const before = network.sent.length;
      await bench.clock.until(network.receive({ text, ...of }));
      await breathe();
      return network.sent.length === before ? 'nothing' : (network.sent.at(-1)?.text ?? '');
    },
  };
}
type SmsNode = ReturnType<typeof createSmsNode>;

/** A sender who has been quoted the order of 4567. */
export async function quoted(): Promise<{ bench: Bench; node: SmsNode }> {
  const bench = createBench();
  const node = createSmsNode(bench);
  await bench.placeOrder('4567', { waitMs: 180_000 });
  expect(await node.text('4567')).to.contain('OUI 382');
  return { bench, node };
}
/** How the order of 4567 stands on the board. */
export const stateOf = async (bench: Bench): Promise<string | undefined> =>
  (await bench.board.orders.look('machine-4567'))?.state;
