/**
 * The configuration: one schema, parsed once, frozen. The only reader of the environment.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { gather, type Variables } from './config-sources.ts';
import { logLevels } from './log.ts';
import { centreConfigShape } from './payment/centre/centre-config.ts';
import { gsmaConnectorShape } from './payment/gsma-config.ts';
import { ok, type Result, refuse } from './result.ts';
import { nearestName, problemsOf, type Settings, type Shape, unknownName } from './settings-form.ts';

const port = z.int().min(0).max(65_535);
const ms = (byDefault: number, least = 1): z.ZodDefault<z.ZodInt> => z.int().min(least).default(byDefault);
/** A name of digits: unquoted, YAML would read a number and lose zeros and plus signs. */
const digits = z.string();
const KEY32 = 'expected 32 bytes as 64 hexadecimal digits, in quotes';
const key32 = z.string({ error: KEY32 }).regex(/^[0-9a-f]{64}$/i, KEY32);
const DATABASE_URL = 'expected a URL such as postgres://name:password@host:5432/database, special characters %-encoded';
const databaseUrl = z.string().refine(isDatabaseUrl, DATABASE_URL);
const redisUrl = z
  .string()
  .refine(
    isRedisUrl,
    'expected a URL such as redis://host:6379, special characters %-encoded, or the path of a socket',
  );
const address = z.strictObject({
  ton: z.int().min(0).max(7),
  npi: z.int().min(0).max(18),
  addr: digits.min(1).max(20),
});

const smppAccount = z.strictObject({
  /** The gateway's dialect: `{extends: generic, ...}`. */
  dialect: z.record(z.string(), z.unknown()).default({}),
  policy: z.enum(['balance', 'failover']).default('balance'),
  /** Sender of SMS. */
  smsSource: address,
});
const smppBind = z.strictObject({
  account: z.string().min(1),
  name: z.string().regex(/^[a-z0-9-]{1,32}$/),
  kind: z.enum(['transceiver', 'transmitter', 'receiver']).default('transceiver'),
  hosts: z.array(z.strictObject({ host: z.string().min(1), port: port.min(1) })).min(1),
  systemId: z.string().min(1).max(15),
  password: z.string().max(8),
  systemType: z.string().max(12).default(''),
  addressRange: digits.max(40).default(''),
  windowSize: z.int().min(1).max(1000).default(10),
  tps: z.int().min(0).default(0),
  enquireLinkMs: ms(30_000, 1000),
  responseTimeoutMs: ms(10_000, 500),
  tls: z
    .strictObject({
      ca: z.string().optional(),
      cert: z.string().optional(),
      key: z.string().optional(),
      servername: z.string().optional(),
    })
    .nullable()
    .default(null),
});

/** What an operator may set of the USSD dialogs; meanings in `ussd/turn.ts`. */
const ussd = z.strictObject({
  serviceCode: digits.regex(/^\d{2,6}(\*\d{1,6}){0,3}$/, 'expected a code such as "123" or "384*77"').default('123'),
  rendezvousMs: ms(4_000),
  claimMs: ms(60_000, 1000),
  resumeMs: ms(300_000, 1000),
  paidAgainMs: ms(60_000, 1000),
  replyDeadlineMs: ms(8_000, 1000),
  dialogIdleMs: ms(90_000, 1000),
  dedupeMs: ms(5_000, 100),
  checkWaitMs: ms(1_000, 100),
  maxDialogs: z.int().min(1).max(1_000_000).default(20_000),
});
/** What an operator may set of the SMS side; meanings in `sms/sms-settings.ts`. */
const sms = z.strictObject({
  quoteMs: ms(120_000, 1000),
  quotesPerHour: z.int().min(1).default(3),
  rendezvousMs: ms(2_000),
  dedupeMs: ms(120_000, 100),
  helpEveryMs: ms(600_000, 1000),
  partsMs: ms(300_000, 1000),
  lookBackMs: ms(600_000, 1000),
  timeZone: z
    .string()
    .refine(isTimeZone, 'expected the name of a time zone, such as Africa/Dakar')
    .default('Africa/Dakar'),
});

/** A call that starts at once must have ended when its lease does. */
const LEASE_SPARE_MS = 1_000;

const schema = z.strictObject({
  /** Names this node; unique among running nodes. */
  node: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,32}$/)
    .default('relais-1'),
  log: z.strictObject({ level: z.enum(logLevels).default('info') }).prefault({}),
  /** Where machines connect. */
  http: z.strictObject({ host: z.string().default('127.0.0.1'), port: port.default(8081) }).prefault({}),
  /** Health and figures, for the operator's own tools. */
  admin: z.strictObject({ host: z.string().default('127.0.0.1'), port: port.default(8082) }).prefault({}),
  /** Absent: a private PostgreSQL, where the package that brings it is installed. */
  database: z
    .strictObject({
      url: databaseUrl.nullable().default(null),
      /** Login that may change the schema; only `relais migrate` uses it. */
      ownerUrl: databaseUrl.nullable().default(null),
      connections: z.int().min(2).max(100).default(12),
    })
    .prefault({}),
  redis: z.strictObject({ url: redisUrl.nullable().default(null) }).prefault({}),
  /** Secrets of this installation, the same on all nodes, never in a database. */
  keys: z.strictObject({
    msisdnMac: key32,
    /** First the current one; older ones are still read. */
    msisdnMaster: z.array(z.strictObject({ id: z.string().min(1).max(16), key: key32 })).min(1),
    machineSecret: z.string().min(16, 'expected at least 16 characters'),
  }),
  smpp: z.strictObject({ accounts: z.record(z.string(), smppAccount), binds: z.array(smppBind).min(1) }),
  ussd: ussd.prefault({}),
  sms: sms.prefault({}),
  texts: z
    .strictObject({
      defaultLanguage: z.string().min(2).max(5).default('fr'),
      wallet: z.string().min(1).max(12).default('MoMo'),
    })
    .prefault({}),
  payment: z.strictObject({
    plan: z.enum(['auto', 'hold_capture', 'debit_refund']).default('auto'),
    cutoffMs: ms(20_000, 1000),
    settleGraceMs: ms(3_600_000, 1000),
    wallet: gsmaConnectorShape,
  }),
  delivery: z.strictObject({ inDoubtMs: ms(86_400_000, 1000), resultMarginMs: ms(30_000, 1000) }).prefault({}),
  link: z
    .strictObject({
      marginMs: ms(5_000),
      dispatchMarginMs: ms(3_000),
      /** What a machine shows while it waits; `{machine}` is its number. */
      displayText: z.string().max(32).default('*123*{machine}#'),
      pingMs: ms(20_000, 1000),
      idlePingMs: ms(120_000, 1000),
    })
    .prefault({}),
  effects: z
    .strictObject({ leaseMs: ms(15_000, 13_000), pollMs: ms(2_000, 50), deadlinePollMs: ms(1_000, 50) })
    .prefault({}),
  drainMs: ms(25_000),
});

/** The configuration of `relais serve`, checked. The section `centre` is not in it: the ledger's login is not the server's to know. */
export type Config = z.infer<typeof schema>;
/** What a person writes. */
export type ConfigInput = z.input<typeof schema>;
/** The sections that `relais centre` reads; the others may stand in the same file. */
const centreSchema = z.strictObject({ log: schema.shape.log, centre: centreConfigShape });
/** The configuration of the payment centre's process. */
export type CentreProcessConfig = z.infer<typeof centreSchema>;

/** Every problem at once, each with its key, what was expected and what to do. Never a value, since it may be a secret. */
export type ConfigRefusal = { readonly problems: readonly string[] };

function isDatabaseUrl(text: string): boolean {
  return /^postgres(?:ql)?:\/\//.test(text) && URL.canParse(text) && new URL(text).pathname.length > 1;
}

function isRedisUrl(text: string): boolean {
  return /^(?:unix:\/\/)?\/./.test(text) || (/^rediss?:\/\/./.test(text) && URL.canParse(text));
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }) instanceof Intl.DateTimeFormat;
  } catch {
    return false;
  }
}

/** Names and kinds of all settings of both processes. */
function shapeOf(): Shape {
  const whole = schema.extend({ centre: centreConfigShape });
  // Only names and kinds are read from it; what JSON Schema cannot say is checked by the schema itself.
  return z.toJSONSchema(whole, { io: 'input', unrepresentable: 'any', reused: 'inline' }) as Shape;
}

function freeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const each of Object.values(value)) freeze(each);
  }
  return value;
}

/** What to check: the form of one process, its part of the settings, and what its settings must be among themselves. */
type Check<Value> = {
  readonly form: z.ZodType<Value>;
  readonly settings: unknown;
  readonly found: readonly string[];
  readonly across: (value: Value) => readonly string[];
};

function checked<Value>({ form, settings, found, across }: Check<Value>): Result<Value, ConfigRefusal> {
  // A copy: what the schema hands through is frozen with the rest, and belongs to the caller.
  const parsed = form.safeParse(structuredClone(settings));
  const wrong = parsed.success ? across(parsed.data) : problemsOf(parsed.error.issues, settings, shapeOf());
  const problems = [...found, ...wrong];
  return parsed.success && problems.length === 0 ? ok(freeze(parsed.data)) : refuse({ problems });
}

/** The settings but for these sections. */
function without(settings: Settings, sections: readonly string[]): Settings {
  return Object.fromEntries(Object.entries(settings).filter(([name]) => !sections.includes(name)));
}

/** Reads files and environment into the configuration of `relais serve`, or all that is wrong with it. */
export function loadConfig(files: readonly string[], given: Variables = process.env): Result<Config, ConfigRefusal> {
  const { settings, problems } = gather(files, given, shapeOf());
  return checked({ form: schema, settings: without(settings, ['centre']), found: problems, across: disagreements });
}

/** Reads files and environment into the configuration of `relais centre`. */
export function loadCentreConfig(
  files: readonly string[],
  given: Variables = process.env,
): Result<CentreProcessConfig, ConfigRefusal> {
  const shape = shapeOf();
  const { settings, problems } = gather(files, given, shape);
  const ofServer = Object.keys(schema.shape).filter((name) => name !== 'log');
  const unknown = Object.keys(without(settings, ['centre', 'log', ...ofServer])).map((name) =>
    unknownName([], name, shape),
  );
  return checked({
    form: centreSchema,
    settings: { log: settings['log'], centre: settings['centre'] },
    found: [...problems, ...unknown],
    across: ({ centre }) =>
      [
        { name: 'databaseUrl', url: centre.databaseUrl },
        { name: 'appDatabaseUrl', url: centre.appDatabaseUrl },
      ].flatMap(({ name, url }) => (url === null || isDatabaseUrl(url) ? [] : [`centre.${name}: ${DATABASE_URL}`])),
  });
}

/** Logins of the centre's ledger, of which `relais audit` takes the one that can do less. */
const ledgerSchema = z.looseObject({
  databaseUrl: databaseUrl.nullable().default(null),
  appDatabaseUrl: databaseUrl.nullable().default(null),
});

/** Where the built-in centre's ledger is, when the section `centre` says so; null when it does not. For reading only. */
export function loadLedgerUrl(
  files: readonly string[],
  given: Variables = process.env,
): Result<string | null, ConfigRefusal> {
  const { settings, problems } = gather(files, given, shapeOf());
  const form = z.object({ centre: ledgerSchema.prefault({}) });
  const loaded = checked({ form, settings: { centre: settings['centre'] }, found: problems, across: () => [] });
  return loaded.ok ? ok(loaded.value.centre.appDatabaseUrl ?? loaded.value.centre.databaseUrl) : loaded;
}

/** Checks settings made by a program, tests and the demo, by the same schema. */
export function checkConfig(settings: ConfigInput): Result<Config, ConfigRefusal> {
  return checked({ form: schema, settings, found: [], across: disagreements });
}

/** What each setting allows, but not beside the others. */
function disagreements({ smpp, keys, effects, payment, ussd: dialogs }: Config): readonly string[] {
  const accounts = Object.keys(smpp.accounts);
  const problems = smpp.binds.flatMap(({ account }, index) => {
    if (accounts.includes(account)) return [];
    const near = nearestName(account, accounts);
    return [
      `smpp.binds.${index}.account: no such name in smpp.accounts${near === null ? '' : `; did you mean ${near}?`}`,
    ];
  });
  for (const account of accounts) {
    if (!smpp.binds.some((bind) => bind.account === account))
      problems.push(`smpp.accounts.${account}: no bind names it`);
  }
  for (const index of repeated(smpp.binds.map(({ name }) => name))) {
    problems.push(`smpp.binds.${index}.name: another bind has this name`);
  }
  for (const index of repeated(keys.msisdnMaster.map(({ id }) => id))) {
    problems.push(`keys.msisdnMaster.${index}.id: another key has this name`);
  }
  const { authorizeMs, checkMs, otherMs } = payment.wallet.budgets;
  const longest = Math.max(authorizeMs, checkMs, otherMs);
  if (effects.leaseMs < longest + LEASE_SPARE_MS) {
    problems.push(
      `effects.leaseMs: expected at least ${longest + LEASE_SPARE_MS}, the longest of payment.wallet.budgets and a second`,
    );
  }
  if (dialogs.rendezvousMs >= dialogs.replyDeadlineMs) {
    problems.push(`ussd.rendezvousMs: expected less than ussd.replyDeadlineMs, ${dialogs.replyDeadlineMs}`);
  }
  return problems;
}

/** Places of those that stand before, too. */
function repeated(names: readonly string[]): readonly number[] {
  return [...names.keys()].filter((index) => names.indexOf(names[index] ?? '') < index);
}

/** The environment as it stands, for starting child processes. */
export function environment(): Variables {
  return process.env;
}

/** The texts of a folder, `<language>.yaml` each, by language and key. @throws when a file is no flat map of texts. */
export function loadTexts(folder: URL): Readonly<Record<string, Readonly<Record<string, string>>>> {
  const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
  return Object.fromEntries(
    files.map((name) => {
      const texts = z.record(z.string(), z.string()).parse(parse(readFileSync(new URL(name, folder), 'utf8')));
      return [name.slice(0, -'.yaml'.length), texts];
    }),
  );
}
