/**
 * The demo's world: real engines, centre and gateway as processes, and around them the simulated operator's network,
 * wallet relay and machines. The journeys of the tests stand on it too.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CURRENCY, machineIdOf, machines, OPERATOR, openWallets } from '../../simulators/cast.ts';
import { createLedgerReader } from '../../simulators/ledger-reader.ts';
import { createSimulatedMachine, type SimulatedMachine } from '../../simulators/machine.ts';
import { createNarrator, type Narrator, textOfPdu, toldOfFrame, toldOfWallet } from '../../simulators/narrator.ts';
import { type Smsc, startSmsc, type WireEvent } from '../../simulators/smsc.ts';
import { type Stage, type StageMachine, type StagePhone, setStage } from '../../simulators/stage.ts';
import { startWalletFaults, type WalletFaults } from '../../simulators/wallet-faults.ts';
import { newMachineKey } from '../automaton-link/server/machine-key.ts';
import { openRunFolder } from '../engines/run-folder.ts';
import type { Registry } from '../store/registry.ts';
import { type DurationMs, systemClock } from '../time.ts';
import type { ChildProcess } from './child-process.ts';
import { type OnReady, startEngines, timed } from './demo-engines.ts';
import {
  drawSecrets,
  freePort,
  gatewaySettings,
  type Place,
  type RunSecrets,
  registerMachines,
  startCentreProcess,
  startGatewayProcess,
} from './demo-house.ts';

const BIND_MS: DurationMs = 20_000;

/** What a world is opened with. */
export type WorldOptions = {
  readonly language: string;
  /** Keeps the data here; null: a temporary folder that is removed. */
  readonly keep: string | null;
  readonly onReady: OnReady;
  /** A line of a process's log. */
  readonly onLogLine: (line: string) => void;
  /** A line of the narration; null for none. */
  readonly narrate: ((line: string) => void) | null;
};

/** A running world. */
export type World = {
  readonly stage: Stage;
  /** Ends the gateway in the middle of what it does. */
  killGateway(): Promise<void>;
  /** Starts it again, at the same address. */
  startGateway(): Promise<void>;
  killCentre(): Promise<void>;
  startCentre(): Promise<void>;
  wipeRedis(): Promise<void>;
  close(): Promise<void>;
};

/** Opens the world; what was started before a failure is stopped. */
export async function openWorld(options: WorldOptions): Promise<World> {
  const closing: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const each of closing.splice(0).toReversed()) await each();
  };
  try {
    return await build(options, closing, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function build(
  options: WorldOptions,
  closing: (() => Promise<void>)[],
  close: () => Promise<void>,
): Promise<World> {
  const startMs = systemClock.now();
  const folder = await openRunFolder(options.keep ?? undefined);
  closing.push(() => folder.close());
  const cache = fileURLToPath(new URL('../../../.relais/', import.meta.url));
  const engines = await startEngines(folder.path, cache, options.onReady);
  closing.push(() => engines.stop());
  const secrets = drawSecrets();
  const place: Place = { engines, secrets, folder: folder.path, onLine: options.onLogLine };
  const keys = new Map(machines.map((machine) => [machine.number, newMachineKey()]));
  await registerMachines(engines, secrets, registryOf(keys, options.language));

  const ports = { wallet: await freePort(), admin: await freePort() };
  let centre = await timed(options.onReady, 'payment centre', () => startCentreProcess(place, ports));
  closing.push(() => centre.stop());
  const adminUrl = textOf(centre, 'admin');
  const phones = await openWallets(adminUrl, secrets.adminToken);
  const narrator = narratorOf(options, phones, startMs);
  const network = await startNetwork(options, { centre, secrets, narrator });
  const { wallet, smsc } = network;
  const httpPort = await freePort();
  const at = { walletUrl: wallet.url, smscPort: smsc.port, httpPort, language: options.language };
  const settings = gatewaySettings(place, at);
  let gateway = await timed(options.onReady, 'gateway', () => startGatewayProcess(place, settings));
  closing.push(() => gateway.stop());
  await timed(options.onReady, 'bind to the SMSC', () => smsc.bound(BIND_MS));
  const url = `ws://127.0.0.1:${httpPort}`;
  const stage = await timed(options.onReady, 'three machines', () =>
    setStage({
      clock: systemClock,
      smsc,
      wallet,
      ledger: createLedgerReader(adminUrl, secrets.adminToken, CURRENCY),
      phones,
      machines,
      powerUp: (machine, waitsMs) =>
        powerUpMachine(machine, {
          url,
          key: keys.get(machine.number) ?? '',
          folder: join(folder.path, `machine-${machine.number}`),
          waitsMs,
          narrator,
        }),
      shortCode: '123',
      operatorAccount: OPERATOR,
    }),
  );
  closing.push(() => stage.close());
  return {
    stage,
    killGateway: () => gateway.kill9(),
    startGateway: async () => {
      gateway = await startGatewayProcess(place, settings);
      await smsc.bound(BIND_MS);
    },
    killCentre: () => centre.kill9(),
    startCentre: async () => {
      centre = await startCentreProcess(place, ports);
    },
    wipeRedis: () => engines.wipeRedis(),
    close,
  };
}

/** What the operator's network and the way to the wallet are in the demo. */
async function startNetwork(
  options: WorldOptions,
  { centre, secrets, narrator }: { centre: ChildProcess; secrets: RunSecrets; narrator: Narrator | null },
): Promise<{ readonly wallet: WalletFaults; readonly smsc: Smsc }> {
  const wallet = await startWalletFaults({
    target: textOf(centre, 'url'),
    clock: systemClock,
    onCall: (call) => narrator?.tell(toldOfWallet(call)),
  });
  const smsc = await timed(options.onReady, 'SMSC and USSD gateway, simulated', () =>
    startSmsc({
      port: 0,
      accounts: { relais: secrets.smppPassword },
      onWire: (event) => tellPdu(narrator, event),
    }),
  );
  return { wallet, smsc };
}

function narratorOf(options: WorldOptions, phones: readonly StagePhone[], startMs: DurationMs): Narrator | null {
  if (options.narrate === null) return null;
  const pins = phones.flatMap((phone) => phone.pin ?? []);
  return createNarrator(options.narrate, pins, () => systemClock.now() - startMs);
}

function textOf(child: ChildProcess, name: string): string {
  const value = child.where[name];
  if (typeof value !== 'string') throw new Error(`the process did not say its ${name}`);
  return value;
}

function registryOf(keys: ReadonlyMap<string, string>, language: string): Registry {
  const operatorId = 1;
  return {
    operators: [
      {
        id: operatorId,
        name: 'Demo Vending',
        account: OPERATOR,
        timeZone: 'Africa/Dakar',
        currency: CURRENCY,
        language,
      },
    ],
    products: machines.flatMap((machine) =>
      machine.goods.map((good) => ({ operatorId, name: good.name, priceMinor: good.price })),
    ),
    machines: machines.map((machine) => ({
      id: machineIdOf(machine.number),
      number: machine.number,
      operatorId,
      name: machine.name,
      place: machine.place,
      currency: CURRENCY,
      priceMode: 'machine',
      minMinor: 1n,
      maxMinor: 100_000n,
      isSuspended: false,
      key: keys.get(machine.number) ?? null,
      items: machine.goods.map((good) => ({ item: good.item, productName: good.name, priceMinor: good.price })),
    })),
  };
}

async function powerUpMachine(
  machine: StageMachine,
  at: {
    readonly url: string;
    readonly key: string;
    readonly folder: string;
    readonly waitsMs: DurationMs | null;
    readonly narrator: Narrator | null;
  },
): Promise<SimulatedMachine> {
  const simulated = createSimulatedMachine({
    machineId: machineIdOf(machine.number),
    key: at.key,
    url: at.url,
    folder: at.folder,
    currency: CURRENCY,
    goods: machine.goods.map((good) => ({ ...good, stock: 1000 })),
    clock: systemClock,
    ...(at.waitsMs === null ? {} : { timers: { maxWaitMs: at.waitsMs } }),
    onFrame: (frame) => {
      const told = toldOfFrame(frame);
      if (told !== null) at.narrator?.tell({ ...told, text: `${machine.number} ${told.text}` });
    },
  });
  await simulated.powerOn();
  return simulated;
}

/** Texts of USSD and SMS as they pass; links are kept alive without a word. */
function tellPdu(narrator: Narrator | null, event: WireEvent): void {
  const text = textOfPdu(event.pdu);
  if (narrator === null || text === null) return;
  const isFromPhone = event.direction === 'out';
  narrator.tell(
    isFromPhone
      ? { from: 'phone', to: 'Relais', step: text.startsWith('*') ? 'ST8' : 'ST9', text }
      : { from: 'Relais', to: 'phone', step: null, text },
  );
}
