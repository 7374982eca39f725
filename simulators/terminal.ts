/**
 * The demo by hand, in a terminal: a phone, three machines, and things to break. Works without a TTY too: it reads lines.
 */
import { createInterface } from 'node:readline';
import { displayMoney } from '../src/money.ts';
import { boxed } from './boxes.ts';
import { playCard } from './card-player.ts';
import { readCards } from './cards.ts';
import { CURRENCY, OPERATOR } from './cast.ts';
import type { PhoneTexts } from './phone-texts.ts';
import type { Stage } from './stage.ts';

/** The world as the terminal may touch it. */
export type TerminalWorld = {
  readonly stage: Stage;
  killGateway(): Promise<void>;
  startGateway(): Promise<void>;
  wipeRedis(): Promise<void>;
};

/** What the terminal is opened with. */
export type TerminalOptions = {
  readonly texts: PhoneTexts;
  readonly language: string;
  readonly write: (line: string) => void;
  /** Aborted when the process is asked to end. */
  readonly signal: AbortSignal;
};

const HELP = `
  Machines     select 4567 1        the visitor's product key          cancel 4567
  Phone        dial *123*4567#      then keys: 1, 0, a PIN             hangup
               text 4567            an SMS to 123                      phone bintou   (awa, bintou, cherif)
  Break        jam 4567             repair 4567                        offline 4567 / online 4567
               power off 4567       power on 4567                      slow 4567      (delivery takes 3 s)
               wallet slow          down, silent, lost_request, status_5xx, double, reset; none mends it
               kill gateway         start gateway                      wipe redis
  Look         status               machines and their goods           ledger         balances, does it add up
               card 4               play a card                        cards          the list
  help         quit
`;

const SCREEN_MS = 12_000;

/** The terminal of one visitor. */
class Terminal {
  readonly #world: TerminalWorld;
  readonly #options: TerminalOptions;
  #phone = 'awa';
  #read = new Map<string, number>();

  constructor(world: TerminalWorld, options: TerminalOptions) {
    this.#world = world;
    this.#options = options;
  }

  /** Carries one line out. False: the visitor wants to leave. */
  async run(line: string): Promise<boolean> {
    const [verb = '', ...words] = line.trim().split(/\s+/);
    if (verb === 'quit' || verb === 'exit') return false;
    if (verb === '') this.#showMessages();
    else if (/^\d+$/.test(verb)) await this.#key(verb);
    else await this.#command(verb, words);
    return true;
  }

  welcome(): void {
    this.#options.write(HELP);
    this.#status();
    const { pin } = this.#world.stage.phone('cherif');
    this.#options.write(
      `\n  The wallet asks cherif for a PIN: ${pin ?? 'none'}. Try: select 4567 1, then dial *123*4567#\n`,
    );
  }

  async #command(verb: string, words: readonly string[]): Promise<void> {
    const { stage } = this.#world;
    const [first = '', second = ''] = words;
    switch (verb) {
      case 'help':
        return this.#options.write(HELP);
      case 'phone':
        this.#phone = stage.phone(first).name;
        return this.#options.write(`  you hold the phone of ${this.#phone}`);
      case 'select':
        if (!stage.machine(first).select(Number(second)))
          this.#options.write('  no such product, or the machine is busy');
        return;
      case 'cancel':
        return stage.machine(first).cancel();
      case 'dial':
        stage.dial(this.#phone, first);
        return this.#showScreen();
      case 'hangup':
        return stage.hangUp(this.#phone);
      case 'text':
        await stage.text(this.#phone, words.join(' '));
        return;
      case 'wallet':
        return this.#breakWallet(first);
      case 'card':
        return this.#card(first);
      case 'cards':
        return this.#options.write(
          readCards()
            .map((card) => `  ${card.number}  ${card.title}`)
            .join('\n'),
        );
      case 'status':
        return this.#status();
      case 'ledger':
        return this.#ledger();
      default:
        return this.#break(`${verb} ${first}`.trim(), first, second);
    }
  }

  async #break(said: string, first: string, second: string): Promise<void> {
    const { stage } = this.#world;
    const verb = said.split(' ')[0];
    if (said === 'kill gateway') return this.#world.killGateway();
    if (said === 'start gateway') return this.#world.startGateway();
    if (said === 'wipe redis') return this.#world.wipeRedis();
    if (said === 'power off') return stage.breakMachine(second, 'power_off');
    if (said === 'power on') return stage.breakMachine(second, 'power_on');
    if (verb === 'slow') return stage.breakMachine(first, 'slow_delivery');
    if (verb === 'jam' || verb === 'repair' || verb === 'offline' || verb === 'online') {
      return stage.breakMachine(first, verb);
    }
    this.#options.write(`  "${said}" is no command here; try help`);
  }

  async #breakWallet(act: string): Promise<void> {
    switch (act) {
      case 'none':
      case 'silent':
      case 'lost_request':
      case 'slow':
      case 'status_5xx':
      case 'double':
      case 'reset':
      case 'down':
        return this.#world.stage.breakWallet(act);
      default:
        this.#options.write('  wallet none, slow, down, silent, lost_request, status_5xx, double or reset');
    }
  }

  async #key(key: string): Promise<void> {
    this.#world.stage.key(this.#phone, key);
    await this.#showScreen();
  }

  async #showScreen(): Promise<void> {
    try {
      const { text, alphabet, units, limit } = await this.#world.stage.nextScreen(this.#phone, SCREEN_MS);
      this.#options.write(boxed({ title: `${this.#phone}: USSD`, text, alphabet, units, limit }));
    } catch {
      this.#options.write('  the network says nothing');
    }
  }

  #showMessages(): void {
    const { stage } = this.#world;
    for (const { name } of stage.parts.phones) {
      const inbox = stage.inbox(name);
      for (const { text, alphabet, units } of inbox.slice(this.#read.get(name) ?? 0)) {
        this.#options.write(
          boxed({ title: `${name}: SMS`, text, alphabet, units, limit: alphabet === 'gsm7' ? 160 : 70 }),
        );
      }
      this.#read.set(name, inbox.length);
    }
  }

  #status(): void {
    const { stage } = this.#world;
    for (const machine of stage.parts.machines) {
      const simulated = stage.machine(machine.number);
      const { isOn, isOnline, agent } = simulated.status();
      const power = isOn ? (isOnline ? `link ${agent?.link ?? '-'}` : 'offline') : 'no power';
      const order =
        agent?.order === null || agent === null ? 'free' : `order ${agent.order.orderSeq} ${agent.order.state}`;
      this.#options.write(
        `  ${machine.number}  ${machine.name.padEnd(14)} ${power}, ${order}, dropped ${simulated.dropped()}, display "${simulated.display}"`,
      );
      for (const good of machine.goods) {
        this.#options.write(
          `        ${good.item}  ${good.name.padEnd(16)} ${displayMoney({ minor: good.price, currency: CURRENCY })}`,
        );
      }
    }
  }

  async #ledger(): Promise<void> {
    const { stage } = this.#world;
    const show = (minor: bigint): string => displayMoney({ minor, currency: CURRENCY });
    for (const phone of stage.parts.phones) {
      const { balance, held } = await stage.parts.ledger.payer(phone.msisdn);
      this.#options.write(`  ${phone.name.padEnd(8)} ${show(balance)}, held ${show(held)}`);
    }
    const operator = await stage.parts.ledger.operator(OPERATOR);
    this.#options.write(`  operator ${show(operator.available)}, pending ${show(operator.pending)}`);
    const findings = await stage.parts.ledger.verify();
    this.#options.write(
      findings.length === 0 ? '  the ledger adds up' : `  THE LEDGER DOES NOT ADD UP: ${findings.join(' ')}`,
    );
  }

  async #card(number: string): Promise<void> {
    const card = readCards().find((each) => String(each.number) === number);
    if (card === undefined) return this.#options.write('  there is no such card; try cards');
    const { texts, language } = this.#options;
    const played = await playCard(this.#world.stage, card, { texts, language, onStep: () => {} });
    for (const shown of played.shown) this.#options.write(boxed(shown));
    for (const check of played.checks) {
      this.#options.write(
        `  ${check.isGood ? 'ok    ' : 'FAILED'} ${check.what}: expected ${check.expected}, found ${check.found}`,
      );
    }
  }
}

/** Reads lines until the visitor leaves, the input ends, or the process is asked to end. */
export async function openTerminal(world: TerminalWorld, options: TerminalOptions): Promise<void> {
  const terminal = new Terminal(world, options);
  terminal.welcome();
  const lines = createInterface({ input: process.stdin, terminal: false });
  options.signal.addEventListener('abort', () => lines.close());
  for await (const line of lines) {
    try {
      if (!(await terminal.run(line))) break;
    } catch (error) {
      options.write(`  ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  lines.close();
}
