import { homedir } from 'node:os';
import { basename, dirname } from 'node:path';
import { expect } from 'chai';
import { checkoutFolder } from './support/servers.ts';
import { childrenOf, filesBelow, parse, type SyntaxNode, textOf } from './support/source-tree.ts';

const TREES: readonly string[] = ['src', 'test', 'simulators', 'config', 'scripts', 'docs'];
const MAX_FILE_LINES = 400;
const MAX_FUNCTION_LINES = 70;
const MAX_SCRIPT_LINES = 60;
const EMPTY_FOLDERS: ReadonlySet<string> = new Set(
  'utils util common shared types interfaces services core helpers misc'.split(' '),
);
const EMPTY_FILES: ReadonlySet<string> = new Set('utils util common shared types helpers misc index'.split(' '));

const files = (): readonly string[] => TREES.flatMap(filesBelow).filter((path) => !path.startsWith('test/canary/'));
const isCode = (path: string): boolean => /\.(?:ts|mjs)$/.test(path) && !path.endsWith('.d.ts');

function lineCount(text: string): number {
  return text.trimEnd().split('\n').length;
}

function linesOfNode(node: SyntaxNode, text: string): number {
  const { start, end } = node;
  return typeof start === 'number' && typeof end === 'number' ? text.slice(start, end).split('\n').length : 0;
}

const isFunction = (node: SyntaxNode): boolean =>
  /^(?:FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type);

/** Lines of a function that are its own: those of functions inside it are theirs. */
function ownLines(node: SyntaxNode, text: string): number {
  const nested = (inside: SyntaxNode): number =>
    childrenOf(inside).reduce(
      (sum, child) => sum + (isFunction(child) ? linesOfNode(child, text) - 1 : nested(child)),
      0,
    );
  return linesOfNode(node, text) - nested(node);
}

function longFunctions(path: string, text: string): readonly string[] {
  const found: string[] = [];
  const visit = (node: SyntaxNode): void => {
    const lines = isFunction(node) ? ownLines(node, text) : 0;
    if (lines > MAX_FUNCTION_LINES) {
      const start = typeof node['start'] === 'number' ? node['start'] : 0;
      found.push(`${path}:${text.slice(0, start).split('\n').length} has ${lines} lines of its own`);
    }
    for (const child of childrenOf(node)) visit(child);
  };
  visit(parse(path.replace(/\.mjs$/, '.js'), text));
  return found;
}

describe('the tree', () => {
  it('has no file of more than 400 lines', () => {
    const long = files().filter((path) => isCode(path) && lineCount(textOf(path)) > MAX_FILE_LINES);
    expect(long).to.deep.equal([]);
  });

  it('has no function of more than 70 lines, those inside it not counted', () => {
    const code = files().filter((path) => isCode(path) && !path.startsWith('test/'));
    expect(code.flatMap((path) => longFunctions(path, textOf(path)))).to.deep.equal([]);
  });

  it('has no folder or file whose name says nothing', () => {
    const isEmpty = (path: string): boolean =>
      EMPTY_FILES.has(basename(path).replace(/\..*$/, '')) ||
      dirname(path)
        .split('/')
        .some((name) => EMPTY_FOLDERS.has(name));
    expect(files().filter(isEmpty)).to.deep.equal([]);
  });

  it('names no path of the machine it was made on', () => {
    const paths = [checkoutFolder().replace(/\/$/, ''), ...(homedir().length > 5 ? [homedir()] : [])];
    const naming = files().filter((path) => paths.some((each) => textOf(path).includes(`${each}/`)));
    expect(naming).to.deep.equal([]);
  });

  it('has Lua scripts of at most 60 lines, each opening with its contract', () => {
    const scripts = files().filter((path) => path.endsWith('.lua'));
    const bad = scripts.filter((path) => {
      const text = textOf(path);
      const opening = /^--[^\n]*\n(?:--[^\n]*\n)*/.exec(text)?.[0] ?? '';
      return lineCount(text) > MAX_SCRIPT_LINES || !/KEYS/.test(opening) || !/ARGV/.test(opening);
    });
    expect(bad).to.deep.equal([]);
  });
});

describe('the measure of functions', () => {
  it('counts the lines of a function without those of the functions in it', () => {
    const inner = `  const inner = () => {\n${'    work();\n'.repeat(60)}  };\n`;
    const outer = `function outer() {\n${inner}${'  work();\n'.repeat(60)}}\n`;
    expect([
      longFunctions('a.ts', outer),
      longFunctions('b.ts', outer.replace('}\n', `${'work();\n'.repeat(80)}}\n`)),
    ]).to.deep.equal([[], ['b.ts:1 has 143 lines of its own']]);
  });
});
