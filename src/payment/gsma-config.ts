/**
 * Configuration of a GSMA connector; `config.ts` embeds it. The defaults of the capabilities fit the built-in centre.
 */
import { z } from 'zod';
import { currencies } from '../money.ts';

const capabilitiesShape = z.strictObject({
  /** Longest life of a hold, or null where the wallet has none. */
  holds: z
    .strictObject({ maxMs: z.int().min(1_000) })
    .nullable()
    .default({ maxMs: 604_800_000 }),
  release: z.boolean().default(true),
  partialReverse: z.boolean().default(true),
  affordability: z.boolean().default(true),
  reverseByKey: z.boolean().default(true),
  replay: z.enum(['first_answer', 'rejects_duplicate', 'none']).default('first_answer'),
  validation: z.array(z.enum(['pin', 'confirm', 'push'])).default(['pin']),
  maxPendingMs: z.int().min(1_000).default(300_000),
  currencies: z.array(z.string()).default([...currencies]),
});

const budgetMs = (ms: number): z.ZodDefault<z.ZodInt> => z.int().min(50).max(60_000).default(ms);

/** One wallet that speaks the GSMA profile. */
export const gsmaConnectorShape = z.strictObject({
  /** `centre` for the built-in centre; anything else is labeled `gsma:<id>` in journal and metrics. */
  id: z.string().regex(/^[a-z0-9-]{1,32}$/),
  /** Scheme, host and port; the path `/1.2.0/mm` is appended. */
  baseUrl: z.url({ protocol: /^https?$/ }),
  clientId: z.string().min(1).max(64),
  /** Bearer token of this client. */
  token: z.string().min(16),
  apiKey: z.string().nullable().default(null),
  /** The wallet's public key for PINs (JWK, ECDH-ES). Null: read once from `/.well-known/jwks.json` of the same origin. */
  credentialJwk: z.record(z.string(), z.unknown()).nullable().default(null),
  capabilities: capabilitiesShape.prefault({}),
  connections: z.int().min(1).max(128).default(16),
  budgets: z
    .strictObject({
      connectMs: budgetMs(2_000),
      checkMs: budgetMs(2_000),
      authorizeMs: budgetMs(12_000),
      otherMs: budgetMs(10_000),
    })
    .prefault({}),
});

/** What `createGsmaConnector` takes. */
export type GsmaConnectorConfig = z.infer<typeof gsmaConnectorShape>;
/** What a person writes. */
export type GsmaConnectorConfigInput = z.input<typeof gsmaConnectorShape>;
