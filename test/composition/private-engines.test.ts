import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import postgres from 'postgres';
import { CommandEnd } from '../../src/cli/exit.ts';
import { problemsBeyondSchema } from '../../src/composition/beyond-schema.ts';
import { privateEngines } from '../../src/composition/private-engines.ts';
import { type Config, checkConfig } from '../../src/config.ts';
import { EngineFault } from '../../src/engines/engine-fault.ts';
import { lockFolder, ownerOf } from '../../src/engines/folder-lock.ts';
import { commandLineOf } from '../../src/engines/process-identity.ts';
import { processesBelow } from '../cli/relais.ts';
import { type Files, leastSettings, openFiles, valueIn } from '../config/settings-for-test.ts';

describe('the private engines', function () {
  this.timeout(20_000);
  let files: Files;

  before(() => {
    files = openFiles();
    chmodSync(files.folder, 0o711);
  });
  after(() => files.remove());

  const withUrls: Config = valueIn(
    checkConfig({ ...leastSettings(), database: { url: 'postgres://u@db/relais' }, redis: { url: 'redis://cache' } }),
  );
  const withoutUrls: Config = valueIn(checkConfig(leastSettings()));
  const quiet = (): void => undefined;

  it('are none where the configuration names servers', async () => {
    const engines = await privateEngines({
      config: withUrls,
      needs: ['database', 'redis'],
      keep: join(files.folder, 'none'),
      say: quiet,
    });
    await engines.stop();
    expect(engines.addresses).to.deep.equal({});
  });

  it('are only those that the command needs', async () => {
    const said: string[] = [];
    const engines = await privateEngines({
      config: withoutUrls,
      needs: ['database'],
      keep: join(files.folder, 'one'),
      say: (line) => said.push(line),
    });
    const sql = postgres({ ...engines.addresses.database, max: 1 });
    const rows = await sql`SELECT current_user::text AS role, count(*)::int AS machines FROM machines`;
    await sql.end();
    await engines.stop();
    expect([...rows]).to.deep.equal([{ role: 'relais_app', machines: 0 }]);
    expect([engines.addresses.redis, said.length]).to.deep.equal([undefined, 1]);
  });

  it('give their folder up when they stop, also a second time', async () => {
    const keep = join(files.folder, 'one');
    const engines = await privateEngines({ config: withoutUrls, needs: ['database'], keep, say: quiet });
    expect(await ownerOf(keep)).to.not.equal(undefined);
    await engines.stop();
    await engines.stop();
    expect(await ownerOf(keep)).to.equal(undefined);
  });

  it('say so when one of them ends by itself', async () => {
    const engines = await privateEngines({
      config: withoutUrls,
      needs: ['database'],
      keep: join(files.folder, 'one'),
      say: quiet,
    });
    const server = processesBelow(process.pid).find(({ pid }) => commandLineOf(pid)?.includes(`-D ${files.folder}/`));
    // The guard names the program, too; the server is what stands right below it.
    const [child] = server === undefined ? [] : processesBelow(server.pid);
    if (child !== undefined) process.kill(child.pid, 'SIGKILL');
    const sentence = await engines.died;
    await engines.stop();
    expect(sentence).to.equal('The private PostgreSQL has ended by itself.');
  });

  it('leave nothing running when one of them cannot start', async () => {
    const keep = join(files.folder, 'one');
    const lock = await lockFolder(join(keep, 'postgres'));
    const failed: unknown = await privateEngines({ config: withoutUrls, needs: ['database'], keep, say: quiet }).catch(
      (error: unknown) => error,
    );
    await lock.release();
    expect(failed).to.be.instanceOf(EngineFault);
    expect(await ownerOf(keep)).to.equal(undefined);
  });

  it('that are not installed end the command with 78, naming the variable to set', async () => {
    const nowhere = { redis: () => Promise.reject(new EngineFault('engine_program_missing', 'Run: apt-get.')) };
    const failed: unknown = await privateEngines({
      config: withoutUrls,
      needs: ['redis'],
      keep: join(files.folder, 'two'),
      say: quiet,
      start: nowhere,
    }).catch((error: unknown) => error);
    expect(failed).to.be.instanceOf(CommandEnd).and.include({
      exitCode: 78,
      message: 'REDIS_URL is not set, and no private server can be started instead. Run: apt-get.',
    });
  });
});

describe('what the schema cannot see', () => {
  const withLanguage = (defaultLanguage: string): readonly string[] =>
    problemsBeyondSchema(valueIn(checkConfig({ ...leastSettings(), texts: { defaultLanguage } })));

  it('is nothing in the least configuration', () => {
    expect(withLanguage('fr')).to.deep.equal([]);
  });

  it('is a language without texts', () => {
    expect(withLanguage('xyzzy')).to.deep.equal(['texts.defaultLanguage: expected one of en, fr']);
  });
});
