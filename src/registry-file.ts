/**
 * The file that registers operators, machines and products: YAML, checked whole before anything is written.
 */
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { ok, type Result, refuse } from './result.ts';
import type { Registry } from './store/registry.ts';

const minor = z.int().min(0).max(999_999_999).transform(BigInt);
const name = z.string().min(1).max(64);
const form = z.strictObject({
  operators: z
    .array(
      z.strictObject({
        id: z.int().min(1),
        name,
        account: z.string().min(1).max(64),
        timeZone: z.string().default('Africa/Dakar'),
        currency: z.string().length(3),
        language: z.string().min(2).max(5).default('fr'),
      }),
    )
    .default([]),
  products: z.array(z.strictObject({ operatorId: z.int().min(1), name, priceMinor: minor.nullable().default(null) })).default([]),
  machines: z
    .array(
      z.strictObject({
        id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{2,47}$/),
        number: z.string({ error: 'expected text in quotes' }).regex(/^[1-9]\d{3,7}$/, 'expected 4 to 8 digits, the first not 0'),
        operatorId: z.int().min(1),
        name,
        place: z.string().max(64).default(''),
        currency: z.string().length(3),
        priceMode: z.enum(['machine', 'server', 'both']).default('machine'),
        minMinor: minor.default(1n),
        maxMinor: minor.default(999_999_999n),
        isSuspended: z.boolean().default(false),
        key: z.string().min(16).nullable().default(null),
        items: z
          .array(
            z.strictObject({
              item: z.int().min(0).max(65_534).nullable(),
              productName: name,
              priceMinor: minor.nullable().default(null),
            }),
          )
          .default([]),
      }),
    )
    .default([]),
});

/** Reads the text of a registry file. Refusal: every problem, each with its place. */
export function readRegistry(text: string): Result<Registry, { readonly problems: readonly string[] }> {
  const document = parseDocument(text, { version: '1.2' });
  const [error] = document.errors;
  if (error !== undefined) return refuse({ problems: [error.message.split('\n')[0] ?? 'not YAML'] });
  const parsed = form.safeParse(document.toJS());
  if (parsed.success) return ok(parsed.data);
  return refuse({ problems: parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`) });
}
