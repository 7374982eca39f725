/**
 * Where settings come from: YAML files, then environment variables and the files they name. Merges them into one plain
 * object; knows no rule about any setting.
 */
import { readFileSync } from 'node:fs';
import { isPlain, nearestName, readYaml, type Settings, type Shape, variants } from './settings-form.ts';

/** What was read, with every problem found on the way. */
export type Gathered = { readonly settings: Settings; readonly problems: readonly string[] };

/** Environment variables by name. */
export type Variables = Readonly<Record<string, string | undefined>>;

const PREFIX = 'RELAIS_';
/** Variables that stand beside the scheme `RELAIS_<PATH>`, with the settings they set. */
const PLAIN_VARIABLES: ReadonlyMap<string, readonly string[]> = new Map([
  ['DATABASE_URL', ['database', 'url']],
  ['REDIS_URL', ['redis', 'url']],
  ['RELAIS_CENTRE_DATABASE_URL', ['centre', 'databaseUrl']],
]);
/** Settings of tools around us that happen to carry the prefix. */
const NOT_OURS = /^RELAIS_TEST_/;
/** Lists are short, and a number far beyond the end is a mistake. */
const LIST_NUMBER = /^\d{1,2}$/;

/**
 * Reads files in order, then the environment: `RELAIS_SMPP__BINDS__0__HOST` sets `smpp.binds[0].host`, and any
 * variable with `_FILE` behind it takes its value from that file. A list or section is given whole as YAML.
 */
export function gather(files: readonly string[], environment: Variables, shape: Shape): Gathered {
  const settings: Settings = {};
  const problems: string[] = [];
  for (const file of files) {
    const read = readSettings(file);
    if (Array.isArray(read)) problems.push(...read);
    else merge(settings, read);
  }
  const givenBy = new Map<string, string>();
  for (const [name, path] of variablesOf(environment)) {
    const text = textOf(name, environment, problems);
    if (text !== null) setFromText(settings, { path, text, name, shape, problems, givenBy });
  }
  return { settings, problems };
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}

function readSettings(file: string): Settings | string[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return [`${file}: cannot be read (${codeOf(error)})`];
  }
  const read = readYaml(text);
  if (!read.ok) return read.refusal.map((problem) => `${file}: ${problem}`);
  if (read.value === null) return {};
  return isPlain(read.value) ? read.value : [`${file}: expected settings as "name: value"`];
}

/** Later sources win, key by key; lists are replaced whole. What is put in is a copy: YAML may share one object. */
function merge(into: Settings, from: Settings): void {
  for (const [key, value] of Object.entries(from)) {
    const before = Object.hasOwn(into, key) ? into[key] : undefined;
    if (isPlain(before) && isPlain(value)) merge(before, value);
    else put(into, key, copied(value));
  }
}

/** As own property, also under the name `__proto__`. */
function put(into: object, key: string | number, value: unknown): void {
  Object.defineProperty(into, key, { value, writable: true, enumerable: true, configurable: true });
}

function copied(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copied);
  if (!isPlain(value)) return value;
  const copy: Settings = {};
  for (const [key, each] of Object.entries(value)) put(copy, key, copied(each));
  return copy;
}

function variablesOf(environment: Variables): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  const names = Object.keys(environment).filter((name) => environment[name] !== undefined);
  for (const name of names.toSorted()) {
    const bare = name.replace(/_FILE$/, '');
    const plain = PLAIN_VARIABLES.get(bare);
    if (plain !== undefined) found.set(bare, plain);
    else if (name.startsWith(PREFIX) && !NOT_OURS.test(name)) found.set(bare, bare.slice(PREFIX.length).split('__'));
  }
  return found;
}

function textOf(name: string, environment: Variables, problems: string[]): string | null {
  const text = environment[name];
  const file = environment[`${name}_FILE`];
  if (text !== undefined && file !== undefined) {
    problems.push(`${name} and ${name}_FILE are both set: keep one of them`);
    return null;
  }
  if (file === undefined) return text ?? null;
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    // Not the file's name: whoever confuses the two variables has written the secret itself there.
    problems.push(`${name}_FILE: the file it names cannot be read (${codeOf(error)})`);
    return null;
  }
}

type Placement = {
  readonly path: readonly string[];
  readonly text: string;
  readonly name: string;
  readonly shape: Shape;
  readonly problems: string[];
  /** Which variable has set which setting. */
  readonly givenBy: Map<string, string>;
};

type Step = { readonly key: string | number; readonly shape: Shape };

/** Walks the shape along the variable's path, so that names and kinds are those of the schema. */
function setFromText(settings: Settings, placement: Placement): void {
  const { name, shape, problems, givenBy } = placement;
  const steps = stepsOf(settings, placement);
  const last = steps?.at(-1);
  if (steps === null || last === undefined) {
    const near = nearestVariable(name, shape);
    problems.push(`${name}: there is no such setting${near === null ? '' : `; did you mean ${near}?`}`);
    return;
  }
  const written = steps.map(({ key }) => key).join('.');
  const other = givenBy.get(written);
  if (other !== undefined) {
    problems.push(`${other} and ${name} both set ${written}: keep one of them`);
    return;
  }
  givenBy.set(written, name);
  const value = valueOf(placement.text, last.shape);
  if (value === undefined) {
    problems.push(`${name}: expected YAML, such as {name: value} or [one, two]`);
    return;
  }
  let at: object = settings;
  for (const { key, shape: here } of steps.slice(0, -1)) {
    const existing: unknown = Object.hasOwn(at, key) ? Reflect.get(at, key) : undefined;
    const next: object =
      isPlain(existing) || Array.isArray(existing)
        ? existing
        : variants(here).some((each) => each.items !== undefined)
          ? []
          : {};
    put(at, key, next);
    at = next;
  }
  put(at, last.key, value);
}

function stepsOf(settings: Settings, { path, shape }: Placement): readonly Step[] | null {
  const steps: Step[] = [];
  let here = shape;
  let existing: unknown = settings;
  for (const segment of path) {
    const step = stepInto(here, segment, existing);
    if (step === null) return null;
    steps.push(step);
    here = step.shape;
    existing = typeof existing === 'object' && existing !== null ? Reflect.get(existing, step.key) : undefined;
  }
  return steps;
}

function plainly(name: string): string {
  return name.replace(/[^A-Za-z0-9]/g, '').toLowerCase();
}

function stepInto(shape: Shape, segment: string, existing: unknown): Step | null {
  const wanted = plainly(segment);
  if (wanted === '') return null;
  for (const each of variants(shape)) {
    const known = Object.entries(each.properties ?? {}).find(([key]) => plainly(key) === wanted);
    if (known !== undefined) return { key: known[0], shape: known[1] };
    if (each.items !== undefined && LIST_NUMBER.test(segment)) return { key: Number(segment), shape: each.items };
    if (typeof each.additionalProperties !== 'object') continue;
    // A name of the person's own: the one that stands in a file already, however it is written there.
    const own = isPlain(existing) ? Object.keys(existing).find((key) => plainly(key) === wanted) : undefined;
    return { key: own ?? newName(segment, each.additionalProperties), shape: each.additionalProperties };
  }
  return null;
}

/** How a name is written that stands in no file: where any setting may stand as settings are, else in small letters. */
function newName(segment: string, below: Shape): string {
  const small = segment.toLowerCase();
  return isFree(below) ? small.replaceAll(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()) : small;
}

/** A setting of which the schema says nothing. */
function isFree(shape: Shape): boolean {
  return Object.keys(shape).length === 0;
}

/** All variables of a shape, lists by their first entry; names of a person's own stand for nothing. */
function variablesIn(shape: Shape, before: string): readonly string[] {
  const below = variants(shape).flatMap((each) => [
    ...Object.entries(each.properties ?? {}).flatMap(([key, inside]) =>
      variablesIn(inside, `${before}__${spelled(key)}`),
    ),
    ...(each.items === undefined ? [] : variablesIn(each.items, `${before}__0`)),
  ]);
  return below.length === 0 ? [before.replace('__', PREFIX)] : below;
}

function spelled(key: string): string {
  return key.replace(/[A-Z]/g, '_$&').toUpperCase();
}

function nearestVariable(name: string, shape: Shape): string | null {
  const numbers = [...name.matchAll(/(?<=__)\d+(?=__|$)/g)].map(([number]) => number);
  const near = nearestName(name.replaceAll(/(?<=__)\d+(?=__|$)/g, '0'), [
    ...PLAIN_VARIABLES.keys(),
    ...variablesIn(shape, ''),
  ]);
  return near?.replaceAll(/(?<=__)0(?=__|$)/g, () => numbers.shift() ?? '0') ?? null;
}

/** A variable is text; the schema says what it stands for. Undefined: the text of a list or section is not YAML. */
function valueOf(text: string, shape: Shape): unknown {
  const kinds = variants(shape).flatMap((each) => each.type ?? []);
  const may = (...names: readonly string[]): boolean => names.some((name) => kinds.includes(name));
  if (isFree(shape)) return freely(text);
  if (text === '' && may('null')) return null;
  if (may('string')) return text;
  if (may('integer', 'number') && /^-?\d{1,15}$/.test(text)) return Number(text);
  if (may('boolean') && /^(?:true|false)$/.test(text)) return text === 'true';
  if (!may('array', 'object')) return text;
  const read = readYaml(text);
  return read.ok ? (read.value ?? undefined) : undefined;
}

/** A number or a yes only where it would be written just so: 0123 stays a text. */
function freely(text: string): unknown {
  if (String(Number(text)) === text) return Number(text);
  return text === 'true' || text === 'false' ? text === 'true' : text;
}
