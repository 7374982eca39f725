/**
 * The admin port: is the process alive, can it do its work, what are its figures. For the operator's own tools, hence on
 * a loopback or management address.
 */
import { createServer, type Server } from 'node:http';
import Koa from 'koa';
import type { DurationMs } from './time.ts';

/** One part's health: `down` takes the node out of service, `degraded` only says why something is refused. */
export type PartHealth = {
  readonly part: string;
  readonly state: 'ok' | 'degraded' | 'down';
  readonly reason: string | null;
};

/** What the port answers from. */
export type HealthDeps = {
  /** Looks at every part, now. */
  readonly look: () => Promise<readonly PartHealth[]>;
  /** True while starting or draining: not ready. */
  readonly isClosed: () => boolean;
  readonly status: () => Readonly<Record<string, unknown>>;
  /** Longest wait for the parts; a part that does not answer is down. Default 2000. */
  readonly lookMs?: DurationMs;
};

const LOOK_MS: DurationMs = 2000;

/** The HTTP server of the admin port, not listening yet: `/livez`, `/readyz`, `/status`. */
export function createHealthServer(deps: HealthDeps): Server {
  const app = new Koa();
  app.use(async (context) => {
    if (context.method !== 'GET') {
      context.status = 405;
      return;
    }
    if (context.path === '/livez') context.body = 'ok\n';
    else if (context.path === '/readyz') Object.assign(context, await readiness(deps));
    else if (context.path === '/status') context.body = { ...deps.status(), parts: await lookInTime(deps) };
  });
  const answer = app.callback();
  return createServer((request, response) => void answer(request, response));
}

async function readiness(deps: HealthDeps): Promise<{ status: number; body: unknown }> {
  if (deps.isClosed()) return { status: 503, body: { ready: false, reasons: ['starting or draining'] } };
  const parts = await lookInTime(deps);
  const isDown = parts.some((part) => part.state === 'down');
  const reasons = parts
    .filter((part) => part.state !== 'ok')
    .map((part) => `${part.part}: ${part.reason ?? part.state}`);
  return { status: isDown ? 503 : 200, body: { ready: !isDown, degraded: reasons.length > 0, reasons } };
}

async function lookInTime({ look, lookMs = LOOK_MS }: HealthDeps): Promise<readonly PartHealth[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<readonly PartHealth[]>((resolve) => {
    timer = setTimeout(() => resolve([{ part: 'all', state: 'down', reason: 'no answer' }]), lookMs);
  });
  // Whoever asks must get an answer, also when the look itself fails.
  const seen = look().catch((): readonly PartHealth[] => [{ part: 'all', state: 'down', reason: 'failed' }]);
  const parts = await Promise.race([seen, late]);
  clearTimeout(timer);
  return parts;
}
