/**
 * The one place where `ussd-menu-builder` is used: it says which step a key means on a screen, and nothing else. No
 * money, no look-up and no text passes through it, and never a PIN.
 */
import UssdMenu from 'ussd-menu-builder';
import type { Clock } from '../time.ts';
import { foldDigits } from './dial-plan.ts';
import { keysOf, type OpenScreen, type Step } from './screens.ts';

/** How long the library may take; it needs microseconds. */
const menuDeadlineMs = 200;
/** Longest input that can be a key or a number. */
const inputMax = 20;

/**
 * The step that an input means on a screen, or `invalid`.
 *
 * One instance per call, because the library keeps caller, callback and route on the instance: shared, it answers one
 * caller with another's screen. One hop: the rules are those of the current screen, the route is the input alone; `*`
 * never gets there, since the library would split at it and jump over the confirmation.
 *
 * @param input as keyed; trimmed and its digits folded to ASCII here
 * @throws Error when the library fails or does not answer within 200 ms: ours to mend, the dialog ends with `service_down`
 */
export async function nextStep(screen: OpenScreen, input: string, clock: Clock): Promise<Step | 'invalid'> {
  const key = foldInput(input);
  if (key === null) return 'invalid';
  const rules = keysOf[screen];
  const steps = new Set<Step>(Object.values(rules));
  const chosen = await run(rules, [...steps], key, clock);
  return chosen === 'invalid' ? chosen : ([...steps].find((step) => step === chosen) ?? 'invalid');
}

/** An input as the rules read it; null when it can mean nothing: empty, too long, a star, a hash, a control character. */
export function foldInput(input: string): string | null {
  if (input.length > 200) return null;
  const key = foldDigits(input).trim();
  if (key === '' || key.length > inputMax || /[*#\p{C}\u2028\u2029]/u.test(key)) return null;
  return key;
}

function run(
  rules: Readonly<Record<string, Step>>,
  steps: readonly Step[],
  key: string,
  clock: Clock,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const menu = new UssdMenu();
    const cancel = clock.after(menuDeadlineMs, () => reject(new Error('menu_silent')));
    menu.on('error', (error: Error) => {
      cancel();
      reject(error);
    });
    const answerWith = (name: string) => (): void => menu.con(name);
    menu.startState({ run: () => undefined, next: { ...rules }, defaultNext: 'invalid' });
    for (const name of [...steps, 'invalid']) menu.state(name, { run: answerWith(name), next: {} });
    // The promise that `run` returns never settles when a step fails, hence the callback.
    void menu.run({ text: key, phoneNumber: '', sessionId: '', serviceCode: '' }, (answer: unknown) => {
      cancel();
      resolve(String(answer).replace(/^CON /, ''));
    });
  });
}
