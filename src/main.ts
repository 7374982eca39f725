/**
 * The command table. Commands and rooms are loaded when called, so that `relais --help` stays quick.
 */
import { realpathSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Command, Option } from 'commander';
import { configurationEnd, reportCheck } from './cli/config-check.ts';
import { endingOf } from './cli/ending.ts';
import { CommandEnd, exitCodes, say } from './cli/exit.ts';
import type { ActName } from './cli/purchases.ts';
import type { PeopleDesk } from './composition/people.ts';
import type { Config } from './config.ts';
import type { Log } from './log.ts';

const CODES =
  'Exit codes: 0 done, 1 failed, 2 usage, 69 a needed service is unavailable, 70 bug, 75 try later, 78 configuration, 130 interrupted';
const KEEP = '.relais/serve';

type ConfigOptions = { readonly config: readonly string[] };
type KeepOptions = ConfigOptions & { readonly keep: string };
/** As declared below; the simulators are known to this file only when they are called. */
type DemoFlags = {
  readonly cards?: boolean;
  readonly card?: string;
  readonly json?: boolean;
  readonly keep?: string;
  readonly lang: string;
};
const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

async function loadedConfig(files: readonly string[]): Promise<Config> {
  const { loadConfig } = await import('./config.ts');
  const loaded = loadConfig(files);
  if (!loaded.ok) throw configurationEnd(loaded.refusal.problems);
  return loaded.value;
}

/** What the driver lets escape when the database goes away ends a command that reads, as any other answer of it would. */
function endOnEscaped(): void {
  process.on('uncaughtException', (error) => void tellEnding(error).finally(() => process.exit()));
}

/** Whatever nobody caught ends the process, whose supervisor starts it again; by the log, so that numbers are masked. */
async function endOnBug(log: Log): Promise<void> {
  const { isEscapedDriverFault } = await import('./store/driver-faults.ts');
  process.on('uncaughtException', (error) => {
    if (isEscapedDriverFault(error)) {
      log.warn('database_connection_broke', {});
      return;
    }
    log.error('bug', {}, error);
    process.exit(exitCodes.bug);
  });
}

async function serveCommand(options: KeepOptions): Promise<void> {
  const config = await loadedConfig(options.config);
  const { problemsBeyondSchema } = await import('./composition/beyond-schema.ts');
  const problems = problemsBeyondSchema(config);
  if (problems.length > 0) throw configurationEnd(problems);
  const { serve } = await import('./cli/serve.ts');
  const { createLog } = await import('./log.ts');
  const { start } = await import('./composition/start.ts');
  const { privateEngines } = await import('./composition/private-engines.ts');
  const log = createLog(config.log.level, { node: config.node });
  await endOnBug(log);
  await serve(async () => {
    const engines = await privateEngines({ config, needs: ['database', 'redis'], keep: options.keep, say });
    const running = await start(config, { log, ...engines.addresses }).catch(async (error: unknown) => {
      await engines.stop();
      throw error;
    });
    void engines.died.then((sentence) => {
      say(sentence);
      process.exit(exitCodes.unavailable);
    });
    return {
      where: { http: running.httpPort, admin: running.adminPort },
      stop: async () => {
        try {
          await running.stop();
        } finally {
          await engines.stop();
        }
      },
    };
  });
}

async function centreCommand(options: ConfigOptions): Promise<void> {
  const { loadCentreConfig } = await import('./config.ts');
  const loaded = loadCentreConfig(options.config);
  if (!loaded.ok) throw configurationEnd(loaded.refusal.problems);
  const { serve } = await import('./cli/serve.ts');
  const { createLog, fieldsFirst } = await import('./log.ts');
  const { startCentre } = await import('./payment/centre/centre.ts');
  const { systemClock } = await import('./time.ts');
  const log = createLog(loaded.value.log.level, { node: 'centre' });
  await endOnBug(log);
  await serve(async () => {
    const centre = await startCentre(loaded.value.centre, {
      clock: systemClock,
      log: fieldsFirst(log),
    });
    return { where: { url: centre.url, admin: centre.adminUrl }, stop: () => centre.stop() };
  });
}

async function configCheckCommand(options: ConfigOptions & { readonly for: string }): Promise<void> {
  const { loadCentreConfig, loadConfig } = await import('./config.ts');
  if (options.for === 'centre') {
    const loaded = loadCentreConfig(options.config);
    reportCheck(loaded.ok ? [] : loaded.refusal.problems);
    return;
  }
  const { problemsBeyondSchema } = await import('./composition/beyond-schema.ts');
  const loaded = loadConfig(options.config);
  reportCheck(loaded.ok ? problemsBeyondSchema(loaded.value) : loaded.refusal.problems);
}

async function migrateCommand(options: ConfigOptions): Promise<void> {
  const config = await loadedConfig(options.config);
  const { migrate } = await import('./store/migrate.ts');
  const { connectionOfUrl } = await import('./store/connection.ts');
  const url = config.database.ownerUrl ?? config.database.url;
  if (url === null) throw new CommandEnd(exitCodes.configuration, 'Set database.ownerUrl or DATABASE_URL.');
  const files = await migrate(connectionOfUrl(url));
  for (const file of files) say(`migrated ${file}`);
  if (files.length === 0) say('nothing to migrate');
}

async function registryCommand(file: string, options: KeepOptions): Promise<void> {
  const config = await loadedConfig(options.config);
  const { readRegistry } = await import('./registry-file.ts');
  const { buildStore } = await import('./composition/edges.ts');
  const { privateEngines } = await import('./composition/private-engines.ts');
  const { createLog } = await import('./log.ts');
  const { systemClock } = await import('./time.ts');
  const text = await readGiven(file);
  const registry = readRegistry(text);
  if (!registry.ok) throw configurationEnd(registry.refusal.problems, file);
  const log = createLog(config.log.level, { node: config.node });
  const engines = await privateEngines({ config, needs: ['database'], keep: options.keep, say });
  try {
    const store = buildStore(config, { log, ...engines.addresses }, systemClock);
    try {
      await store.applyRegistry(registry.value);
    } finally {
      await store.close();
    }
  } finally {
    await engines.stop();
  }
  const { operators, products, machines } = registry.value;
  say(`registered ${operators.length} operators, ${products.length} products, ${machines.length} machines`);
}

type AuditFlags = ConfigOptions & {
  readonly from?: string;
  readonly to?: string;
  readonly statement?: string;
  readonly json?: boolean;
};

async function auditCommand(options: AuditFlags): Promise<void> {
  const config = await loadedConfig(options.config);
  const { loadLedgerUrl } = await import('./config.ts');
  const { dayOf, runAudit } = await import('./cli/audit.ts');
  const { openAudit } = await import('./composition/audit.ts');
  const range = { from: dayOf(options.from), to: dayOf(options.to) };
  const ledger = loadLedgerUrl(options.config);
  if (!ledger.ok) throw configurationEnd(ledger.refusal.problems);
  const { statement: file } = options;
  const statement = file === undefined ? null : await readGiven(file);
  const wallet = statement !== null ? { statement } : ledger.value === null ? null : { ledgerUrl: ledger.value };
  const opened = openAudit(config, wallet);
  if (!opened.ok) throw configurationEnd(opened.refusal, file);
  const comparedWith = file ?? (wallet === null ? null : "the centre's ledger");
  const { value: ready } = opened;
  endOnEscaped();
  try {
    process.exitCode = await runAudit((within, listener) => ready.run(within, listener), {
      range,
      isJson: options.json === true,
      comparedWith,
    });
  } finally {
    await ready.close();
  }
}

type PurchaseFlags = ConfigOptions & { readonly json?: boolean };
type ActFlags = PurchaseFlags & { readonly reason: string; readonly by?: string; readonly amount?: string };

/** Runs with the desk of a person, and closes it. */
async function atDesk(options: PurchaseFlags, run: (desk: PeopleDesk) => Promise<void>): Promise<void> {
  const config = await loadedConfig(options.config);
  const { createLog } = await import('./log.ts');
  const { openPeopleDesk } = await import('./composition/people.ts');
  const desk = openPeopleDesk(config, createLog(config.log.level, { node: config.node }));
  try {
    await run(desk);
  } finally {
    await desk.close();
  }
}

const MOST_CASES = 1000;

async function attentionCommand(options: PurchaseFlags): Promise<void> {
  const { printCases } = await import('./cli/purchases.ts');
  const isJson = options.json === true;
  await atDesk(options, async (desk) => printCases(await desk.openCases(MOST_CASES), { isJson, limit: MOST_CASES }));
}

async function showCommand(name: string, options: PurchaseFlags): Promise<void> {
  const { printPurchase, theOne } = await import('./cli/purchases.ts');
  await atDesk(options, async (desk) => {
    const one = theOne(name, await desk.find(name));
    printPurchase(await desk.whole(one), options.json === true);
  });
}

const actCommand =
  (act: ActName) =>
  async (name: string, options: ActFlags): Promise<void> => {
    const { amountOf, checkedAct, printOutcome, theOne } = await import('./cli/purchases.ts');
    const { actOf } = await import('./composition/people.ts');
    const who = checkedAct(actOf(options.reason, options.by));
    const amountMinor = amountOf(options.amount);
    await atDesk(options, async (desk) => {
      const one = theOne(name, await desk.find(name));
      const { id } = one.purchase;
      const outcome = await desk.act(act, id, who, amountMinor);
      printOutcome(act, one, outcome, options.json === true);
    });
  };

async function readGiven(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch(() => {
    throw new CommandEnd(exitCodes.configuration, `${file} cannot be read.`);
  });
}

/** The table of commands. */
export function commandTable(): Command {
  const program = new Command('relais')
    .description('Pay a machine from the plainest phone.')
    .addHelpText('after', `\n${CODES}`);
  const configurable = (command: Command): Command =>
    command.option('--config <file>', 'YAML file with settings; repeatable, later ones win', collect, []);
  const kept = (command: Command): Command =>
    command.option('--keep <folder>', 'where a private PostgreSQL keeps its data when no DATABASE_URL is set', KEEP);
  kept(configurable(program.command('serve')))
    .description('run a node of the relation server')
    .addHelpText('before', 'Example: relais serve --config /etc/relais/relais.yaml\n')
    .action(serveCommand);
  configurable(program.command('centre'))
    .description('run the built-in payment centre')
    .addHelpText('before', 'Example: relais centre --config /etc/relais/centre.yaml\n')
    .action(centreCommand);
  configurable(program.command('migrate'))
    .description("bring the journal's database to this version")
    .addHelpText('before', 'Example: relais migrate --config /etc/relais/relais.yaml\n')
    .action(migrateCommand);
  const config = program
    .command('config')
    .description('look at the configuration')
    .addHelpText('before', 'Example: relais config check --config /etc/relais/relais.yaml\n');
  configurable(config.command('check'))
    .description('list every problem of the configuration at once')
    .addOption(new Option('--for <process>', 'whose configuration it is').choices(['serve', 'centre']).default('serve'))
    .addHelpText('before', 'Example: relais config check --config /etc/relais/relais.yaml\n')
    .action(configCheckCommand);
  const registry = program
    .command('registry')
    .description('operators, machines and products')
    .addHelpText('before', 'Example: relais registry apply machines.yaml --config /etc/relais/relais.yaml\n');
  kept(configurable(registry.command('apply <file>')))
    .description('register what a YAML file lists; a repetition changes nothing')
    .addHelpText('before', 'Example: relais registry apply machines.yaml --config /etc/relais/relais.yaml\n')
    .action(registryCommand);
  configurable(program.command('audit'))
    .description("check the journal's purchases, beside the wallet's money and the machines' words; changes nothing")
    .option('--from <day>', 'first UTC day, such as 2026-11-25; default: the first there is')
    .option('--to <day>', 'last UTC day; default: the last there is')
    .option(
      '--statement <file>',
      "the wallet's statement (see docs/audit.md), in place of the built-in centre's ledger",
    )
    .option('--json', 'print JSON, one line for each finding')
    .addHelpText('before', 'Example: relais audit --config /etc/relais/relais.yaml --from 2026-11-25\n')
    .action(auditCommand);
  purchaseCommands(program, configurable);
  program
    .command('demo')
    .description('the whole system on this machine, with simulated phones, machines and faults')
    .option('--cards', 'play all cards without a person; exit 0 only if every check passes')
    .option('--card <number>', 'play one card')
    .option('--json', 'print the checks as JSON')
    .option('--keep <folder>', 'keep the data in this folder')
    .option('--lang <language>', 'language of the phones', 'fr')
    .addHelpText('before', 'Example: relais demo --cards\n')
    .action(async (options: DemoFlags) => {
      const { runDemo } = await import('./composition/demo.ts');
      await runDemo(options);
    });
  return program;
}

function purchaseCommands(program: Command, configurable: (command: Command) => Command): void {
  const purchases = program
    .command('purchases')
    .description('what waits for a person, and what a person may do')
    .addHelpText('before', 'Example: relais purchases list --attention\n');
  const json = 'print JSON';
  configurable(purchases.command('list'))
    .description('open cases, the oldest first')
    .requiredOption('--attention', 'those that wait for a person')
    .option('--json', json)
    .addHelpText('before', 'Example: relais purchases list --attention\n')
    .action(attentionCommand);
  configurable(purchases.command('show <name>'))
    .description('all that is known of a purchase, by its id or reference')
    .option('--json', json)
    .addHelpText('before', 'Example: relais purchases show K7M2QX\n')
    .action(showCommand);
  const acts: readonly (readonly [ActName, string])[] = [
    ['refund', 'give the price back, or what is left of it'],
    ['confirm', 'in doubt: the good was delivered, the price goes to the operator'],
    ['accept-loss', 'delivered, and the hold is gone for good: the operator gets nothing'],
  ];
  for (const [act, description] of acts) {
    const command = configurable(purchases.command(`${act} <name>`))
      .description(description)
      .requiredOption('--reason <text>', 'why; kept for ever')
      .option('--by <name>', 'who decides; default: the name of this login')
      .option('--json', json)
      .addHelpText('before', `Example: relais purchases ${act} K7M2QX --reason checked\n`)
      .action(actCommand(act));
    if (act === 'refund') command.option('--amount <minor>', 'minor units, at most what is left of the price');
  }
}

/** Runs the command line and sets the exit code. */
export async function runCommandLine(parameters: readonly string[]): Promise<void> {
  const program = commandTable();
  const prepare = (command: Command): void => {
    command.exitOverride().showSuggestionAfterError();
    for (const each of command.commands) prepare(each);
  };
  prepare(program);
  try {
    await program.parseAsync([...parameters]);
  } catch (error) {
    await tellEnding(error);
  }
}

async function tellEnding(error: unknown): Promise<void> {
  const { exitCode, sentence, isBug } = endingOf(error);
  process.exitCode = exitCode;
  if (sentence !== null) say(isBug ? await masked(sentence) : sentence);
}

/** What nobody foresaw may quote anything. */
async function masked(text: string): Promise<string> {
  const { cleaned } = await import('./log.ts');
  return String(cleaned(text));
}

function isCalledDirectly(): boolean {
  const called = process.argv[1];
  return called !== undefined && realpathSync(called) === fileURLToPath(import.meta.url);
}

if (isCalledDirectly()) {
  await runCommandLine(process.argv);
  // Timers and pools of a failed start must not keep the process; a command that served has stopped them.
  process.exit();
}
