/**
 * Where the journal's database is, as the fields that postgres.js and pg share.
 */

/** One role on one database. `host`: a name, an address, or the folder of a UNIX socket. `ssl`: none when absent. */
export type StoreConnection = {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly ssl?: 'require' | 'verify-full';
};

/**
 * Reads a URL of libpq, `postgres://user:password@host:port/database?sslmode=…`; the folder of a socket stands
 * percent-encoded as the host, which postgres.js by itself would not understand. Port 5432 when absent; `sslmode` other
 * than `require` and `verify-full` means none.
 * @throws TypeError for what is no URL.
 */
export function connectionOfUrl(text: string): StoreConnection {
  const url = new URL(text);
  const mode = url.searchParams.get('sslmode');
  return {
    host: decodeURIComponent(url.hostname) || 'localhost',
    port: Number(url.port || '5432'),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.slice(1)),
    ...(mode === 'require' || mode === 'verify-full' ? { ssl: mode } : {}),
  };
}
