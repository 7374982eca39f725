import type { Server } from 'node:http';
import { expect } from 'chai';
import { createHealthServer, type HealthDeps, type PartHealth } from '../src/health.ts';

const fine: PartHealth = { part: 'journal', state: 'ok', reason: null };

describe('the admin port', () => {
  let server: Server | undefined;

  afterEach(
    () =>
      new Promise<void>((resolve) => {
        server?.closeAllConnections();
        if (server === undefined) resolve();
        else server.close(() => resolve());
      }),
  );

  async function ask(
    path: string,
    deps: Partial<HealthDeps> = {},
    method = 'GET',
  ): Promise<{ status: number; body: string }> {
    const started = createHealthServer({
      look: () => Promise.resolve([fine]),
      isClosed: () => false,
      status: () => ({ node: 'relais-1' }),
      ...deps,
    });
    server = started;
    await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve));
    const address = started.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method });
    return { status: answer.status, body: await answer.text() };
  }

  const looking = (...parts: readonly PartHealth[]): Partial<HealthDeps> => ({ look: () => Promise.resolve(parts) });

  it('says that the process lives, whatever its parts do', async () => {
    expect(await ask('/livez', { look: () => Promise.reject(new Error('dead')), isClosed: () => true })).to.deep.equal({
      status: 200,
      body: 'ok\n',
    });
  });

  it('says that the node is ready when all parts are', async () => {
    expect(await ask('/readyz')).to.deep.equal({ status: 200, body: '{"ready":true,"degraded":false,"reasons":[]}' });
  });

  it('is not ready while starting or draining, without looking', async () => {
    const look = (): Promise<never> => Promise.reject(new Error('looked'));
    expect(await ask('/readyz', { isClosed: () => true, look })).to.deep.equal({
      status: 503,
      body: '{"ready":false,"reasons":["starting or draining"]}',
    });
  });

  it('is not ready when a part is down', async () => {
    const parts = looking({ part: 'journal', state: 'down', reason: 'journal_unreachable' }, fine);
    expect(await ask('/readyz', parts)).to.deep.equal({
      status: 503,
      body: '{"ready":false,"degraded":true,"reasons":["journal: journal_unreachable"]}',
    });
  });

  it('is ready with reasons when a part is degraded', async () => {
    const parts = looking(fine, { part: 'smpp', state: 'degraded', reason: null });
    expect(await ask('/readyz', parts)).to.deep.equal({
      status: 200,
      body: '{"ready":true,"degraded":true,"reasons":["smpp: degraded"]}',
    });
  });

  it('is not ready when the parts do not answer in time', async () => {
    expect((await ask('/readyz', { look: () => new Promise(() => undefined), lookMs: 20 })).body).to.equal(
      '{"ready":false,"degraded":true,"reasons":["all: no answer"]}',
    );
  });

  it('is not ready when the look fails', async () => {
    expect(await ask('/readyz', { look: () => Promise.reject(new Error('secret detail')) })).to.deep.equal({
      status: 503,
      body: '{"ready":false,"degraded":true,"reasons":["all: failed"]}',
    });
  });

  it('tells the status with its parts', async () => {
    expect(JSON.parse((await ask('/status')).body)).to.deep.equal({ node: 'relais-1', parts: [fine] });
  });

  it('knows no other path', async () => {
    expect((await ask('/metricz')).status).to.equal(404);
  });

  it('is only read', async () => {
    expect((await ask('/livez', {}, 'POST')).status).to.equal(405);
  });
});
