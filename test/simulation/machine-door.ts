/**
 * A node's door to the simulated network: it judges as the real one does, without HTTP.
 */
import type { LinkServer, LinkServerDeps, RefusedUpgrade } from '../../src/automaton-link/server/link-server.ts';
import { isRegisteredMac, machineKeyMac } from '../../src/automaton-link/server/machine-key.ts';
import { Rate } from '../../src/automaton-link/server/rate.ts';
import type { RegisteredMachine } from '../../src/purchase/store-port.ts';
import { Fault, ok, type Result, refuse } from '../../src/result.ts';

/** Why a machine was not let in. */
export type DoorRefusal = { readonly status: RefusedUpgrade['status']; readonly retryAfterS: number | null };

/** The door. */
export interface SimDoor extends LinkServer {
  readonly deps: LinkServerDeps;
  judge(machineId: string, key: string): Promise<Result<{ machine: RegisteredMachine; mac: string }, DoorRefusal>>;
}

/** An open door. */
export function createSimDoor(deps: LinkServerDeps): SimDoor {
  const { config, directory, serverSecret, onRefused } = deps;
  const upgrades = new Rate(deps.clock, config.upgradesPerMinute, 60_000);
  const macs = new Map<string, string>();
  let isClosed = false;

  function macOf(key: string): string {
    const mac = macs.get(key) ?? machineKeyMac(serverSecret, key);
    macs.set(key, mac);
    return mac;
  }

  async function judge(machineId: string, key: string): ReturnType<SimDoor['judge']> {
    const turnAway = (status: DoorRefusal['status'], reason: string, retryAfterS: number | null) => {
      onRefused({ machineId, address: '', status, reason });
      return refuse({ status, retryAfterS });
    };
    if (isClosed) return turnAway(503, 'draining', 3);
    let machine: RegisteredMachine | null;
    try {
      machine = await directory.machineById(machineId);
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault;
      return turnAway(503, 'directory_away', Math.ceil(config.retryMs / 1000));
    }
    const mac = macOf(key);
    if (machine === null || !isRegisteredMac(mac, machine.credentialMacs)) return turnAway(401, 'wrong_key', null);
    const waitMs = upgrades.take(machineId);
    if (waitMs > 0) return turnAway(429, 'upgrades', Math.ceil(waitMs / 1000));
    return ok({ machine, mac });
  }

  return {
    deps,
    judge,
    attach: () => undefined,
    close: () => {
      isClosed = true;
    },
  };
}
