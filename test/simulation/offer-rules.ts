/**
 * What must hold of offers: a purchase is of what its payer was quoted, and a name under which a yes was given stands for
 * one order for ever.
 */
import { displayMoney } from '../../src/money.ts';
import type { Order, PurchaseId } from '../../src/purchase/purchase.ts';
import { cutProductName } from '../../src/ussd/phrases.ts';
import type { Offer } from './notes.ts';
import type { Page, Pages } from './pages.ts';
import type { ReadText } from './said-text.ts';

/** The rules. */
export interface OfferRules {
  quoted(place: string, offer: Offer): void;
  /** A yes under this name is on its way. */
  yesGiven(id: PurchaseId): void;
  /** A text is said in a payer's dialog, or by SMS; `saying` is its name when it is heard. */
  said(place: string, saying: number, read: ReadText): void;
  heard(saying: number): void;
  begun(id: PurchaseId): void;
}

/** Offers of one payer that a text may still name. */
const MOST_RECENT = 8;

type Bought = Pick<Order, 'machineNumber' | 'orderSeq' | 'item' | 'productName' | 'price'>;

/** An offer as a payer reads it. */
function wordsOf({ machineNumber, productName, price }: Bought): string {
  return `${cutProductName(productName)} at ${displayMoney(price)} on ${machineNumber}`;
}

/** Likewise, with the order's number. */
function nameOf(offer: Bought): string {
  return `${wordsOf(offer)}/${offer.orderSeq}`;
}

function isSameOrder(one: Bought, other: Bought): boolean {
  return one.machineNumber === other.machineNumber && one.orderSeq === other.orderSeq;
}

/** Creates the rules. */
export function createOfferRules(pages: Pages): OfferRules {
  const recentOf = new Map<string, { readonly offer: Offer; readonly words: string }[]>();
  const lastOf = new Map<PurchaseId, Offer>();
  /** What was last said to the payer under each name, and what he has read. */
  const toldOf = new Map<PurchaseId, Offer>();
  const readOf = new Map<PurchaseId, Offer>();
  const saidOf = new Map<number, Offer>();
  /** What stands under a name since the payer's yes. */
  const agreedOf = new Map<PurchaseId, Bought>();

  return {
    quoted: (place, offer) => {
      const recent = recentOf.get(place) ?? [];
      recentOf.set(place, recent);
      recent.unshift({ offer, words: wordsOf(offer) });
      recent.length = Math.min(recent.length, MOST_RECENT);
      const { purchaseId } = offer;
      const agreed = agreedOf.get(purchaseId);
      lastOf.set(purchaseId, offer);
      if (agreed === undefined || isSameOrder(agreed, offer)) return;
      pages.complain(
        pages.find(purchaseId) ?? null,
        `${purchaseId} is offered for ${nameOf(offer)}, a yes was given under it for ${nameOf(agreed)}`,
      );
    },
    yesGiven: (id) => {
      const offer = lastOf.get(id);
      if (offer !== undefined && !agreedOf.has(id)) agreedOf.set(id, offer);
    },
    said: (place, saying, { key, names }) => {
      if (key !== 'quote' && key !== 'sms_quote') return;
      const words = `${names.product} at ${names.price} on ${names.machine}`;
      const meant = recentOf.get(place)?.find((each) => each.words === words);
      if (meant === undefined) pages.complain(null, `a payer is quoted ${words}, and no such offer is kept for him`);
      else {
        saidOf.set(saying, meant.offer);
        toldOf.set(meant.offer.purchaseId, meant.offer);
      }
    },
    heard: (saying) => {
      const offer = saidOf.get(saying);
      if (offer === undefined) return;
      saidOf.delete(saying);
      readOf.set(offer.purchaseId, offer);
    },
    begun: (id) => {
      const page = pages.find(id);
      if (page === undefined) return;
      // A screen may be lost, and a copy of the key before it come so late that it counts as the yes (`ussd.dedupeMs`).
      checkBought(pages, page, readOf.get(id) ?? toldOf.get(id));
      agreedOf.set(id, page.purchase.order);
    },
  };
}

function checkBought(pages: Pages, page: Page, read: Offer | undefined): void {
  const { order } = page.purchase;
  if (read === undefined) {
    pages.complain(page, `began for ${nameOf(order)}, and its payer was quoted nothing under its name`);
    return;
  }
  const isAsRead = isSameOrder(read, order) && read.item === order.item && wordsOf(read) === wordsOf(order);
  if (!isAsRead) pages.complain(page, `began for ${nameOf(order)}, and its payer was quoted ${nameOf(read)}`);
}
