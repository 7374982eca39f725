/**
 * Tells a purchase step by step, from what the simulators see on their side of each wire: who said what to whom, and
 * which step of patent WO 2005/052869 it is.
 */
import { decodeText } from '../src/smpp/data-coding.ts';
import type { PduView } from '../src/smpp/framer.ts';

/** A party of the patent. */
export type Party = 'phone' | 'Relais' | 'wallet' | 'machine';

/** One thing that was said. `step`: the patent's, or null for what the patent does not name. */
export type Told = {
  readonly from: Party;
  readonly to: Party;
  readonly step: string | null;
  readonly text: string;
};

/** Writes what is told; PINs never. */
export type Narrator = { tell(told: Told): void };

/** A narrator that writes lines. `secrets` are shown as dots wherever they turn up as a whole word. */
export function createNarrator(
  write: (line: string) => void,
  secrets: readonly string[],
  startMs: () => number,
): Narrator {
  const dotted = (text: string): string =>
    secrets.reduce(
      (kept, secret) => kept.replaceAll(new RegExp(`(?<!\\d)${secret}(?!\\d)`, 'g'), '•'.repeat(secret.length)),
      text,
    );
  return {
    tell: ({ from, to, step, text }) => {
      const seconds = (startMs() / 1000).toFixed(2).padStart(7);
      const way = `${from.padStart(7)} → ${to.padEnd(7)}`;
      write(`${seconds}s  ${way} ${(step ?? '').padEnd(6)} ${dotted(text.replaceAll('\n', ' / '))}`);
    },
  };
}

/** What an HTTP call to the wallet is, in the patent's words. */
export function toldOfWallet(call: {
  readonly method: string;
  readonly route: string;
  readonly isCapture: boolean;
  readonly asksFor: string | null;
}): Told {
  const { method, route } = call;
  const said = (step: string | null, text: string): Told => ({ from: 'Relais', to: 'wallet', step, text });
  if (method === 'GET' && route.endsWith('/status')) return said('ST10', 'is there an account, is it enough?');
  if (method === 'POST' && route.endsWith('/authorisationcodes')) return said('ST11', 'hold the price');
  if (call.isCapture) return said('ST131', 'capture the hold: debit the payer, credit the operator (ST132)');
  if (method === 'POST' && route.endsWith('/merchantpay')) return said('ST11', 'debit the price');
  if (method === 'POST' && /revers/.test(route)) return said('ST71', 'give the money back');
  if (call.asksFor === 'cancelled') return said('ST71', 'let the hold go: the payer has it all back');
  if (call.asksFor === 'settled') return said('ST132', 'delivered: release the price to the operator');
  if (call.asksFor !== null) return said('ST12', "the payer's answer is passed on");
  return said(null, `what became of it? (${method} ${route})`);
}

/** What a frame of the machine link is; null for pings and answers that say nothing new. */
export function toldOfFrame(frame: { readonly to: 'machine' | 'server'; readonly text: string }): Told | null {
  const parsed: unknown = JSON.parse(frame.text);
  if (!Array.isArray(parsed) || parsed[0] !== 2) return acceptance(frame.to, parsed);
  const action: unknown = parsed[2];
  const told = typeof action === 'string' ? FRAMES[action] : undefined;
  if (told === undefined) return null;
  const parties =
    frame.to === 'machine'
      ? ({ from: 'Relais', to: 'machine' } as const)
      : ({ from: 'machine', to: 'Relais' } as const);
  return { ...parties, ...told };
}

const FRAMES: Readonly<Record<string, Pick<Told, 'step' | 'text'>>> = {
  hello: { step: 'ST4', text: 'hello: connected, this is my journal' },
  'vend.request': { step: 'ST4', text: 'vend.request: a payer is expected for this order' },
  'vend.cancel': { step: 'ST51', text: 'vend.cancel: ended at the machine, never delivered' },
  'vend.closed': { step: 'ST51', text: 'vend.closed: not delivered and never will be' },
  'vend.approve': { step: 'ST15', text: 'vend.approve: deliver this order once' },
  'vend.deny': { step: 'ST51', text: 'vend.deny: nobody will pay' },
  'vend.success': { step: 'ST6', text: 'vend.success: the good came out' },
  'vend.failure': { step: 'ST6', text: 'vend.failure: no good' },
  'order.query': { step: 'ST7', text: 'order.query: what became of this order?' },
  sleep: { step: 'ST1', text: 'sleep: the modem may go off' },
};

function acceptance(to: 'machine' | 'server', parsed: unknown): Told | null {
  const answer: unknown = Array.isArray(parsed) && parsed[0] === 3 ? parsed[2] : null;
  if (to !== 'server' || typeof answer !== 'object' || answer === null || !('status' in answer)) return null;
  const { status } = answer;
  if (status !== 'accepted' && status !== 'duplicate' && status !== 'rejected') return null;
  const reason = 'reason' in answer ? `: ${String(answer.reason)}` : '';
  return { from: 'machine', to: 'Relais', step: 'ST52', text: `${status}${reason}` };
}

/** What a phone said or was shown; null for every other PDU: answers, links kept alive, delivery receipts. */
export function textOfPdu(pdu: PduView): string | null {
  if (pdu.command !== 'deliver_sm' && pdu.command !== 'submit_sm') return null;
  const octets = pdu.fields['short_message'];
  const coding = pdu.fields['data_coding'];
  if (typeof octets !== 'string' || octets === '' || typeof coding !== 'number') return null;
  const { text } = decodeText(Buffer.from(octets, 'hex'), coding);
  return /^id:\S+ sub:/.test(text) ? null : text;
}
