/**
 * The door of the machine link: who may open a WebSocket, and who is turned away before the upgrade.
 */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { Directory, RegisteredMachine } from '../../purchase/store-port.ts';
import { ok, type Result, refuse } from '../../result.ts';
import type { Clock } from '../../time.ts';
import { maxFrameBytes } from '../frame.ts';
import { subprotocol } from '../messages.ts';
import type { LinkLog, MachineLinkConfig } from './link-config.ts';
import { isRegisteredMac, machineKeyMac } from './machine-key.ts';
import { type MachineSocket, machineSocketOf } from './machine-socket.ts';
import { Rate } from './rate.ts';

/** An upgrade that was refused, for the console. */
export type RefusedUpgrade = {
  /** As claimed; null where the path has none. */
  readonly machineId: string | null;
  readonly address: string;
  readonly status: 400 | 401 | 403 | 429 | 503;
  readonly reason: string;
};

/** What the door needs. */
export type LinkServerDeps = {
  readonly config: MachineLinkConfig;
  readonly clock: Clock;
  readonly directory: Directory;
  readonly serverSecret: string;
  readonly log: LinkLog;
  readonly onRefused: (refused: RefusedUpgrade) => void;
  /** A machine has shown its key and its socket is open. `mac`: of the key it used. */
  readonly onSocket: (socket: MachineSocket, machine: RegisteredMachine, mac: string) => void;
};

/** The door. */
export type LinkServer = {
  /** Serves `upgrade` requests below `/automaton`; other paths are left to other listeners. */
  attach(server: Server): void;
  /** No new sockets: 503 from now on. */
  close(): void;
};

/** Makes the door of a link: `createLinkServer`, or a simulation's. */
export type OpenDoor = (deps: LinkServerDeps) => LinkServer;

type Refusal = { readonly status: RefusedUpgrade['status']; readonly reason: string; readonly retryAfterS?: number };
type Claim = { readonly machineId: string; readonly key: string };

const reasonPhrases: Record<RefusedUpgrade['status'], string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  429: 'Too Many Requests',
  503: 'Service Unavailable',
};
const pathPattern = /^\/automaton\/([A-Za-z0-9][A-Za-z0-9._-]{2,47})$/;

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split('?', 1)[0] ?? '';
}

function offersSubprotocol(request: IncomingMessage): boolean {
  const offered = request.headers['sec-websocket-protocol'] ?? '';
  return offered.split(',').some((name) => name.trim() === subprotocol);
}

function basicOf(request: IncomingMessage): { user: string; key: string } | null {
  const match = /^Basic ([A-Za-z0-9+/=]{1,400})$/.exec(request.headers.authorization ?? '');
  if (match === null) return null;
  const pair = Buffer.from(match[1] ?? '', 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  return colon < 0 ? null : { user: pair.slice(0, colon), key: pair.slice(colon + 1) };
}

/** What the request claims, before anything is looked up. */
function readClaim(request: IncomingMessage): Result<Claim, Refusal> {
  const machineId = pathPattern.exec(pathOf(request))?.[1];
  if (machineId === undefined) return refuse({ status: 400, reason: 'path' });
  if (!offersSubprotocol(request)) return refuse({ status: 400, reason: 'subprotocol' });
  const basic = basicOf(request);
  if (basic === null) return refuse({ status: 401, reason: 'no_credential' });
  if (basic.user !== machineId) return refuse({ status: 401, reason: 'other_user' });
  return ok({ machineId, key: basic.key });
}

function turnAway(socket: Duplex, refusal: Refusal): void {
  const lines = [
    `HTTP/1.1 ${refusal.status} ${reasonPhrases[refusal.status]}`,
    'Connection: close',
    'Content-Length: 0',
  ];
  if (refusal.status === 401) lines.push('WWW-Authenticate: Basic realm="relais"');
  if (refusal.retryAfterS !== undefined) lines.push(`Retry-After: ${refusal.retryAfterS}`);
  socket.once('finish', () => socket.destroy());
  socket.end(`${lines.join('\r\n')}\r\n\r\n`);
}

class Door implements LinkServer {
  readonly #deps: LinkServerDeps;
  readonly #sockets: WebSocketServer;
  readonly #upgrades: Rate;
  readonly #failures: Rate;
  /** Compared where there is no machine, so that unknown and wrong take the same time. */
  readonly #nobody = [randomBytes(32).toString('hex')];
  #openCount = 0;
  #isClosed = false;

  constructor(deps: LinkServerDeps) {
    this.#deps = deps;
    this.#upgrades = new Rate(deps.clock, deps.config.upgradesPerMinute, 60_000);
    this.#failures = new Rate(deps.clock, deps.config.failedUpgradesPerMinute, 60_000);
    this.#sockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: maxFrameBytes,
      skipUTF8Validation: false,
      handleProtocols: () => subprotocol,
    });
  }

  attach(server: Server): void {
    server.on('upgrade', (request, socket, head) => {
      const isOurs = /^\/automaton(\/|$)/.test(pathOf(request));
      // Without another listener nobody would ever answer a foreign path.
      if (!isOurs && server.listenerCount('upgrade') > 1) return;
      socket.on('error', () => socket.destroy());
      this.#admit(request, socket, head).catch((bug: unknown) => {
        this.#deps.log.error('link_upgrade_bug', { error: String(bug) });
        socket.destroy();
      });
    });
  }

  close(): void {
    this.#isClosed = true;
  }

  async #admit(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const address = request.socket.remoteAddress ?? '';
    const judged = await this.#judge(request, address);
    if (!judged.ok) {
      const { status, reason } = judged.refusal;
      if (status === 400 || status === 401) this.#failures.take(address);
      const machineId = pathPattern.exec(pathOf(request))?.[1] ?? null;
      this.#deps.log.warn('link_upgrade_refused', { machineId, address, status, reason });
      this.#deps.onRefused({ machineId, address, status, reason });
      turnAway(socket, judged.refusal);
      return;
    }
    if (socket.destroyed) return;
    this.#sockets.handleUpgrade(request, socket, head, (opened) => {
      this.#openCount += 1;
      opened.once('close', () => {
        this.#openCount -= 1;
      });
      this.#deps.onSocket(machineSocketOf(opened), judged.value.machine, judged.value.mac);
    });
  }

  async #judge(
    request: IncomingMessage,
    address: string,
  ): Promise<Result<{ machine: RegisteredMachine; mac: string }, Refusal>> {
    const { config } = this.#deps;
    if (this.#isClosed) return refuse({ status: 503, reason: 'draining', retryAfterS: 3 });
    if (this.#openCount >= config.maxConnections) return refuse({ status: 503, reason: 'full', retryAfterS: 60 });
    const blockedMs = this.#failures.left(address);
    if (blockedMs > 0) return refuse({ status: 429, reason: 'failures', retryAfterS: Math.ceil(blockedMs / 1000) });
    const claim = readClaim(request);
    if (!claim.ok) return claim;
    let machine: RegisteredMachine | null;
    try {
      machine = await this.#deps.directory.machineById(claim.value.machineId);
    } catch (fault) {
      this.#deps.log.warn('link_directory_away', { error: String(fault) });
      return refuse({ status: 503, reason: 'directory_away', retryAfterS: Math.ceil(config.retryMs / 1000) });
    }
    const mac = machineKeyMac(this.#deps.serverSecret, claim.value.key);
    const isRight = isRegisteredMac(mac, machine?.credentialMacs ?? this.#nobody);
    if (machine === null || !isRight) {
      return refuse({ status: 401, reason: machine === null ? 'unknown_machine' : 'wrong_key' });
    }
    // Counted after the key, so that a stranger cannot use up a machine's share.
    const waitMs = this.#upgrades.take(machine.machineId);
    if (waitMs > 0) return refuse({ status: 429, reason: 'upgrades', retryAfterS: Math.ceil(waitMs / 1000) });
    return ok({ machine, mac });
  }
}

/** The door of the link; it opens nothing until it is attached to a server. */
export function createLinkServer(deps: LinkServerDeps): LinkServer {
  return new Door(deps);
}
