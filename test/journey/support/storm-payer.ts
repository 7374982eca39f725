/**
 * Somebody who buys and buys: chooses at the machine, dials, reads, presses keys, and begins again, whatever he is told.
 */
import type { HardwareFault } from '../../../simulators/machine-hardware.ts';
import type { Screen, UssdCall } from '../../../simulators/smsc-call.ts';
import { type DurationMs, pause, systemClock } from '../../../src/time.ts';
import type { Dice } from '../../simulation/chance.ts';
import { GOODS, type StormPayer } from './storm-people.ts';
import type { StormWorld } from './storm-world.ts';

const SCREEN_MS: DurationMs = 12_000;
const WAITING_MS: DurationMs = 8_000;
const LOOK_MS: DurationMs = 200;
const MOST_SCREENS = 8;
/** Longer than any order lives. */
const FREE_MS: DurationMs = 90_000;

/** How somebody goes on with a screen: a key, or null to leave it at that. */
function keyFor(screen: Screen, pin: string | null, dice: Dice): string | null {
  if (screen.kind === 'end') return null;
  if (screen.text.includes('Code secret')) return dice.happens(0.06) ? '0000' : pin;
  return /^1 (?:Payer|Acheter encore|Continuer|Voir la nouvelle|R.essayer)/m.test(screen.text) ? '1' : '0';
}

/** What becomes of a delivery: mostly the good, sooner or later. */
function drawSelection(dice: Dice): { item: number; fault: HardwareFault | null; deliveryTakesMs: DurationMs } {
  const fate = dice.float();
  const fault = fate < 0.8 ? null : fate < 0.88 ? 'jam' : fate < 0.95 ? 'motor' : fate < 0.98 ? 'vmc_reset' : 'hang';
  return { item: dice.pick(GOODS).item, fault, deliveryTakesMs: dice.int(300, 4_500) };
}

/** Somebody at his machine, until the signal is aborted; the last purchase is left to end by itself. */
export async function buyOnAndOn(
  world: StormWorld,
  payer: StormPayer,
  dice: Dice,
  signal: AbortSignal,
): Promise<number> {
  let confirmed = 0;
  await pause(systemClock, dice.int(0, 2_000), signal);
  while (!signal.aborted) {
    if (await buy(world, payer, dice, signal)) confirmed += 1;
    await pause(systemClock, dice.int(50, 600), signal);
  }
  return confirmed;
}

async function buy(world: StormWorld, payer: StormPayer, dice: Dice, signal: AbortSignal): Promise<boolean> {
  const { machineId } = payer;
  const hall = world.halls[payer.hall];
  if (hall === undefined) return false;
  const selected = await hall.select(machineId, drawSelection(dice));
  if (selected?.isDone !== true) return false;
  if (!(await comes(async () => (await hall.look(machineId))?.isWaiting === true, WAITING_MS, signal))) {
    await hall.cancel(machineId);
    return false;
  }
  let hasPaid = await talk(world, payer, dice);
  // Who was cut off dials again, or gives up at the machine, perhaps in the middle of his own payment.
  if (!hasPaid && dice.happens(0.6)) hasPaid = await talk(world, payer, dice);
  if (!hasPaid || dice.happens(0.03)) await hall.cancel(machineId);
  await comes(async () => (await hall.look(machineId))?.isFree === true, FREE_MS, signal);
  return hasPaid;
}

/** One call. True when the dialog came to its end. */
async function talk(world: StormWorld, payer: StormPayer, dice: Dice): Promise<boolean> {
  const call: UssdCall = world.smsc.dial(payer.msisdn, `*123*${payer.machineNumber}#`);
  let hasConfirmed = false;
  for (let screens = 0; screens < MOST_SCREENS; screens += 1) {
    let screen: Screen;
    try {
      screen = await call.nextScreen(SCREEN_MS);
    } catch {
      // Cut off, or nobody answers.
      call.hangUp();
      return false;
    }
    const key = keyFor(screen, payer.pin, dice);
    if (key === null || key === '0') {
      if (key === '0') call.hangUp();
      return hasConfirmed && key === null;
    }
    if (screen.text.includes('1 Payer')) hasConfirmed = true;
    await pause(systemClock, screen.text.includes('Code secret') ? dice.int(1_000, 4_000) : dice.int(50, 300));
    call.key(key, { twice: dice.happens(0.05) });
  }
  call.hangUp();
  return hasConfirmed;
}

async function comes(isSo: () => Promise<boolean>, withinMs: DurationMs, signal: AbortSignal): Promise<boolean> {
  const untilMs = systemClock.now() + withinMs;
  while (!signal.aborted && systemClock.now() < untilMs) {
    if (await isSo()) return true;
    await pause(systemClock, LOOK_MS, signal);
  }
  return false;
}
