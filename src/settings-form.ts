/**
 * Reading a YAML text, and saying in words what is wrong with it. No message ever holds a value: it may be a secret.
 */
import { type Document, isAlias, LineCounter, parseDocument, visit } from 'yaml';
import type { z } from 'zod';
import { ok, type Result, refuse } from './result.ts';

/** The part of a JSON Schema that tells names and kinds of settings. */
export type Shape = {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Shape;
  readonly items?: Shape;
  readonly anyOf?: readonly Shape[];
};

/** A plain object of settings, unchecked. */
export type Settings = { [key: string]: unknown };

/** What the library's codes mean to a person. Its own messages are not used: some quote the text. */
const YAML_FAULTS: Readonly<Record<string, string>> = {
  BAD_SCALAR_START: 'a text that begins with @, ` or % needs quotes',
  BLOCK_AS_IMPLICIT_KEY: 'a text with a colon in it needs quotes',
  DUPLICATE_KEY: 'this setting stands twice',
  MULTIPLE_DOCS: 'only one document is read: remove what follows the line ---',
  NON_STRING_KEY: 'the name of a setting must be plain text',
  TAB_AS_INDENT: 'indent with blanks, not with tabs',
  TAG_RESOLVE_FAILED: 'a text that begins with ! needs quotes',
};
const OTHER_FAULT = 'this is not YAML: look at quotes, brackets and indentation';
const UNKNOWN_ALIAS = 'a text that begins with * needs quotes, such as "*123#"';

/** What can be the name of a setting; anything else may be a value that lost its blank, as in `password:secret`. */
const A_NAME = /^[A-Za-z][\w.-]{0,63}$/;

/** Reads YAML 1.2. Refusal: every fault with its line and column, never with what stands there. */
export function readYaml(text: string): Result<unknown, readonly string[]> {
  const lines = new LineCounter();
  const document = parseDocument(text, { version: '1.2', stringKeys: true, lineCounter: lines });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `line ${line}, column ${col}`;
  };
  const found = [...document.errors, ...document.warnings].map(({ code, pos }) => ({
    offset: pos[0],
    what: YAML_FAULTS[code] ?? OTHER_FAULT,
  }));
  const faults = [...found, ...unknownAliases(document).map((offset) => ({ offset, what: UNKNOWN_ALIAS }))];
  if (faults.length > 0) {
    const sorted = faults.toSorted((one, other) => one.offset - other.offset);
    return refuse([...new Set(sorted.map(({ offset, what }) => `${at(offset)}: ${what}`))]);
  }
  try {
    const value: unknown = document.toJS();
    return ok(value);
  } catch {
    return refuse(['it repeats its own parts too often (aliases)']);
  }
}

function unknownAliases(document: Document.Parsed): readonly number[] {
  const offsets: number[] = [];
  visit(document, {
    Alias: (_key, node) => {
      if (isAlias(node) && node.resolve(document) === undefined) offsets.push(node.range?.[0] ?? 0);
    },
  });
  return offsets;
}

/** True for an object that is no list. */
export function isPlain(value: unknown): value is Settings {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Each issue of a schema in words: the setting's path, what was expected, and what was found instead, as a kind. */
export function problemsOf(issues: readonly z.core.$ZodIssue[], settings: unknown, shape: Shape): readonly string[] {
  return issues.flatMap((issue) => {
    const path = issue.path.map(String);
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownName(path, key, shape));
    const where = path.map((name) => (/^\d+$/.test(name) ? name : named(name))).join('.');
    return [`${where}: ${wordsOf(issue, valueAt(settings, path), shapeAt(shape, path))}`];
  });
}

function named(key: string): string {
  return A_NAME.test(key) ? key : '(a name with other characters)';
}

/** A name that no setting has, with the nearest one that is. `path`: where it stands. */
export function unknownName(path: readonly string[], key: string, shape: Shape): string {
  const where = path.length === 0 ? '' : `${path.join('.')}.`;
  if (!A_NAME.test(key)) {
    return `${where}(not shown): what stands here is no name of a setting; a blank is missing after its colon, or it needs quotes`;
  }
  const names = variants(shapeAt(shape, path)).flatMap((each) => Object.keys(each.properties ?? {}));
  const near = nearestName(key, names);
  return `${where}${key}: unknown setting${near === null ? '' : `; did you mean ${near}?`}`;
}

function wordsOf(issue: z.core.$ZodIssue, found: unknown, shape: Shape): string {
  const expected = `expected ${expectedOf(issue, shape)}`;
  if (found === undefined) return `missing; ${expected}`;
  if (issue.code !== 'invalid_type') return expected;
  const kind = kindOf(found);
  const needsQuotes = issue.expected === 'string' && (typeof found === 'number' || typeof found === 'boolean');
  const hint = needsQuotes ? '; put it in quotes, since YAML reads 0123 as 123 and drops a plus sign' : '';
  return `${expected}, found ${kind}${hint}`;
}

function kindOf(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  const kinds: Readonly<Record<string, string>> = { string: 'text', number: 'a number', boolean: 'true or false' };
  return kinds[typeof value] ?? 'settings below it';
}

const KINDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a whole number',
  int: 'a whole number',
  bigint: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
};
const UNITS: Readonly<Record<string, string>> = { string: ' characters', array: ' entries' };

/** What the schema wants, as far as its own words do not already say so. */
function expectedOf(issue: z.core.$ZodIssue, shape: Shape): string {
  // The words of our own schemas; the library's begin otherwise, and are not all fit for a person.
  if (!/^(?:Invalid|Too|Unrecognized|Unknown)/.test(issue.message)) return issue.message.replace(/^expected /, '');
  switch (issue.code) {
    case 'invalid_type':
      return KINDS[issue.expected] ?? settingsBelow(shape);
    case 'invalid_value':
      return `one of ${issue.values.map(String).join(', ')}`;
    case 'too_small':
      return `at least ${issue.minimum}${UNITS[issue.origin] ?? ''}`;
    case 'too_big':
      return `at most ${issue.maximum}${UNITS[issue.origin] ?? ''}`;
    case 'invalid_format':
      return issue.format === 'url'
        ? 'a URL such as http://host:8080'
        : `text of the form ${issue.pattern ?? issue.format}`;
    default:
      return 'another value';
  }
}

function settingsBelow(shape: Shape): string {
  const names = variants(shape).flatMap((each) => each.required ?? []);
  return names.length === 0 ? 'settings below it' : `settings below it: ${names.join(', ')}`;
}

function valueAt(settings: unknown, path: readonly string[]): unknown {
  let value = settings;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = Reflect.get(value, key);
  }
  return value;
}

function shapeAt(shape: Shape, path: readonly string[]): Shape {
  let here = shape;
  for (const key of path) {
    const below = variants(here).flatMap((each) => {
      const other = typeof each.additionalProperties === 'object' ? each.additionalProperties : undefined;
      return each.properties?.[key] ?? each.items ?? other ?? [];
    });
    here = below[0] ?? {};
  }
  return here;
}

/** The variants of a shape that may hold more than one kind of value. */
export function variants(shape: Shape): readonly Shape[] {
  return shape.anyOf === undefined ? [shape] : shape.anyOf.flatMap(variants);
}

/** The known name nearest to a mistyped one, by edits; null when none is near. */
export function nearestName(typed: string, names: readonly string[]): string | null {
  const distances = names.map((name) => ({ name, edits: editsBetween(typed.toLowerCase(), name.toLowerCase()) }));
  const [best] = distances.toSorted((one, other) => one.edits - other.edits);
  return best !== undefined && best.edits <= Math.max(2, Math.floor(best.name.length / 3)) ? best.name : null;
}

function editsBetween(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (const [i, letter] of one.split('').entries()) {
    const next = [i + 1];
    for (const [j, against] of other.split('').entries()) {
      const change = (row[j] ?? 0) + (letter === against ? 0 : 1);
      next.push(Math.min(change, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}
