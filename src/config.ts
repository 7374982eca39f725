/**
 * The configuration: one schema, parsed once, frozen. The only reader of the environment.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { gather, nearestName, type Shape } from './config-sources.ts';
import { logLevels } from './log.ts';
import { centreConfigShape } from './payment/centre/centre-config.ts';
import { gsmaConnectorShape } from './payment/gsma-config.ts';
import { ok, type Result, refuse } from './result.ts';

const port = z.int().min(0).max(65_535);
const ms = (byDefault: number, least = 1): z.ZodDefault<z.ZodInt> => z.int().min(least).default(byDefault);
/** A name of digits: unquoted, YAML would read a number and lose zeros and plus signs. */
const digits = z.string({ error: 'expected text in quotes, since YAML would read a number' });
const key32 = z.string().regex(/^[0-9a-f]{64}$/i, 'expected 32 bytes as 64 hexadecimal digits');
const url = (scheme: RegExp, example: string): z.ZodString => z.string().regex(scheme, `expected a URL such as ${example}`);
const address = z.strictObject({ ton: z.int().min(0).max(7), npi: z.int().min(0).max(18), addr: digits.min(1).max(20) });

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
    .strictObject({ ca: z.string().optional(), cert: z.string().optional(), key: z.string().optional(), servername: z.string().optional() })
    .nullable()
    .default(null),
});

/** What an operator may set of the USSD dialogs; meanings in `ussd/turn.ts`. */
const ussd = z.strictObject({
  serviceCode: digits
    .regex(/^\d{2,6}(\*\d{1,6}){0,3}$/, 'expected a code such as "123" or "384*77"')
    .default('123'),
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
  timeZone: z.string().default('Africa/Dakar'),
});

const schema = z.strictObject({
  /** Names this node; unique among running nodes. */
  node: z.string().regex(/^[A-Za-z0-9._-]{1,32}$/).default('relais-1'),
  log: z.strictObject({ level: z.enum(logLevels).default('info') }).prefault({}),
  /** Where machines connect. */
  http: z.strictObject({ host: z.string().default('127.0.0.1'), port: port.default(8081) }).prefault({}),
  /** Health and figures, for the operator's own tools. */
  admin: z.strictObject({ host: z.string().default('127.0.0.1'), port: port.default(8082) }).prefault({}),
  /** Absent: a private PostgreSQL, where the package that brings it is installed. */
  database: z
    .strictObject({
      url: url(/^postgres(ql)?:\/\//, 'postgres://relais_app@db/relais').nullable().default(null),
      /** Login that may change the schema; only `relais migrate` uses it. */
      ownerUrl: url(/^postgres(ql)?:\/\//, 'postgres://relais_owner@db/relais').nullable().default(null),
      connections: z.int().min(2).max(100).default(12),
    })
    .prefault({}),
  redis: z
    .strictObject({ url: url(/^(rediss?:|unix:|\/)/, 'redis://cache:6379').nullable().default(null) })
    .prefault({}),
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
    .strictObject({ defaultLanguage: z.string().min(2).max(5).default('fr'), wallet: z.string().min(1).max(12).default('MoMo') })
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
  effects: z.strictObject({ leaseMs: ms(15_000, 13_000), pollMs: ms(2_000, 50), deadlinePollMs: ms(1_000, 50) }).prefault({}),
  drainMs: ms(25_000),
  centre: centreConfigShape.optional(),
});

/** The whole configuration, checked. */
export type Config = z.infer<typeof schema>;
/** What a person writes. */
export type ConfigInput = z.input<typeof schema>;
/** Sections that `relais centre` reads; the rest may be absent there. */
const centreSchema = z.looseObject({ log: schema.shape.log, centre: centreConfigShape });
/** The configuration of the payment centre's process. */
export type CentreProcessConfig = Pick<Config, 'log'> & { readonly centre: NonNullable<Config['centre']> };

/** Every problem at once, each with its key, what was expected and what to do. Never a value, since it may be a secret. */
export type ConfigRefusal = { readonly problems: readonly string[] };

function shapeOf(): Shape {
  // Only names and kinds are read from it; what JSON Schema cannot say is checked by the schema itself.
  const described: unknown = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' });
  return typeof described === 'object' && described !== null ? described : {};
}

function problemOf(issue: z.core.$ZodIssue): readonly string[] {
  const path = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const near = nearestName(key, namesAt(issue.path));
      return `${[...issue.path, key].map(String).join('.')}: unknown setting${near === null ? '' : `; did you mean ${near}?`}`;
    });
  }
  if (issue.code === 'invalid_type' && issue.expected === 'string') {
    return [`${path}: expected text in quotes`];
  }
  return [`${path}: ${issue.message}`];
}

function namesAt(path: readonly PropertyKey[]): readonly string[] {
  let shape: Shape | undefined = shapeOf();
  for (const key of path) shape = shape?.properties?.[String(key)] ?? shape?.items;
  return Object.keys(shape?.properties ?? {});
}

function freeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const each of Object.values(value)) freeze(each);
  }
  return value;
}

function checked<Value>(form: z.ZodType<Value>, settings: unknown, found: readonly string[]): Result<Value, ConfigRefusal> {
  const parsed = form.safeParse(settings);
  const problems = [...found, ...(parsed.success ? [] : parsed.error.issues.flatMap(problemOf))];
  return parsed.success && problems.length === 0 ? ok(freeze(parsed.data)) : refuse({ problems });
}

/** Reads files and environment into the configuration of `relais serve`, or all that is wrong with it. */
export function loadConfig(
  files: readonly string[],
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Result<Config, ConfigRefusal> {
  const { settings, problems } = gather(files, environment, shapeOf());
  return checked(schema, settings, problems);
}

/** Reads files and environment into the configuration of `relais centre`. */
export function loadCentreConfig(
  files: readonly string[],
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Result<CentreProcessConfig, ConfigRefusal> {
  const { settings, problems } = gather(files, environment, shapeOf());
  return checked(centreSchema, settings, problems);
}

/** Checks settings made by a program, tests and the demo, by the same schema. */
export function checkConfig(settings: ConfigInput): Result<Config, ConfigRefusal> {
  return checked(schema, settings, []);
}

/** The environment as it stands, for starting child processes. */
export function environment(): Readonly<Record<string, string | undefined>> {
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
