/**
 * The data folder of the private PostgreSQL: made once, whole, with its databases, roles and passwords.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineFault } from './engine-fault.ts';
import type { PostgresPrograms } from './postgres-program.ts';
import type { SystemUser } from './unprivileged-user.ts';

/** The roles of the private server. `relais_admin` is its superuser: for tests and repairs, never for the product. */
export const postgresRoles = ['relais_admin', 'relais_owner', 'relais_app', 'centre_owner', 'centre_app'] as const;
/** One of them. */
export type PostgresRole = (typeof postgresRoles)[number];
/** Random password of each role, 32 hexadecimal digits. */
export type PostgresPasswords = Readonly<Record<PostgresRole, string>>;

/** What to make the data folder with. */
export type ClusterPlan = {
  readonly programs: PostgresPrograms;
  readonly user: SystemUser | undefined;
  /** Folder that belongs to the child; `data` and the password files go into it. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
};

const PASSWORD_FILE = 'passwords.json';
const SETUP_DEADLINE_MS = 60_000;

function newPasswords(): PostgresPasswords {
  const fresh = (): string => randomBytes(16).toString('hex');
  return {
    relais_admin: fresh(),
    relais_owner: fresh(),
    relais_app: fresh(),
    centre_owner: fresh(),
    centre_app: fresh(),
  };
}

function parsePasswords(text: string): PostgresPasswords {
  const found: unknown = JSON.parse(text);
  const passwordOf = (role: PostgresRole): string => {
    const value: unknown = typeof found === 'object' && found !== null ? Reflect.get(found, role) : undefined;
    if (typeof value === 'string' && /^[0-9a-f]{32}$/.test(value)) return value;
    throw new EngineFault('engine_setup_failed', `${PASSWORD_FILE} holds no password of ${role}.`);
  };
  return {
    relais_admin: passwordOf('relais_admin'),
    relais_owner: passwordOf('relais_owner'),
    relais_app: passwordOf('relais_app'),
    centre_owner: passwordOf('centre_owner'),
    centre_app: passwordOf('centre_app'),
  };
}

function invoke(plan: ClusterPlan, program: string, parameters: readonly string[], input?: string): Promise<string> {
  const as = plan.user === undefined ? {} : { uid: plan.user.uid, gid: plan.user.gid };
  return new Promise((resolve, reject) => {
    const settings = { ...as, cwd: plan.folder, env: { ...plan.environment }, timeout: SETUP_DEADLINE_MS };
    const child = execFile(program, [...parameters], settings, (error, stdout, stderr) => {
      if (error === null) resolve(`${stdout}${stderr}`);
      else reject(new EngineFault('engine_setup_failed', `${program} failed:\n${stderr}`, error));
    });
    child.stdin?.on('error', () => undefined); // a program that ends early says so by its exit code
    child.stdin?.end(input ?? '');
  });
}

/** Statements for the server's single-user mode, which takes one per line and needs no client. */
async function inSingleMode(
  plan: ClusterPlan,
  data: string,
  database: string,
  lines: readonly string[],
): Promise<void> {
  const parameters = ['--single', '-D', data, '-c', 'fsync=off', '-c', 'log_min_messages=warning', database];
  const output = await invoke(plan, plan.programs.postgres, parameters, `${lines.join('\n')}\n`);
  // In this mode a refused statement does not change the exit code.
  if (/\b(?:ERROR|FATAL|PANIC):/.test(output)) {
    throw new EngineFault('engine_setup_failed', `PostgreSQL could not be set up:\n${output}`);
  }
}

function rolesAndDatabases(passwords: PostgresPasswords): readonly string[] {
  const lines: string[] = [];
  for (const part of ['relais', 'centre'] as const) {
    const database = part === 'relais' ? 'relais' : 'relais_centre';
    lines.push(
      `CREATE ROLE ${part}_owner LOGIN PASSWORD '${passwords[`${part}_owner`]}';`,
      `CREATE ROLE ${part}_app LOGIN PASSWORD '${passwords[`${part}_app`]}';`,
      `CREATE DATABASE ${database} OWNER ${part}_owner;`,
      `REVOKE ALL ON DATABASE ${database} FROM PUBLIC;`,
      `GRANT CONNECT ON DATABASE ${database} TO ${part}_app;`,
    );
  }
  return [...lines, 'REVOKE CONNECT ON DATABASE postgres FROM PUBLIC;'];
}

/**
 * What an application role may do with the tables its owner will make: rows, not the schema. Migrations may take away
 * more.
 */
export function applicationGrants(owner: string, application: string): readonly string[] {
  const defaults = `ALTER DEFAULT PRIVILEGES FOR ROLE ${owner} GRANT`;
  return [
    `${defaults} USAGE ON SCHEMAS TO ${application};`,
    `${defaults} SELECT, INSERT, UPDATE, DELETE ON TABLES TO ${application};`,
    `${defaults} USAGE, SELECT ON SEQUENCES TO ${application};`,
  ];
}

async function makeData(plan: ClusterPlan, passwords: PostgresPasswords): Promise<void> {
  const data = join(plan.folder, 'data.new');
  const passwordFile = join(plan.folder, 'initial-password');
  await rm(data, { recursive: true, force: true });
  await writeFile(passwordFile, passwords.relais_admin, { mode: 0o600 });
  try {
    if (plan.user !== undefined) await chown(passwordFile, plan.user.uid, plan.user.gid);
    await invoke(plan, plan.programs.initdb, [
      `--pgdata=${data}`,
      '--username=relais_admin',
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--data-checksums',
      '--no-sync',
      '--no-instructions',
    ]);
  } finally {
    await rm(passwordFile, { force: true });
  }
  await inSingleMode(plan, data, 'postgres', rolesAndDatabases(passwords));
  await inSingleMode(plan, data, 'relais', applicationGrants('relais_owner', 'relais_app'));
  await inSingleMode(plan, data, 'relais_centre', applicationGrants('centre_owner', 'centre_app'));
  // Nothing was flushed until here, for speed; now all of it, and only then it gets its name.
  await invoke(plan, plan.programs.initdb, ['--sync-only', `--pgdata=${data}`]);
  await rename(data, join(plan.folder, 'data'));
}

/**
 * Opens `folder/data`, or makes it: UTF-8, bytewise collation, checksums, SCRAM; the databases `relais` and
 * `relais_centre`, each with an owner and an application role that cannot connect to the other. A run that is killed
 * while making it leaves only `data.new`, which the next one removes.
 * @throws EngineFault `engine_setup_failed` with what the program said.
 */
export async function openCluster(plan: ClusterPlan): Promise<PostgresPasswords> {
  const passwordFile = join(plan.folder, PASSWORD_FILE);
  const isMade = await stat(join(plan.folder, 'data')).then(
    () => true,
    () => false,
  );
  if (isMade) return parsePasswords(await readFile(passwordFile, 'utf8'));
  const passwords = newPasswords();
  await mkdir(plan.folder, { recursive: true });
  await writeFile(passwordFile, JSON.stringify(passwords), { mode: 0o600 });
  await makeData(plan, passwords);
  return passwords;
}
