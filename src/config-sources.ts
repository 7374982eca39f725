/**
 * Where settings come from: YAML files, then environment variables and the files they name. Merges them into one plain
 * object and remembers which source said what; knows no rule about any setting.
 */
import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';

/** A plain object of settings, unchecked. */
export type Settings = { [key: string]: unknown };

/** What was read, with every problem found on the way. */
export type Gathered = { readonly settings: Settings; readonly problems: readonly string[] };

/** The part of a JSON Schema that tells names and kinds of settings. */
export type Shape = {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly additionalProperties?: boolean | Shape;
  readonly items?: Shape;
  readonly anyOf?: readonly Shape[];
};

/** Variables that stand beside the scheme `RELAIS_<PATH>`, with the settings they set. */
const PLAIN_VARIABLES: Readonly<Record<string, readonly string[]>> = {
  DATABASE_URL: ['database', 'url'],
  REDIS_URL: ['redis', 'url'],
  RELAIS_CENTRE_DATABASE_URL: ['centre', 'databaseUrl'],
};
/** Settings of tools around us that happen to carry the prefix. */
const NOT_OURS = /^RELAIS_TEST_/;

/**
 * Reads files in order, then the environment: `RELAIS_SMPP__BINDS__0__HOST` sets `smpp.binds[0].host`, and any
 * variable with `_FILE` behind it takes its value from that file.
 */
export function gather(
  files: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  shape: Shape,
): Gathered {
  const settings: Settings = {};
  const problems: string[] = [];
  for (const file of files) {
    const read = readYaml(file);
    if (typeof read === 'string') problems.push(read);
    else merge(settings, read);
  }
  for (const [name, path] of variablesOf(environment)) {
    const value = valueOf(name, environment, problems);
    if (value !== null) setFromText(settings, { path, value, name, shape, problems });
  }
  return { settings, problems };
}

function readYaml(file: string): Settings | string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return `${file}: cannot be read (${error instanceof Error && 'code' in error ? String(error.code) : 'unknown'})`;
  }
  const document = parseDocument(text, { version: '1.2' });
  const [error] = document.errors;
  if (error !== undefined) {
    const hint = text.includes('*') ? ' (quote texts that begin with * or #, such as "*123#")' : '';
    return `${file}: ${error.message.split('\n')[0] ?? 'not YAML'}${hint}`;
  }
  const value: unknown = document.toJS();
  if (value === null) return {};
  return isPlain(value) ? value : `${file}: expected settings as "name: value", found a ${typeof value}`;
}

function isPlain(value: unknown): value is Settings {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Later sources win, key by key; lists are replaced whole. */
function merge(into: Settings, from: Settings): void {
  for (const [key, value] of Object.entries(from)) {
    const before = into[key];
    if (isPlain(before) && isPlain(value)) merge(before, value);
    else into[key] = value;
  }
}

function variablesOf(environment: Readonly<Record<string, string | undefined>>): Map<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  for (const name of Object.keys(environment).toSorted()) {
    const bare = name.replace(/_FILE$/, '');
    const plain = PLAIN_VARIABLES[bare];
    if (plain !== undefined) found.set(bare, plain);
    else if (name.startsWith('RELAIS_') && !NOT_OURS.test(name)) {
      found.set(bare, bare.slice('RELAIS_'.length).split('__'));
    }
  }
  return found;
}

function valueOf(
  name: string,
  environment: Readonly<Record<string, string | undefined>>,
  problems: string[],
): string | null {
  const value = environment[name];
  const file = environment[`${name}_FILE`];
  if (value !== undefined && file !== undefined) {
    problems.push(`${name} and ${name}_FILE are both set: keep one of them`);
    return null;
  }
  if (file === undefined) return value ?? null;
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch {
    problems.push(`${name}_FILE: ${file} cannot be read`);
    return null;
  }
}

type Placement = {
  readonly path: readonly string[];
  readonly value: string;
  readonly name: string;
  readonly shape: Shape;
  readonly problems: string[];
};

/** Walks the shape along the variable's path, so that names and kinds are those of the schema. */
function setFromText(settings: Settings, { path, value, name, shape, problems }: Placement): void {
  let at: Settings | unknown[] = settings;
  let here: Shape | null = shape;
  for (const [depth, segment] of path.entries()) {
    const step: { key: string | number; shape: Shape } | null = here === null ? null : stepInto(here, segment);
    if (step === null) {
      problems.push(`${name}: there is no such setting${nearestTo(segment, here)}`);
      return;
    }
    here = step.shape;
    if (depth === path.length - 1) {
      Reflect.set(at, step.key, typedAs(value, here));
      return;
    }
    const existing: unknown = Reflect.get(at, step.key);
    const next: Settings | unknown[] =
      isPlain(existing) || Array.isArray(existing) ? existing : isListOf(here) ? [] : {};
    Reflect.set(at, step.key, next);
    at = next;
  }
}

/** The variants of a shape that may hold more than one kind of value. */
function variants(shape: Shape): readonly Shape[] {
  return shape.anyOf === undefined ? [shape] : shape.anyOf.flatMap(variants);
}

function isListOf(shape: Shape): boolean {
  return variants(shape).some((each) => each.items !== undefined);
}

function stepInto(shape: Shape, segment: string): { key: string | number; shape: Shape } | null {
  const wanted = segment.replaceAll('_', '').toLowerCase();
  for (const each of variants(shape)) {
    const known = Object.entries(each.properties ?? {}).find(([key]) => key.toLowerCase() === wanted);
    if (known !== undefined) return { key: known[0], shape: known[1] };
    if (each.items !== undefined && /^\d{1,4}$/.test(segment)) return { key: Number(segment), shape: each.items };
    if (typeof each.additionalProperties === 'object') {
      return { key: segment.toLowerCase(), shape: each.additionalProperties };
    }
  }
  return null;
}

function nearestTo(segment: string, shape: Shape | null): string {
  const names = shape === null ? [] : variants(shape).flatMap((each) => Object.keys(each.properties ?? {}));
  const nearest = nearestName(segment.replaceAll('_', ''), names);
  return nearest === null ? '' : `; did you mean ${nearest}?`;
}

/** A variable is text; the schema says what it stands for. */
function typedAs(value: string, shape: Shape): unknown {
  const kinds = variants(shape).flatMap((each) => each.type ?? []);
  if (kinds.includes('string') && !kinds.includes('null')) return value;
  if ((kinds.includes('integer') || kinds.includes('number')) && /^-?\d+(\.\d+)?$/.test(value)) return Number(value);
  if (kinds.includes('boolean') && /^(true|false)$/.test(value)) return value === 'true';
  if (kinds.includes('null') && value === '') return null;
  if (kinds.includes('array') || kinds.includes('object')) return parseDocument(value).toJS();
  return value;
}

/** The known name nearest to a mistyped one, by edits; null when none is near. */
export function nearestName(typed: string, names: readonly string[]): string | null {
  const distances = names.map((name) => ({ name, edits: editsBetween(typed.toLowerCase(), name.toLowerCase()) }));
  const [best] = distances.toSorted((one, other) => one.edits - other.edits);
  return best !== undefined && best.edits <= Math.max(2, Math.floor(best.name.length / 3)) ? best.name : null;
}

function editsBetween(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...one].entries()) {
    const next = [i + 1];
    for (const [j, against] of [...other].entries()) {
      const change = (row[j] ?? 0) + (letter === against ? 0 : 1);
      next.push(Math.min(change, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}
