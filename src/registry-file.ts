/**
 * The file that registers operators, machines and products: YAML, checked whole before anything is written.
 */
import { z } from 'zod';
import { currencies } from './money.ts';
import { ok, type Result, refuse } from './result.ts';
import { problemsOf, readYaml, type Shape } from './settings-form.ts';
import type { Registry } from './store/registry.ts';

const minor = z.int().min(0).max(999_999_999).transform(BigInt);
const name = z.string().min(1).max(64);
const currency = z.enum(currencies);
const form = z.strictObject({
  operators: z
    .array(
      z.strictObject({
        id: z.int().min(1),
        name,
        account: z.string().min(1).max(64),
        timeZone: z.string().min(1).default('Africa/Dakar'),
        currency,
        language: z.string().min(2).max(5).default('fr'),
      }),
    )
    .default([]),
  products: z
    .array(z.strictObject({ operatorId: z.int().min(1), name, priceMinor: minor.nullable().default(null) }))
    .default([]),
  machines: z
    .array(
      z.strictObject({
        id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{2,47}$/),
        number: z.string().regex(/^[1-9]\d{3,7}$/, 'expected 4 to 8 digits, the first not 0'),
        operatorId: z.int().min(1),
        name,
        place: z.string().max(64).default(''),
        currency,
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

/**
 * Reads the text of a registry file. Refusal: every problem, each with its place and never with a value, since a
 * machine's key may stand there. What may also be in the database already, operators and products, is not looked for.
 */
export function readRegistry(text: string): Result<Registry, { readonly problems: readonly string[] }> {
  const read = readYaml(text);
  if (!read.ok) return refuse({ problems: read.refusal });
  const settings = read.value ?? {};
  const parsed = form.safeParse(settings);
  if (!parsed.success) {
    const shape = z.toJSONSchema(form, { io: 'input', unrepresentable: 'any', reused: 'inline' }) as Shape;
    return refuse({ problems: problemsOf(parsed.error.issues, settings, shape) });
  }
  const problems = disagreements(parsed.data);
  return problems.length === 0 ? ok(parsed.data) : refuse({ problems });
}

/** What each entry allows, but not beside the others. */
function disagreements({ operators, products, machines }: z.infer<typeof form>): readonly string[] {
  const twice = (list: string, what: string, names: readonly unknown[]): readonly string[] =>
    names.flatMap((each, index) =>
      names.indexOf(each) < index ? [`${list}.${index}: another entry has this ${what}`] : [],
    );
  return [
    ...twice(
      'operators',
      'id',
      operators.map(({ id }) => id),
    ),
    ...twice(
      'products',
      'name for this operator',
      products.map((each) => `${each.operatorId} ${each.name}`),
    ),
    ...twice(
      'machines',
      'id',
      machines.map(({ id }) => id),
    ),
    ...twice(
      'machines',
      'number',
      machines.map(({ number }) => number),
    ),
    ...machines.flatMap(({ items, minMinor, maxMinor }, index) => [
      ...twice(
        `machines.${index}.items`,
        'selection',
        items.map(({ item }) => item),
      ),
      ...(minMinor > maxMinor ? [`machines.${index}.minMinor: expected no more than maxMinor`] : []),
    ]),
  ];
}
