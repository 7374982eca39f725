/**
 * What payers may be told: never that nothing was debited of what stays debited, never that it is paid when it is not,
 * a receipt only for a good; and in the end each of them knows.
 */
import type { Msisdn, PurchaseId, State } from '../../src/purchase/purchase.ts';
import type { TextKey } from '../../src/ussd/phrases.ts';
import type { NoticeName, PhoneNotes, Saying } from './notes.ts';
import type { OfferRules } from './offer-rules.ts';
import { keptMinor, type Page, type Pages } from './pages.ts';
import { claimOf, type ReadText, type TextReader } from './said-text.ts';

/** The rules of the phones, as notes. */
export interface PhoneRules extends Omit<PhoneNotes, 'payerMet'> {
  checkAtRest(): void;
}

/** What the rules stand on. */
export type PhoneRulesDeps = {
  readonly pages: Pages;
  readonly reader: TextReader;
  readonly offers: OfferRules;
  /** Keyed hash of a number, as the boards name its owner. */
  readonly pseudonymOf: (payer: Msisdn) => string;
  /** Hears each text as it is said, for the count of edges. */
  readonly onText: (key: TextKey) => void;
};

/** Words after which the payer of a purchase in this state knows what became of it. */
const LAST_WORDS: Readonly<Partial<Record<State, ReadonlySet<TextKey>>>> = {
  completed: new Set<TextKey>(['paid', 'receipt', 'already_paid']),
  settling: new Set<TextKey>(['paid', 'receipt', 'already_paid']),
  reversed: new Set<TextKey>(['refunded']),
  in_doubt: new Set<TextKey>(['in_doubt']),
};

/** States in which the money has been taken, or surely will be. */
const PAID_STATES: ReadonlySet<State> = new Set<State>(['approving', 'vending', 'in_doubt', 'settling', 'completed']);

/** Texts kept and not said, of one payer: those of nodes that died are never said. */
const MOST_UNSAID = 8;

type Said = { readonly key: TextKey; readonly about: readonly PurchaseId[] };

/** Creates the rules. */
export function createPhoneRules({ pages, reader, offers, pseudonymOf, onText }: PhoneRulesDeps): PhoneRules {
  const saidOf = new Map<number, Said>();
  /** By payer, whose next text is about these offers. */
  const held = new Map<string, Set<PurchaseId>>();
  /** By payer, what is kept on the board and not said yet: a node may stand still between the two. */
  const unsaid = new Map<string, { readonly text: string; readonly about: Set<PurchaseId> }[]>();
  /** Who was told that nothing is debited for this name, and by which phrase. */
  const promises = new Map<PurchaseId, TextKey>();
  /** How many answers to the wallet's question had been given when the promise was made. */
  const answersThen = new Map<PurchaseId, number>();
  let asked: NoticeName | null = null;
  let sayings = 0;

  function promise(id: PurchaseId, key: TextKey): void {
    const page = pages.find(id);
    promises.set(id, key);
    answersThen.set(id, page?.purchase.facts.validateAttempts ?? 0);
    if (page === undefined) return;
    const isPaid = PAID_STATES.has(page.purchase.state) && keptMinor(page) > page.refundedMinor;
    if (isPaid) pages.complain(page, `its payer is told "${key}", that nothing was debited`);
  }

  function judge(page: Page, key: TextKey): void {
    const { facts, order } = page.purchase;
    const isBought = page.delivered > 0 || facts.presumed !== null || page.isConfirmedByPerson;
    switch (claimOf(key)) {
      case 'paid':
        if (page.securedMinor !== order.price.minor)
          pages.complain(page, `its payer is told "${key}", and nothing was paid`);
        if (key === 'receipt' && !isBought) pages.complain(page, 'a receipt, and nothing was delivered');
        return;
      case 'given_back':
        if (keptMinor(page) > page.refundedMinor)
          pages.complain(page, `its payer is told "${key}", and the money is not back`);
        return;
      case 'nothing_moved':
      case 'none':
    }
  }

  /**
   * The offers of the record that a text was kept with; of the newest record where it was kept with none. What says nothing
   * of money, as to a copied key after a wipe, takes nothing away from the answer that is still owed.
   */
  function takeHeld(place: string, text: string, key: TextKey): readonly PurchaseId[] {
    const waiting = unsaid.get(place) ?? [];
    const index = waiting.findLastIndex((one) => one.text === text);
    const [found] = index < 0 ? [] : waiting.splice(index, 1);
    const newest = held.get(place);
    const about = found?.about ?? newest ?? new Set();
    if (about === newest && claimOf(key) !== 'none') held.delete(place);
    return [...about];
  }

  /** Purchases that a text is about: by its reference, by the notice that it is, or by the offer its sender holds. */
  function aboutOf({ by, text }: Saying, place: string, { key, reference }: ReadText): readonly PurchaseId[] {
    const notice = by === 'sms' ? asked : null;
    if (notice !== null) asked = null;
    const about = notice === null ? takeHeld(place, text, key) : [notice.purchaseId];
    if (reference === null) return about;
    const page = pages.ofReference(reference);
    return page === undefined ? [] : [page.purchase.id];
  }

  /** A hash each, so they are kept. */
  const placesOf = new Map<Msisdn, Readonly<Record<Saying['by'], string>>>();

  function placeOf({ payer, by }: Saying): string {
    const known = placesOf.get(payer);
    if (known !== undefined) return known[by];
    const name = pseudonymOf(payer);
    const places = { ussd: name, sms: `sms:${name}` };
    placesOf.set(payer, places);
    return places[by];
  }

  function said(_node: string, saying: Saying): number {
    const number = sayings;
    sayings += 1;
    const place = placeOf(saying);
    const read = reader.read(saying.text);
    if (read === null) pages.complain(null, `no phrase of ours: ${JSON.stringify(saying.text)}`);
    else {
      onText(read.key);
      offers.said(place, number, read);
      const about = aboutOf(saying, place, read);
      saidOf.set(number, { key: read.key, about });
      for (const id of about) {
        const page = pages.find(id);
        if (page !== undefined) judge(page, read.key);
      }
    }
    return number;
  }

  /**
   * The network took it, or the payer reads it: either is a word that was heard. What a woken node says into a dialog that
   * is over promises nothing.
   */
  function heard(number: number): void {
    offers.heard(number);
    const spoken = saidOf.get(number);
    if (spoken === undefined) return;
    saidOf.delete(number);
    for (const id of spoken.about) {
      pages.find(id)?.words.add(spoken.key);
      if (claimOf(spoken.key) === 'nothing_moved') promise(id, spoken.key);
    }
  }

  function knows({ purchase, words, hasGivenUp }: Page): boolean {
    if (hasGivenUp) return true;
    const isNothing = purchase.state === 'declined' || purchase.facts.reversalReason === 'never_seen';
    const wanted = LAST_WORDS[purchase.state];
    return [...words].some((key) => (isNothing ? claimOf(key) === 'nothing_moved' : wanted?.has(key) === true));
  }

  return {
    said,
    taken: heard,
    shown: heard,
    offerHeld: (payerMac, { purchaseId, isConfirmed, isYes, isNewTurn, text }) => {
      const ids = (isNewTurn ? null : held.get(payerMac)) ?? new Set();
      held.set(payerMac, ids);
      if (isConfirmed) offers.yesGiven(purchaseId);
      // Whatever was said of this name before: its payer wants it now.
      if (isYes) promises.delete(purchaseId);
      // A name under which nobody has said yes stands for nothing that could be debited.
      if (isConfirmed || pages.find(purchaseId) !== undefined) ids.add(purchaseId);
      if (text === null) return;
      const waiting = [...(unsaid.get(payerMac) ?? []), { text, about: ids }];
      unsaid.set(payerMac, waiting.slice(-MOST_UNSAID));
    },
    quoted: (payerMac, offer) => offers.quoted(payerMac, offer),
    noticed: (_node, notice, outcome) => {
      asked = outcome === 'asked' ? notice : null;
      const page = pages.find(notice.purchaseId);
      if (page !== undefined && outcome === 'given_up') page.hasGivenUp = true;
    },
    hungUp: () => undefined,
    checkAtRest: () => {
      for (const [id, key] of promises) {
        const page = pages.find(id);
        if (page === undefined || page.purchase.facts.validateAttempts > (answersThen.get(id) ?? 0)) continue;
        const kept = keptMinor(page) - page.refundedMinor;
        if (kept !== 0n) pages.complain(page, `its payer was told "${key}", that nothing was debited; ${kept} were`);
      }
      for (const page of pages.all.values())
        if (!knows(page)) pages.complain(page, 'its payer was left without a last word');
    },
  };
}
