/**
 * Judges a body by a schema of the GSMA specification: the part of OpenAPI 3.0 that the specification uses for the
 * objects we speak. A keyword it does not know is an error, so that nothing is passed over in silence.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { checkoutFolder } from '../support/servers.ts';

type Schema = Readonly<Record<string, unknown>>;

const SPECIFICATION = 'test/fixtures/gsma/mobile-money-api-specification-1.2.0-master_0.yaml';
const SILENT = new Set([
  'description',
  'example',
  'format',
  'title',
  'readOnly',
  'exclusiveMinimum',
  'nullable',
  'default',
]);

function isRecord(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function typeOf(value: unknown): string {
  return Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value;
}

/** Reads the specification once. The judge answers what is wrong with a body, nothing when it fits. */
export function gsmaJudge(): (schema: string, body: unknown) => readonly string[] {
  const specification: unknown = parse(readFileSync(join(checkoutFolder(), SPECIFICATION), 'utf8'));
  const components =
    isRecord(specification) && isRecord(specification['components']) ? specification['components'] : {};
  const schemas = isRecord(components['schemas']) ? components['schemas'] : {};
  const find = (name: string): Schema => {
    const schema = schemas[name];
    if (!isRecord(schema)) throw new Error(`no schema ${name}`);
    return schema;
  };

  const checks: Readonly<Record<string, (rule: unknown, value: unknown, at: string) => readonly string[]>> = {
    $ref: (rule, value, at) => judge(find(String(rule).replace('#/components/schemas/', '')), value, at),
    type: (rule, value, at) => (typeOf(value) === rule ? [] : [`${at} is no ${String(rule)}`]),
    enum: (rule, value, at) => (listOf(rule).includes(value) ? [] : [`${at} is none of the words`]),
    pattern: (rule, value, at) =>
      typeof value !== 'string' || new RegExp(String(rule)).test(value) ? [] : [`${at} does not fit ${String(rule)}`],
    minLength: (rule, value, at) =>
      typeof value !== 'string' || value.length >= Number(rule) ? [] : [`${at} is too short`],
    maxLength: (rule, value, at) =>
      typeof value !== 'string' || value.length <= Number(rule) ? [] : [`${at} is too long`],
    minimum: (rule, value, at) => (typeof value !== 'number' || value >= Number(rule) ? [] : [`${at} is too small`]),
    minItems: (rule, value, at) => (listOf(value).length >= Number(rule) ? [] : [`${at} has too few`]),
    maxItems: (rule, value, at) => (listOf(value).length <= Number(rule) ? [] : [`${at} has too many`]),
    items: (rule, value, at) =>
      listOf(value).flatMap((item, n) => (isRecord(rule) ? judge(rule, item, `${at}[${n}]`) : [])),
    required: (rule, value, at) =>
      listOf(rule).flatMap((name) =>
        isRecord(value) && value[String(name)] !== undefined ? [] : [`${at}.${String(name)} is missing`],
      ),
    properties: (rule, value, at) =>
      Object.entries(isRecord(rule) ? rule : {}).flatMap(([name, schema]) =>
        isRecord(value) && value[name] !== undefined && isRecord(schema)
          ? judge(schema, value[name], `${at}.${name}`)
          : [],
      ),
    allOf: (rule, value, at) => listOf(rule).flatMap((schema) => (isRecord(schema) ? judge(schema, value, at) : [])),
    anyOf: (rule, value, at) => {
      const tries = listOf(rule).map((schema) => (isRecord(schema) ? judge(schema, value, at) : []));
      return tries.some((faults) => faults.length === 0) ? [] : (tries[0] ?? []);
    },
  };
  function judge(schema: Schema, value: unknown, at: string): readonly string[] {
    return Object.entries(schema).flatMap(([keyword, rule]) => {
      if (SILENT.has(keyword)) return [];
      const check = checks[keyword];
      if (check === undefined) throw new Error(`keyword ${keyword} at ${at} is not known`);
      return check(rule, value, at);
    });
  }
  return (name, body) => judge(find(name), body, name);
}
