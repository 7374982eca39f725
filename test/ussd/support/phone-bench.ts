/**
 * A gateway on a bench: memory boards, scripted purchases, a telephone network of one account that keeps what it is sent.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { Directory, RegisteredMachine, Subscribers } from '../../../src/purchase/store-port.ts';
import { Fault } from '../../../src/result.ts';
import type { SmsOutcome, SmsToSend, UssdOutcome, UssdReply } from '../../../src/smpp/account.ts';
import type { SmsMessage, UssdRequest } from '../../../src/smpp/inbound.ts';
import type { SmsSettings } from '../../../src/sms/sms-settings.ts';
import { createPhrases, type PhoneTexts } from '../../../src/ussd/phrases.ts';
import type { UssdSettings } from '../../../src/ussd/turn.ts';
import { createUssdGateway, type UssdAccount } from '../../../src/ussd/ussd-gateway.ts';
import { createMemoryRedis } from '../../support/memory-order-board.ts';
import { createFakePurchases } from './fake-purchases.ts';
import { createTurnedClock, type TurnedClock } from './turned-clock.ts';

export const texts: PhoneTexts = Object.fromEntries(
  ['fr', 'en'].map((language) => [
    language,
    parse(readFileSync(new URL(`../../../config/texts/${language}.yaml`, import.meta.url), 'utf8')) as Record<
      string,
      string
    >,
  ]),
);
export const phrases = createPhrases(texts, { serviceCode: '123', wallet: 'MoMo', defaultLanguage: 'fr' });

export const settings: UssdSettings = {
  serviceCode: '123',
  rendezvousMs: 4_000,
  claimMs: 60_000,
  resumeMs: 300_000,
  paidAgainMs: 60_000,
  replyDeadlineMs: 8_000,
  dialogIdleMs: 90_000,
  dedupeMs: 5_000,
  checkWaitMs: 1_000,
  maxDialogs: 1_000,
};

export const smsSettings: SmsSettings = {
  quoteMs: 120_000,
  quotesPerHour: 3,
  rendezvousMs: 2_000,
  dedupeMs: 120_000,
  helpEveryMs: 600_000,
  partsMs: 300_000,
  lookBackMs: 600_000,
  timeZone: 'Africa/Dakar',
};

export const awa = '221770000001';
export const binta = '221770000002';

const machineOf = (number: string, of: Partial<RegisteredMachine> = {}): RegisteredMachine => ({
  machineId: `machine-${number}`,
  number,
  operatorId: 1,
  operatorAccount: 'operator',
  name: 'Machine',
  place: 'Hall',
  currency: 'XOF',
  priceMode: 'machine',
  minMinor: 1n,
  maxMinor: 1_000_000n,
  isSuspended: false,
  credentialMacs: [],
  language: 'fr',
  ...of,
});

export interface LoggedLine {
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly error?: unknown;
}

/** Everything around the two gateways. */
export function createBench(clock: TurnedClock = createTurnedClock()) {
  const redis = createMemoryRedis(clock);
  const board = redis.board('node1');
  const purchases = createFakePurchases(clock, board.orders);
  const machines = new Map(['4567', '1203'].map((number) => [number, machineOf(number)]));
  machines.set('8888', machineOf('8888', { isSuspended: true }));
  const products = new Map<number, string>([[12, 'Café long']]);
  const languages = new Map<string, string>();
  const lines: LoggedLine[] = [];
  const counted: { readonly name: string; readonly labels: Readonly<Record<string, string>> }[] = [];
  let names = 0;
  let isDirectoryAway = false;

  const directory: Directory = {
    machineByNumber: async (number) => {
      if (isDirectoryAway) throw new Fault('journal_unreachable', 'no');
      return machines.get(number) ?? null;
    },
    machineById: async (id) => [...machines.values()].find((machine) => machine.machineId === id) ?? null,
    itemOf: async (_, item) => {
      const productName = products.get(item ?? -1);
      return productName === undefined ? null : { productName, priceMinor: null };
    },
  };
  const subscribers: Subscribers = {
    meet: async (msisdn) => ({ payerId: BigInt(msisdn), language: languages.get(msisdn) ?? null }),
    msisdnOf: async (payerId) => payerId.toString(),
    setLanguage: async (payerId, language) => {
      languages.set(payerId.toString(), language);
    },
    pseudonymOf: (msisdn) => `pseudonym-of-${msisdn.slice(-2)}`,
  };
  const log = {
    info: (event: string, fields: object) => lines.push({ event, fields: { ...fields } }),
    warn: (event: string, fields: object) => lines.push({ event, fields: { ...fields } }),
    error: (event: string, fields: object, error?: unknown) => lines.push({ event, fields: { ...fields }, error }),
  };
  const metrics = {
    count: (name: string, labels: Readonly<Record<string, string>>) => counted.push({ name, labels }),
    observe: () => undefined,
  };
  return {
    clock,
    redis,
    board,
    purchases,
    machines,
    products,
    languages,
    /** The session of each payer's last dial, at whatever node. */
    sessionOf: new Map<string, string | null>(),
    lines,
    counted,
    directory,
    subscribers,
    log,
    metrics,
    phrases,
    settings,
    cutoffMs: 20_000,
    newId: randomUUID,
    newPurchaseId: () => {
      names += 1;
      return `purchase-${names}`;
    },
    setDirectoryAway: (isAway: boolean) => {
      isDirectoryAway = isAway;
    },
    placeOrder: (
      number: string,
      of: { seq?: number; item?: number | null; minor?: bigint; waitMs?: number; currency?: string } = {},
    ) =>
      board.orders.place({
        machineId: `machine-${number}`,
        orderSeq: of.seq ?? 1,
        print: `print-${of.seq ?? 1}`,
        order: {
          orderId: `order-${of.seq ?? 1}`,
          item: of.item === undefined ? 12 : of.item,
          amountMinor: of.minor ?? 500n,
          currency: of.currency ?? 'XOF',
          deliveryMs: 30_000,
        },
        waitMs: of.waitMs ?? 120_000,
      }),
  };
}
export type Bench = ReturnType<typeof createBench>;

const echo = {
  bind: 'bind1',
  serviceType: 'USSD',
  subscriber: { ton: 1, npi: 1, addr: awa },
  service: { ton: 0, npi: 0, addr: '123' },
  sessionInfo: '0001',
  userMessageReference: null,
  dataCoding: 15,
};

/** One node's USSD side with its network. Several may share one bench. */
export function createUssdNode(bench: Bench, of: { readonly settings?: Partial<UssdSettings> } = {}) {
  const { board, ...deps } = bench;
  const gateway = createUssdGateway({
    ...deps,
    settings: { ...settings, ...of.settings },
    dialogs: board.dialogs,
    orders: board.orders,
  });
  let listener: (request: UssdRequest) => Promise<void> = async () => undefined;
  let sequence = 0;
  const replies: UssdReply[] = [];
  const network = {
    outcome: 'taken' as UssdOutcome,
    /** What happens on the way to the wire. */
    onWay: async (): Promise<void> => undefined,
  };
  const account: UssdAccount = {
    name: 'operator',
    onUssd: (given) => {
      listener = given;
    },
    sendUssd: async (reply) => {
      await network.onWay();
      replies.push(reply);
      return network.outcome;
    },
  };
  gateway.listen(account);

  const request = (given: Partial<UssdRequest>): Promise<void> => {
    sequence += 1;
    const { kind = 'continue', msisdn = awa } = given;
    const { sessionId = (kind === 'begin' ? null : bench.sessionOf.get(msisdn)) ?? 's1' } = given;
    if (kind === 'begin') bench.sessionOf.set(msisdn, sessionId);
    return listener({
      kind,
      opStated: true,
      account: 'operator',
      bind: 'bind1',
      msisdn,
      sessionId,
      serviceCode: null,
      text: '',
      damaged: false,
      sequence,
      echo,
      ...given,
    });
  };
  const last = (): string => {
    const reply = replies.at(-1);
    return reply === undefined ? '' : `${reply.kind === 'end' ? 'END ' : ''}${reply.text}`;
  };
  const send = async (given: Partial<UssdRequest>): Promise<string> => {
    const before = replies.length;
    await bench.clock.until(request(given));
    return replies.length === before ? 'nothing' : last();
  };
  let sessions = 0;
  return {
    gateway,
    replies,
    network,
    request,
    send,
    /** A new dial: a session of its own. `END ` stands before a last screen. */
    dial: (text: string, given: Partial<UssdRequest> = {}) => {
      sessions += 1;
      return send({ kind: 'begin', text, sessionId: `dial-${sessions}`, ...given });
    },
    key: (text: string, given: Partial<UssdRequest> = {}) => send({ text, sessionId: `dial-${sessions}`, ...given }),
  };
}

/** A network for SMS that keeps what it is sent. */
export function createSmsNetwork() {
  const sent: SmsToSend[] = [];
  const state = {
    outcome: { kind: 'accepted', messageIds: ['1'] } as SmsOutcome,
    /** What happens on the way to the wire. */
    onWay: async (): Promise<void> => undefined,
  };
  let listener: (message: SmsMessage) => Promise<void> = async () => undefined;
  return {
    sent,
    state,
    account: {
      name: 'operator',
      onSms: (given: (message: SmsMessage) => Promise<void>) => {
        listener = given;
      },
      sendSms: async (message: SmsToSend): Promise<SmsOutcome> => {
        sent.push(message);
        const { outcome } = state;
        await state.onWay();
        return outcome;
      },
    },
    receive: (message: Partial<SmsMessage>): Promise<void> =>
      listener({
        account: 'operator',
        from: awa,
        to: '4567',
        text: '',
        damaged: false,
        alphanumeric: false,
        ...message,
      }),
  };
}
