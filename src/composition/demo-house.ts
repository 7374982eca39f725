/**
 * The product in the demo and the journeys: payment centre and gateway as processes of their own, and their settings.
 */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { CommandEnd, exitCodes } from '../cli/exit.ts';
import type { ConfigInput } from '../config.ts';
import type { CentreConfigInput } from '../payment/centre/centre-config.ts';
import type { Registry } from '../store/registry.ts';
import { createStore } from '../store/store.ts';
import { systemClock } from '../time.ts';
import { type ChildProcess, startChild } from './child-process.ts';
import type { Engines } from './demo-engines.ts';

/** Secrets of one run; nothing is kept. */
export type RunSecrets = {
  readonly msisdnMac: string;
  readonly msisdnMaster: string;
  readonly machineSecret: string;
  readonly walletToken: string;
  readonly adminToken: string;
  readonly pepper: string;
  readonly smppPassword: string;
};

/** Draws the secrets of one run. */
export function drawSecrets(): RunSecrets {
  const hex = (bytes: number): string => randomBytes(bytes).toString('hex');
  return {
    msisdnMac: hex(32),
    msisdnMaster: hex(32),
    machineSecret: hex(24),
    walletToken: hex(24),
    adminToken: hex(24),
    pepper: hex(24),
    smppPassword: hex(4),
  };
}

/**
 * Writes operators, machines and products of the demo into the journal's database.
 * @throws CommandEnd 78 when the database was given and holds purchases of anybody else.
 */
export async function registerMachines(engines: Engines, secrets: RunSecrets, registry: Registry): Promise<void> {
  const store = createStore({
    connection: engines.journal,
    node: 'registry:1',
    clock: systemClock,
    connections: 2,
    secrets: {
      msisdnMacKey: Buffer.from(secrets.msisdnMac, 'hex'),
      masterKeys: [{ id: 'demo', key: Buffer.from(secrets.msisdnMaster, 'hex') }],
      machineSecret: Buffer.from(secrets.machineSecret, 'utf8'),
    },
  });
  try {
    const [operator] = registry.operators;
    if (engines.isGivenJournal && (await store.hasPurchasesBesides(operator?.name ?? ''))) {
      throw new CommandEnd(
        exitCodes.configuration,
        'DATABASE_URL holds purchases that no demo made: give the demo a database of its own.',
      );
    }
    await store.applyRegistry(registry);
  } finally {
    await store.close();
  }
}

/** Where the centre listens; the same over restarts, so that it is found again. */
export type CentrePorts = { readonly wallet: number; readonly admin: number };

/** Starts the payment centre; its wallets are opened by the admin face. */
export function startCentreProcess(place: Place, ports: CentrePorts): Promise<ChildProcess> {
  const { engines, secrets, folder, onLine } = place;
  const centre: CentreConfigInput = {
    databaseUrl: engines.ledgerUrl,
    appDatabaseUrl: engines.ledgerAppUrl,
    listen: { port: ports.wallet },
    admin: { token: secrets.adminToken, port: ports.admin },
    clients: [{ id: 'relais', token: secrets.walletToken }],
    pepper: secrets.pepper,
  };
  return startChild({ name: 'centre', command: 'centre', settings: { centre }, folder, onLine });
}

/** What a process is started beside. */
export type Place = {
  readonly engines: Engines;
  readonly secrets: RunSecrets;
  readonly folder: string;
  readonly onLine: (line: string) => void;
};

/** Settings of a gateway node of the demo; `httpPort` stays the same over restarts, so that machines find it again. */
export function gatewaySettings(
  place: Place,
  at: { readonly walletUrl: string; readonly smscPort: number; readonly httpPort: number; readonly language: string },
): ConfigInput {
  const { engines, secrets } = place;
  return {
    node: 'relais-1',
    http: { port: at.httpPort },
    admin: { port: 0 },
    database: { url: engines.journalUrl },
    redis: { url: engines.redisUrl },
    keys: {
      msisdnMac: secrets.msisdnMac,
      msisdnMaster: [{ id: 'demo', key: secrets.msisdnMaster }],
      machineSecret: secrets.machineSecret,
    },
    smpp: {
      accounts: { operator: { smsSource: { ton: 0, npi: 1, addr: '123' } } },
      binds: [
        {
          account: 'operator',
          name: 'smsc-1',
          hosts: [{ host: '127.0.0.1', port: at.smscPort }],
          systemId: 'relais',
          password: secrets.smppPassword,
        },
      ],
    },
    texts: { defaultLanguage: at.language },
    payment: {
      wallet: { id: 'centre', baseUrl: at.walletUrl, clientId: 'relais', token: secrets.walletToken },
    },
  };
}

/** Starts a gateway node. */
export function startGatewayProcess(place: Place, settings: ConfigInput): Promise<ChildProcess> {
  return startChild({ name: 'gateway', command: 'serve', settings, folder: place.folder, onLine: place.onLine });
}

/** A free port of the loopback, to be taken at once. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (typeof address === 'object' && address !== null) resolve(address.port);
        else reject(new Error('no port'));
      });
    });
  });
}
