/**
 * Configuration of the payment centre; `config.ts` embeds it. Nothing here has a default that opens a door.
 */
import { z } from 'zod';

const secretText = z.string().min(16, 'at least 16 characters');

/** Where a party listens. Port 0: any free port. */
const listenShape = z.strictObject({
  host: z.string().default('127.0.0.1'),
  port: z.int().min(0).max(65_535).default(0),
});

/** The section `centre` of the configuration. */
export const centreConfigShape = z.strictObject({
  /** Login that owns the ledger: migrations. On a fresh server it must be allowed to create roles. */
  databaseUrl: z.string().regex(/^postgres(ql)?:\/\//),
  /** Login of the running centre, a member of `centre_app`. Default: the owner's login, reduced to `centre_app`. */
  appDatabaseUrl: z
    .string()
    .regex(/^postgres(ql)?:\/\//)
    .nullable()
    .default(null),
  connections: z.int().min(1).max(64).default(8),
  /** The GSMA face, for relation servers. */
  listen: listenShape.prefault({}),
  /** The admin face; keep it on a loopback or management address. */
  admin: z.strictObject({
    host: z.string().default('127.0.0.1'),
    port: z.int().min(0).max(65_535).default(0),
    token: secretText,
  }),
  /** Who may ask for money, each with its own bearer token. */
  clients: z
    .array(
      z.strictObject({
        id: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/),
        token: secretText,
        /** May see balances; a relation server needs only yes or no. */
        mayReadBalances: z.boolean().default(false),
      }),
    )
    .min(1),
  /** Mixed into every PIN before hashing. Losing it makes all PINs useless; kept apart from the database. */
  pepper: secretText,
  policy: z
    .strictObject({
      /** When the payer must key a PIN, for wallets without a setting of their own. */
      validation: z.enum(['never', 'always', 'above']).default('never'),
      /** With `above`: minor units from which a PIN is asked, exclusive. */
      validationAboveMinor: z.coerce.bigint().min(0n).default(0n),
      /** Fee of the centre in hundredths of a percent, taken from what the operator gets. */
      feeBasisPoints: z.int().min(0).max(5_000).default(0),
      /** How long a payer may take over the PIN when the client does not say. */
      validationMs: z.int().min(1_000).max(300_000).default(60_000),
      /** Longest life of a hold. */
      maxHoldMs: z.int().min(60_000).max(2_592_000_000).default(604_800_000),
    })
    .prefault({}),
  /** Creates the wallets of the demonstration; refused unless asked for. */
  demoSeed: z.boolean().default(false),
});

/** What `startCentre` takes. */
export type CentreConfig = z.infer<typeof centreConfigShape>;
/** What a person writes. */
export type CentreConfigInput = z.input<typeof centreConfigShape>;

/** The centre's log, handed in: pino's order of arguments. */
export interface CentreLog {
  info(fields: Readonly<Record<string, unknown>>, event: string): void;
  warn(fields: Readonly<Record<string, unknown>>, event: string): void;
  error(fields: Readonly<Record<string, unknown>>, event: string): void;
}
