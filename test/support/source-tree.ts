/**
 * The sources as the house rules see them: every file, and all that it imports, in whatever form.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { parseSync } from 'oxc-parser';
import { checkoutFolder } from './servers.ts';

/** One import as written. `isType`: erased by the compiler; `isDynamic`: `import()` or `require()` at run time. */
export type ImportSeen = { readonly target: string; readonly isType: boolean; readonly isDynamic: boolean };

/** A node of the syntax tree, of which only what is asked for is known. */
export type SyntaxNode = { readonly type: string } & Readonly<Record<string, unknown>>;

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

/** The syntax tree of a text. @throws Error when it is not TypeScript, so that no file passes unread. */
export function parse(path: string, text: string): SyntaxNode {
  const { program, errors } = parseSync(path, text);
  const [first] = errors;
  if (first !== undefined) throw new Error(`${path}: ${first.message}`);
  if (!isNode(program)) throw new Error(`${path}: no syntax tree`);
  return program;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value];
}

/** The nodes directly below one. */
export function childrenOf(node: SyntaxNode): readonly SyntaxNode[] {
  return Object.values(node).flatMap(listOf).filter(isNode);
}

function literalOf(node: unknown): string {
  if (isNode(node) && node.type === 'Literal' && typeof node['value'] === 'string') return node['value'];
  const quasis = isNode(node) && node.type === 'TemplateLiteral' ? listOf(node['quasis']) : [];
  if (quasis.length === 1) {
    const [only] = quasis;
    const value: unknown = isNode(only) ? only['value'] : undefined;
    if (typeof value === 'object' && value !== null && 'cooked' in value) return String(value.cooked);
  }
  return '(computed)';
}

function isRequire(node: SyntaxNode): boolean {
  const callee = node['callee'];
  return isNode(callee) && callee.type === 'Identifier' && callee['name'] === 'require';
}

function importAt(node: SyntaxNode): ImportSeen | undefined {
  switch (node.type) {
    case 'ImportDeclaration':
      return { target: literalOf(node['source']), isType: node['importKind'] === 'type', isDynamic: false };
    case 'ExportNamedDeclaration':
    case 'ExportAllDeclaration':
      if (!isNode(node['source'])) return undefined;
      return { target: literalOf(node['source']), isType: node['exportKind'] === 'type', isDynamic: false };
    case 'ImportExpression':
      return { target: literalOf(node['source']), isType: false, isDynamic: true };
    case 'TSImportType':
      return { target: literalOf(node['source'] ?? node['argument']), isType: true, isDynamic: false };
    case 'TSExternalModuleReference':
      return { target: literalOf(node['expression']), isType: false, isDynamic: false };
    case 'CallExpression': {
      const [first] = listOf(node['arguments']);
      return isRequire(node) ? { target: literalOf(first), isType: false, isDynamic: true } : undefined;
    }
    default:
      return undefined;
  }
}

/** All imports of a text: static, dynamic, of types, by re-export; relative ones as paths from the checkout. */
export function importsOf(path: string, text: string): readonly ImportSeen[] {
  const found: ImportSeen[] = [];
  const visit = (node: SyntaxNode): void => {
    const seen = importAt(node);
    if (seen !== undefined) {
      const isRelative = seen.target.startsWith('.');
      found.push(isRelative ? { ...seen, target: posix.join(dirname(path), seen.target) } : seen);
    }
    for (const child of childrenOf(node)) visit(child);
  };
  visit(parse(path, text));
  return found;
}

/** Every file below a folder of the checkout, whatever its ending, as paths from the checkout. */
export function filesBelow(folder: string): readonly string[] {
  const walk = (path: string): readonly string[] =>
    readdirSync(join(checkoutFolder(), path), { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? walk(`${path}/${entry.name}`) : [`${path}/${entry.name}`],
    );
  return walk(folder);
}

/** The text of a file of the checkout. */
export function textOf(path: string): string {
  return readFileSync(join(checkoutFolder(), path), 'utf8');
}
