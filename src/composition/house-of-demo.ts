/**
 * The real parts that the demo and the journeys stand on: private PostgreSQL with two databases, private Redis, the
 * payment centre and the gateway as processes of their own.
 */
import { randomBytes } from 'node:crypto';
import { connect, createServer } from 'node:net';
import type { ConfigInput } from '../config.ts';
import { environment } from '../config.ts';
import { type PostgresServer, postgresUrl, startPostgres } from '../engines/postgres-server.ts';
import { type RedisServer, startRedis } from '../engines/redis-server.ts';
import type { CentreConfigInput } from '../payment/centre/centre-config.ts';
import { migrate } from '../store/migrate.ts';
import type { Registry } from '../store/registry.ts';
import { createStore } from '../store/store.ts';
import { systemClock } from '../time.ts';
import { type ChildProcess, startChild } from './child-process.ts';

/** A named part came up, after so long. */
export type OnReady = (part: string, tookMs: number) => void;

/** Engines with their schema. */
export type Engines = {
  readonly postgres: PostgresServer;
  readonly redis: RedisServer;
  stop(): Promise<void>;
};

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

/** Starts both engines in a folder and brings the journal's schema up. */
export async function startEngines(folder: string, cacheFolder: string, onReady: OnReady): Promise<Engines> {
  const timed = async <Value>(part: string, work: () => Promise<Value>): Promise<Value> => {
    const startMs = performance.now();
    const value = await work();
    onReady(part, performance.now() - startMs);
    return value;
  };
  const postgres = await timed('PostgreSQL, two databases', () => startPostgres({ folder, log: () => {} }));
  try {
    const redis = await timed('Redis', () =>
      startRedis({ folder, cacheFolder, environment: environment(), log: () => {} }),
    );
    await timed('schema', () => migrate(postgres.addressOf('relais_owner', 'relais')));
    return {
      postgres,
      redis,
      stop: async () => {
        await redis.stop();
        await postgres.stop();
      },
    };
  } catch (error) {
    await postgres.stop();
    throw error;
  }
}

/** Writes operators, machines and products of the demo into the journal's database. */
export async function registerMachines(engines: Engines, secrets: RunSecrets, registry: Registry): Promise<void> {
  const store = createStore({
    connection: engines.postgres.addressOf('relais_app', 'relais'),
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
    await store.applyRegistry(registry);
  } finally {
    await store.close();
  }
}

/** Starts the payment centre with the demo's wallets; it prints the PIN that was drawn, for the stage alone. */
export function startCentreProcess(place: Place): Promise<ChildProcess> {
  const { engines, secrets, folder, onLine } = place;
  const centre: CentreConfigInput = {
    databaseUrl: postgresUrl(engines.postgres.addressOf('centre_owner', 'relais_centre')),
    appDatabaseUrl: postgresUrl(engines.postgres.addressOf('centre_app', 'relais_centre')),
    admin: { token: secrets.adminToken },
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
    database: { url: postgresUrl(engines.postgres.addressOf('relais_app', 'relais')) },
    redis: { url: `unix://${engines.redis.socketPath}` },
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

/** Empties a Redis, as a restart without its data would: by the inline form of its protocol. */
export function wipeRedis(redis: RedisServer): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(redis.socketPath, () => socket.write('FLUSHALL\r\n'));
    socket.once('error', reject);
    socket.once('data', (answer: Buffer) => {
      socket.destroy();
      if (answer.toString('latin1').startsWith('+OK')) resolve();
      else reject(new Error('Redis refused to be wiped'));
    });
  });
}
