/**
 * The demo's stage: phones, machines, the wallet relay and the ledger, with everything a visitor, a card or a page may
 * do to them. Everything goes over the real wires; the stage knows nothing of the product's inside.
 */
import type { Clock, DurationMs } from '../src/time.ts';
import type { MachineAct, WalletAct } from './cards.ts';
import type { LedgerReader } from './ledger-reader.ts';
import type { SimulatedMachine } from './machine.ts';
import type { Smsc } from './smsc.ts';
import type { Screen, UssdCall } from './smsc-call.ts';
import type { InboxMessage } from './smsc-inbox.ts';
import type { WalletCall, WalletFaults } from './wallet-faults.ts';

/** A phone of the stage. `pin`: null where the wallet asks for none. */
export type StagePhone = { readonly name: string; readonly msisdn: string; readonly pin: string | null };

/** A machine of the stage: its number, what it is, and the program with its hardware. */
export type StageMachine = {
  readonly number: string;
  readonly name: string;
  readonly place: string;
  readonly goods: readonly { readonly item: number; readonly name: string; readonly price: bigint }[];
};

/** What the stage is made of. */
export type StageParts = {
  readonly clock: Clock;
  readonly smsc: Smsc;
  readonly wallet: WalletFaults;
  readonly ledger: LedgerReader;
  readonly phones: readonly StagePhone[];
  readonly machines: readonly StageMachine[];
  /** Makes and switches on the program of a machine; `waitsMs` null: its usual waiting time. */
  readonly powerUp: (machine: StageMachine, waitsMs: DurationMs | null) => Promise<SimulatedMachine>;
  readonly shortCode: string;
  readonly operatorAccount: string;
};

const SLOW_DELIVERY_MS: DurationMs = 3000;
const USUAL_DELIVERY_MS: DurationMs = 300;
const SLOW_WALLET_MS: DurationMs = 4000;

/** A running stage. */
export type Stage = {
  readonly parts: StageParts;
  phone(name: string): StagePhone;
  machine(number: string): SimulatedMachine;
  describe(number: string): StageMachine;
  dial(phone: string, dialed: string, isTwice?: boolean): void;
  key(phone: string, key: string, isTwice?: boolean): void;
  hangUp(phone: string): void;
  text(phone: string, text: string): Promise<void>;
  nextScreen(phone: string, withinMs: DurationMs): Promise<Screen>;
  /** The first message at or after this place in the inbox that pleases, waiting for it. */
  nextMessage(
    phone: string,
    from: number,
    isIt: (text: string) => boolean,
    withinMs: DurationMs,
  ): Promise<InboxMessage | null>;
  inbox(phone: string): readonly InboxMessage[];
  breakMachine(number: string, act: MachineAct): Promise<void>;
  breakWallet(act: WalletAct): Promise<void>;
  /** Switches the machine off and on with another waiting time; null: its usual one. */
  waits(number: string, waitsMs: DurationMs | null): Promise<void>;
  /** Authorizations that reached the wallet, by distinct key, since that place in the relay's list. */
  authorizes(since: number): number;
  close(): Promise<void>;
};

/** Sets the stage: machines are switched on. */
export async function setStage(parts: StageParts): Promise<Stage> {
  const machines = new Map<string, SimulatedMachine>();
  const waiting = new Map<string, DurationMs | null>();
  for (const machine of parts.machines) machines.set(machine.number, await parts.powerUp(machine, null));
  const calls = new Map<string, UssdCall>();
  const phone = (name: string): StagePhone =>
    found(
      parts.phones.find((each) => each.name === name),
      `phone ${name}`,
    );
  const machine = (number: string): SimulatedMachine => found(machines.get(number), `machine ${number}`);
  const describe = (number: string): StageMachine =>
    found(
      parts.machines.find((each) => each.number === number),
      `machine ${number}`,
    );
  const call = (name: string): UssdCall => found(calls.get(name), `no open call on the phone of ${name}`);

  return {
    parts,
    phone,
    machine,
    describe,
    dial: (name, dialed, isTwice = false) => {
      calls.set(name, parts.smsc.dial(phone(name).msisdn, dialed, { twice: isTwice }));
    },
    key: (name, key, isTwice = false) => call(name).key(key, { twice: isTwice }),
    hangUp: (name) => {
      calls.get(name)?.hangUp();
      calls.delete(name);
    },
    text: async (name, text) => {
      await parts.smsc.text(phone(name).msisdn, parts.shortCode, text);
    },
    nextScreen: (name, withinMs) => call(name).nextScreen(withinMs),
    inbox: (name) => parts.smsc.inbox(phone(name).msisdn),
    nextMessage: (name, from, isIt, withinMs) => nextMessage(parts, phone(name).msisdn, { from, isIt, withinMs }),
    breakMachine: (number, act) => breakMachine(machine(number), act),
    breakWallet: (act) => breakWallet(parts.wallet, act),
    waits: async (number, waitsMs) => {
      if ((waiting.get(number) ?? null) === waitsMs) return;
      await machine(number).stop();
      machines.set(number, await parts.powerUp(describe(number), waitsMs));
      waiting.set(number, waitsMs);
    },
    authorizes: (since) => {
      const keys = parts.wallet
        .calls()
        .slice(since)
        .filter((each) => isAuthorize(each) && each.forwarded > 0);
      return new Set(keys.map((each) => each.key)).size;
    },
    close: async () => {
      await Promise.all([...machines.values()].map((each) => each.stop()));
      await parts.smsc.close();
      await parts.wallet.stop();
    },
  };
}

function found<Value>(value: Value | undefined, what: string): Value {
  if (value === undefined) throw new Error(`there is no ${what}`);
  return value;
}

/** A hold, or a debit: what secures the price. */
function isAuthorize(call: WalletCall): boolean {
  return call.method === 'POST' && !call.isCapture && /authorisationcodes$|\/merchantpay$/.test(call.route);
}

async function breakMachine(machine: SimulatedMachine, act: MachineAct): Promise<void> {
  switch (act) {
    case 'jam':
    case 'sold_out':
    case 'sensor_silent':
      return machine.setFault(act);
    case 'slow_delivery':
      return machine.hardware.setDeliveryTime(SLOW_DELIVERY_MS);
    case 'repair':
      machine.setFault(null);
      return machine.hardware.setDeliveryTime(USUAL_DELIVERY_MS);
    case 'offline':
      return machine.goOffline();
    case 'online':
      return machine.goOnline();
    case 'power_off':
      return machine.powerCut();
    case 'power_on':
      return machine.powerOn();
  }
}

/** Faults strike the authorization, so that questions and reversals still reach the wallet; `down` strikes everything. */
async function breakWallet(wallet: WalletFaults, act: WalletAct): Promise<void> {
  if (act === 'down') return wallet.close();
  await wallet.reopen();
  switch (act) {
    case 'none':
    case 'silent':
    case 'lost_request':
    case 'double':
    case 'reset':
      return wallet.set({ kind: act }, isAuthorize);
    case 'slow':
      return wallet.set({ kind: 'slow', ms: SLOW_WALLET_MS }, isAuthorize);
    case 'status_5xx':
      return wallet.set({ kind: 'status_5xx', when: 'after' }, isAuthorize);
  }
}

const LOOK_MS: DurationMs = 50;

async function nextMessage(
  parts: StageParts,
  msisdn: string,
  wanted: { readonly from: number; readonly isIt: (text: string) => boolean; readonly withinMs: DurationMs },
): Promise<InboxMessage | null> {
  const untilMs = parts.clock.now() + wanted.withinMs;
  for (;;) {
    const message = parts.smsc
      .inbox(msisdn)
      .slice(wanted.from)
      .find((each) => wanted.isIt(each.text));
    if (message !== undefined) return message;
    if (parts.clock.now() > untilMs) return null;
    await new Promise<void>((resolve) => {
      setTimeout(resolve, LOOK_MS);
    });
  }
}
