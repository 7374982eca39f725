/**
 * Who may know whom: the table of the house (docs/architecture.md), as data.
 */
import type { ImportSeen } from './source-tree.ts';

/** A room: its folder or file, and what it may import besides itself. */
type Room = { readonly path: string; readonly may: readonly string[] };

const LEAVES: readonly string[] = ['src/money.ts', 'src/time.ts', 'src/result.ts'];
const PURCHASE = 'src/purchase/';
const COMPOSITION = 'src/composition/';
const WALLET_SHAPES = 'src/payment/gsma-messages.ts';
const LINK_SHAPES: readonly string[] = ['src/automaton-link/messages.ts', 'src/automaton-link/frame.ts'];

// The longest path that a file begins with is its room. A folder's own entry does not include the rooms inside it.
const ROOMS: readonly Room[] = [
  { path: 'src/main.ts', may: [] },
  { path: COMPOSITION, may: [] },
  { path: 'src/config.ts', may: ['src/config-sources.ts', 'src/settings-form.ts', 'src/log.ts', ...LEAVES] },
  { path: 'src/settings-form.ts', may: LEAVES },
  { path: 'src/config-sources.ts', may: ['src/settings-form.ts', ...LEAVES] },
  { path: 'src/registry-file.ts', may: ['src/settings-form.ts', 'src/store/registry.ts', ...LEAVES] },
  { path: 'src/log.ts', may: [PURCHASE, ...LEAVES] },
  { path: 'src/metrics.ts', may: LEAVES },
  { path: 'src/health.ts', may: LEAVES },
  ...LEAVES.map((path) => ({ path, may: LEAVES })),
  { path: PURCHASE, may: LEAVES },
  { path: 'src/store/', may: [PURCHASE, ...LEAVES] },
  { path: 'src/order-board/', may: [PURCHASE, ...LEAVES] },
  { path: 'src/worker/', may: [PURCHASE, ...LEAVES] },
  { path: 'src/engines/', may: LEAVES },
  { path: 'src/smpp/', may: LEAVES },
  { path: 'src/ussd/', may: [PURCHASE, 'src/smpp/', ...LEAVES] },
  { path: 'src/sms/', may: [PURCHASE, 'src/smpp/', ...LEAVES] },
  { path: 'src/automaton-link/', may: LEAVES },
  { path: 'src/automaton-link/server/', may: ['src/automaton-link/', PURCHASE, ...LEAVES] },
  { path: 'src/automaton-link/agent/', may: ['src/automaton-link/', ...LEAVES] },
  { path: 'src/payment/', may: [PURCHASE, ...LEAVES] },
  { path: 'src/payment/centre/', may: [WALLET_SHAPES, ...LEAVES] },
  { path: 'src/payment/bank/', may: ['src/payment/centre/bank-port.ts', ...LEAVES] },
  { path: 'src/console/', may: [PURCHASE, ...LEAVES] },
  // It reads what two databases say, in their rooms' words, and is wired to neither.
  { path: 'src/audit/', may: [PURCHASE, 'src/store/journal-audit.ts', 'src/payment/centre/statement.ts', ...LEAVES] },
  // Commands print what they are handed.
  { path: 'src/cli/', may: [PURCHASE, 'src/audit/', 'src/store/desk.ts', ...LEAVES] },
  {
    path: 'simulators/',
    may: ['src/smpp/', 'src/automaton-link/agent/', ...LINK_SHAPES, WALLET_SHAPES, ...LEAVES],
  },
];

/** Packages behind a wall: in src/ each is imported only where named here. */
const SOLE_IMPORTERS: Readonly<Record<string, readonly string[]>> = {
  smpp: ['src/smpp/framer.ts'],
  'ussd-menu-builder': ['src/ussd/menu.ts'],
  ioredis: ['src/order-board/redis-client.ts'],
  postgres: ['src/store/', 'src/payment/centre/'],
  'node-pg-migrate': ['src/store/', 'src/payment/centre/'],
  'rate-limiter-flexible': ['src/order-board/'],
  '@node-rs/argon2': ['src/payment/centre/', 'src/console/'],
  ws: ['src/automaton-link/'],
  pino: ['src/log.ts'],
  yaml: ['src/config.ts', 'src/settings-form.ts', COMPOSITION],
  commander: ['src/main.ts', 'src/cli/'],
};

/** Rooms that know no package and nothing of Node. */
const PURE: readonly string[] = [PURCHASE, 'src/money.ts', 'src/result.ts', 'src/time.ts'];

/** The room of a file; undefined when it lies in none, which is itself a fault. */
export function roomOf(file: string): string | undefined {
  const matching = ROOMS.filter(({ path }) => file === path || (path.endsWith('/') && file.startsWith(path)));
  return matching.sort((one, other) => other.path.length - one.path.length)[0]?.path;
}

/** Simulators and what plays with them: loaded when a command asks for it, and not otherwise. */
function isForPlay(file: string): boolean {
  return file.startsWith('simulators/') || file.startsWith(`${COMPOSITION}demo`);
}

function mayImport(from: string, seen: ImportSeen): boolean {
  const own = roomOf(from);
  const target = roomOf(seen.target);
  if (own === undefined || target === undefined) return false;
  const isWiring = own === 'src/main.ts' || own === COMPOSITION;
  if (isForPlay(seen.target) && !isForPlay(from)) return isWiring && seen.isDynamic;
  if (own === target || isWiring) return true;
  // The form of a room's own part of the configuration, never its values; or the room keeps the form itself.
  if (seen.target === 'src/config.ts' && seen.isType && !PURE.includes(own)) return true;
  if (own === 'src/config.ts' && /-(?:config|settings)\.ts$/.test(seen.target)) return true;
  const may = ROOMS.find(({ path }) => path === own)?.may ?? [];
  return may.some((allowed) => (allowed.endsWith('/') ? allowed === target : allowed === seen.target));
}

function isBehindWall(from: string, name: string): boolean {
  const walls = from.startsWith('src/') ? SOLE_IMPORTERS[name] : undefined;
  return walls !== undefined && !walls.some((place) => (place.endsWith('/') ? from.startsWith(place) : from === place));
}

function packageOf(target: string): string {
  return target
    .split('/')
    .slice(0, target.startsWith('@') ? 2 : 1)
    .join('/');
}

/** What is wrong with one import, as a line for the person; undefined when nothing is. */
export function faultOf(from: string, seen: ImportSeen): string | undefined {
  if (seen.target === '(computed)') return from === 'src/main.ts' ? undefined : `${from}: a computed import`;
  if (/^(?:src|simulators|test|scripts|bench)\//.test(seen.target)) {
    return mayImport(from, seen) ? undefined : `${from} may not know ${seen.target}`;
  }
  if (PURE.includes(roomOf(from) ?? '')) return `${from} may not know ${seen.target}`;
  return isBehindWall(from, packageOf(seen.target)) ? `${from} may not know ${seen.target}` : undefined;
}
