/**
 * The command table. Commands and rooms are loaded when called, so that `relais --help` stays quick.
 */
import { realpathSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError } from 'commander';
import { configurationEnd } from './cli/config-check.ts';
import { CommandEnd, exitCodes, say } from './cli/exit.ts';
import type { Config } from './config.ts';

const CODES =
  'Exit codes: 0 done, 1 failed, 2 usage, 69 a needed service is unavailable, 70 bug, 75 try later, 78 configuration, 130 interrupted';

type ConfigOptions = { readonly config: readonly string[] };
const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

async function loadedConfig(files: readonly string[]): Promise<Config> {
  const { loadConfig } = await import('./config.ts');
  const loaded = loadConfig(files);
  if (!loaded.ok) throw configurationEnd(loaded.refusal.problems);
  return loaded.value;
}

async function serveCommand(options: ConfigOptions & { readonly keep: string }): Promise<void> {
  const config = await loadedConfig(options.config);
  const { serve } = await import('./cli/serve.ts');
  const { createLog } = await import('./log.ts');
  const { start } = await import('./composition/start.ts');
  const { privateEngines } = await import('./composition/private-engines.ts');
  await serve(async () => {
    const engines = await privateEngines(config, options.keep, say);
    const log = createLog(config.log.level, { node: config.node });
    const running = await start(config, { log, ...engines.addresses });
    return {
      where: { http: running.httpPort, admin: running.adminPort },
      stop: async () => {
        await running.stop();
        await engines.stop();
      },
    };
  });
}

async function centreCommand(options: ConfigOptions): Promise<void> {
  const { loadCentreConfig } = await import('./config.ts');
  const loaded = loadCentreConfig(options.config);
  if (!loaded.ok) throw configurationEnd(loaded.refusal.problems);
  const { serve } = await import('./cli/serve.ts');
  const { createLog } = await import('./log.ts');
  const { startCentre } = await import('./payment/centre/centre.ts');
  const { systemClock } = await import('./time.ts');
  const log = createLog(loaded.value.log.level, { node: 'centre' });
  await serve(async () => {
    const centre = await startCentre(loaded.value.centre, {
      clock: systemClock,
      log: {
        info: (fields, event) => log.info(event, fields),
        warn: (fields, event) => log.warn(event, fields),
        error: (fields, event) => log.error(event, fields),
      },
    });
    return { where: { url: centre.url, admin: centre.adminUrl }, stop: () => centre.stop() };
  });
}

async function configCheckCommand(options: ConfigOptions): Promise<void> {
  const { loadConfig, loadTexts } = await import('./config.ts');
  const { checkConfiguration } = await import('./cli/config-check.ts');
  const { faultsOfTexts } = await import('./ussd/phrases.ts');
  const { readDialect } = await import('./smpp/gateway-profile.ts');
  const loaded = loadConfig(options.config);
  const dialects = loaded.ok
    ? Object.entries(loaded.value.smpp.accounts).flatMap(([name, account]) => {
        const dialect = readDialect(account.dialect);
        return dialect.ok ? [] : dialect.refusal.problems.map((each) => `smpp.accounts.${name}.dialect.${each}`);
      })
    : [];
  const texts = faultsOfTexts(loadTexts(new URL('../config/texts/', import.meta.url)));
  checkConfiguration(
    () => loaded,
    () => [...dialects, ...texts],
  );
}

async function migrateCommand(options: ConfigOptions): Promise<void> {
  const config = await loadedConfig(options.config);
  const { migrate } = await import('./store/migrate.ts');
  const { connectionOfUrl } = await import('./store/connection.ts');
  const url = config.database.ownerUrl ?? config.database.url;
  if (url === null) throw new CommandEnd(exitCodes.configuration, 'Set database.ownerUrl or DATABASE_URL.');
  for (const file of await migrate(connectionOfUrl(url))) say(`migrated ${file}`);
}

async function registryCommand(file: string, options: ConfigOptions): Promise<void> {
  const config = await loadedConfig(options.config);
  const { readRegistry } = await import('./registry-file.ts');
  const { buildStore } = await import('./composition/edges.ts');
  const { createLog } = await import('./log.ts');
  const { systemClock } = await import('./time.ts');
  const registry = readRegistry(await readFile(file, 'utf8'));
  if (!registry.ok) throw configurationEnd(registry.refusal.problems);
  const log = createLog(config.log.level, { node: config.node });
  const store = buildStore(config, { log }, systemClock);
  try {
    await store.applyRegistry(registry.value);
    say(`registered ${registry.value.machines.length} machines`);
  } finally {
    await store.close();
  }
}

/** The table of commands. */
export function commandTable(): Command {
  const program = new Command('relais').description('Pay a machine from the plainest phone.').addHelpText('after', `\n${CODES}`);
  const configurable = (command: Command): Command =>
    command.option('--config <file>', 'YAML file with settings; repeatable, later ones win', collect, []);
  configurable(program.command('serve'))
    .description('run a node of the relation server')
    .option('--keep <folder>', 'where a private PostgreSQL keeps its data when no DATABASE_URL is set', '.relais/serve')
    .addHelpText('after', '\nExample: relais serve --config /etc/relais/relais.yaml')
    .action(serveCommand);
  configurable(program.command('centre'))
    .description('run the built-in payment centre')
    .addHelpText('after', '\nExample: relais centre --config /etc/relais/centre.yaml')
    .action(centreCommand);
  configurable(program.command('migrate'))
    .description('bring the journal\'s database to this version')
    .addHelpText('after', '\nExample: relais migrate --config /etc/relais/relais.yaml')
    .action(migrateCommand);
  const config = program.command('config').description('look at the configuration');
  configurable(config.command('check'))
    .description('list every problem of the configuration at once')
    .addHelpText('after', '\nExample: relais config check --config /etc/relais/relais.yaml')
    .action(configCheckCommand);
  const registry = program.command('registry').description('operators, machines and products');
  configurable(registry.command('apply <file>'))
    .description('register what a YAML file lists; repeatable')
    .addHelpText('after', '\nExample: relais registry apply machines.yaml --config /etc/relais/relais.yaml')
    .action(registryCommand);
  program
    .command('demo')
    .description('the whole system on this machine, with simulated phones, machines and faults')
    .option('--cards', 'play all cards without a person; exit 0 only if every check passes')
    .option('--card <number>', 'play one card')
    .option('--json', 'print the checks as JSON')
    .option('--keep <folder>', 'keep the data in this folder')
    .option('--lang <language>', 'language of the phones', 'fr')
    .addHelpText('after', '\nExample: relais demo --cards')
    .action(async (options) => {
      const { runDemo } = await import('./composition/demo.ts');
      await runDemo(options);
    });
  return program;
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
    process.exitCode = endOf(error);
  }
}

/** What the person reads and the script gets when a command failed. */
function endOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  if (error instanceof CommandEnd) {
    say(error.message);
    return error.exitCode;
  }
  if (error instanceof Error && 'exitCode' in error && typeof error.exitCode === 'number') {
    say(error.message);
    return error.exitCode;
  }
  if (error instanceof Error && error.name === 'Fault') {
    const cause = error.cause instanceof Error ? `: ${error.cause.message}` : '';
    say(`${error.message}${cause}`);
    return exitCodes.unavailable;
  }
  say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return exitCodes.bug;
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
