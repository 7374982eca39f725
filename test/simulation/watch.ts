/**
 * Ports that note what passes through them. Each is put directly around what executes (the store in memory, the ledger
 * of the wallet, the memory of the board), inside the simulated network: an answer that gets lost has been noted all the same.
 */
import { z } from 'zod';
import type { PaymentPort } from '../../src/purchase/payment-port.ts';
import type { NoticePort } from '../../src/purchase/purchases-port.ts';
import type { PurchaseStore, Subscribers } from '../../src/purchase/store-port.ts';
import type { Store } from '../../src/store/store.ts';
import type { DialogWatch } from '../support/memory-dialog-board.ts';
import type { JournalNotes, Offer, PhoneNotes, WalletNotes } from './notes.ts';

/** A node's store, noted. `node` is the incarnation. */
export function watchStore(store: Store, node: string, notes: JournalNotes & PhoneNotes): Store {
  return {
    ...store,
    purchases: watchPurchases(store.purchases, node, notes),
    subscribers: watchSubscribers(store.subscribers, notes),
  };
}

function watchSubscribers(subscribers: Subscribers, notes: PhoneNotes): Subscribers {
  return {
    meet: async (msisdn) => {
      const met = await subscribers.meet(msisdn);
      notes.payerMet(met.payerId, msisdn);
      return met;
    },
    msisdnOf: (payerId) => subscribers.msisdnOf(payerId),
    setLanguage: (payerId, language) => subscribers.setLanguage(payerId, language),
    pseudonymOf: (msisdn) => subscribers.pseudonymOf(msisdn),
  };
}

function watchPurchases(store: PurchaseStore, node: string, notes: JournalNotes): PurchaseStore {
  const reading: Pick<
    PurchaseStore,
    | 'load'
    | 'takeDue'
    | 'takeForMachines'
    | 'reschedule'
    | 'keepLease'
    | 'pastDeadline'
    | 'putOffDeadline'
    | 'effectsOf'
    | 'ofOrder'
    | 'liveOfMachine'
    | 'seqFloorOf'
    | 'recentOfPayer'
  > = {
    load: (id) => store.load(id),
    takeDue: (limit, leaseMs) => store.takeDue(limit, leaseMs),
    takeForMachines: (ids, limit, leaseMs) => store.takeForMachines(ids, limit, leaseMs),
    reschedule: (...given) => store.reschedule(...given),
    keepLease: (effect, leaseMs) => store.keepLease(effect, leaseMs),
    pastDeadline: (limit) => store.pastDeadline(limit),
    putOffDeadline: (id, version, byMs) => store.putOffDeadline(id, version, byMs),
    effectsOf: (id) => store.effectsOf(id),
    ofOrder: (machineId, orderSeq) => store.ofOrder(machineId, orderSeq),
    liveOfMachine: (machineId) => store.liveOfMachine(machineId),
    seqFloorOf: (machineId) => store.seqFloorOf(machineId),
    recentOfPayer: (payerId, withinMs, limit) => store.recentOfPayer(payerId, withinMs, limit),
  };
  return {
    ...reading,
    begin: async (commit) => {
      const answer = await store.begin(commit);
      notes.begun(node, commit, answer);
      return answer;
    },
    commit: async (commit) => {
      const answer = await store.commit(commit);
      notes.committed(node, commit, answer);
      return answer;
    },
    keepStatement: async (statement, purchaseId, opened) => {
      await store.keepStatement(statement, purchaseId, opened);
      notes.statementKept(node, statement, purchaseId, opened);
    },
    planQuery: async (id, effect) => {
      await store.planQuery(id, effect);
      notes.queryPlanned(node, id, effect);
    },
    refund: async (commit) => {
      const answer = await store.refund(commit);
      notes.refundRecorded(node, commit, answer);
      return answer;
    },
    refundSettled: async (id, n) => {
      await store.refundSettled(id, n);
      notes.refundSettled(node, id, n);
    },
    openCase: async (id, attention) => {
      await store.openCase(id, attention);
      notes.caseOpened(node, id, attention);
    },
    finish: async (id, key, tries) => {
      const isThere = (await store.effectsOf(id)).some((effect) => effect.key === key);
      await (tries === undefined ? store.finish(id, key) : store.finish(id, key, tries));
      const isLeft = isThere && (await store.effectsOf(id)).some((effect) => effect.key === key);
      if (isThere && !isLeft) notes.effectFinished(node, id, key);
    },
  };
}

/** The purchase that a record of the boards names; read by hand, since the whole form would be checked at each save. */
function idIn(body: string): string | null {
  return /"purchaseId":"([^"]+)"/.exec(body)?.[1] ?? null;
}

const kept = z.object({
  orderSeq: z.number(),
  item: z.number().nullable(),
  amountMinor: z.string(),
  currency: z.string(),
  productName: z.string(),
});
const named = z.object({ purchaseId: z.string(), machineNumber: z.string() });
/** What a dialog's record, and a text's quote, say of an offer. */
const dialogOffer = named.extend({ quoted: kept });
const textOffer = named.extend(kept.shape);
/** What was answered; the rest is kept beside it. */
const said = z.looseObject({ text: z.string() });

function offerOf({ purchaseId, machineNumber }: z.infer<typeof named>, quote: z.infer<typeof kept>): Offer {
  const { orderSeq, item, productName, amountMinor, currency } = quote;
  const price = { minor: BigInt(amountMinor), currency };
  return { purchaseId, machineNumber, orderSeq, item, productName, price };
}

/** What the board keeps of dialogs, noted: whose next answer is about which offer. */
export function watchDialogs(notes: PhoneNotes): DialogWatch {
  return {
    saved: (payer, body) => {
      const id = idIn(body);
      if (id === null) return;
      if (payer.startsWith('sms:')) {
        // A new order of a sender is another matter than what he said yes to before.
        if (body.includes('"isOpen":true')) {
          notes.offerHeld(payer, { purchaseId: id, isConfirmed: false, isYes: false, isNewTurn: true, text: null });
        }
        return;
      }
      const isOwed = body.includes('"phase":"answering"');
      // Most records are of turns that are taken: those are not read whole.
      const answered = isOwed ? null : said.parse(JSON.parse(body));
      const isQuote = body.includes('"screen":"quote"');
      notes.offerHeld(payer, {
        purchaseId: id,
        isConfirmed: body.includes('"isConfirmed":true'),
        isYes: isOwed && isQuote && body.includes('"lastInput":"1"'),
        // A turn that is taken, or a dial that is answered, which may have gone on under a new name.
        isNewTurn: isOwed || body.includes('"lastInput":""'),
        text: answered?.text ?? null,
      });
      if (answered !== null && isQuote) {
        const record = dialogOffer.parse(answered);
        notes.quoted(payer, offerOf(record, record.quoted));
      }
    },
    quoteSaved: (payer, body) => {
      const quote = textOffer.parse(JSON.parse(body));
      notes.quoted(`sms:${payer}`, offerOf(quote, quote));
    },
    quoteTaken: (payer, body) => {
      const id = idIn(body);
      if (id === null) return;
      const held = { purchaseId: id, isConfirmed: true, isYes: true, isNewTurn: true, text: null };
      notes.offerHeld(`sms:${payer}`, held);
    },
  };
}

/** A node's wallet, its calls noted before anything of them leaves the node. */
export function watchWallet(wallet: PaymentPort, node: string, notes: WalletNotes): PaymentPort {
  return {
    name: wallet.name,
    capabilities: wallet.capabilities,
    check: (question) => wallet.check(question),
    authorize: (command) => {
      notes.walletCalled(node, { verb: 'authorize', key: command.key, purchaseId: command.terms.purchaseId });
      return wallet.authorize(command);
    },
    validate: (command) => {
      notes.walletCalled(node, { verb: 'validate', key: command.key, purchaseId: command.terms.purchaseId });
      return wallet.validate(command);
    },
    settle: (command) => {
      notes.walletCalled(node, { verb: 'settle', key: command.key, purchaseId: command.terms.purchaseId });
      return wallet.settle(command);
    },
    reverse: (command) => {
      const { key, authorizeKey, terms } = command;
      notes.walletCalled(node, { verb: 'reverse', key, authorizeKey, purchaseId: terms.purchaseId });
      return wallet.reverse(command);
    },
    query: (question) => {
      notes.walletCalled(node, { verb: 'query', key: question.key, purchaseId: question.terms.purchaseId });
      return wallet.query(question);
    },
  };
}

/** A node's notices, noted. Give it to `setNotices` in place of what `answerPhones` makes. */
export function watchNotices(notices: NoticePort, node: string, notes: PhoneNotes): NoticePort {
  return {
    send: async (notice) => {
      const name = { purchaseId: notice.view.id, template: notice.template };
      notes.noticed(node, name, 'asked');
      const outcome = await notices.send(notice);
      notes.noticed(node, name, outcome.kind);
      return outcome;
    },
  };
}
