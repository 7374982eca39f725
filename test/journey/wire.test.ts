import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { expect } from 'chai';
import { until } from './node-for-test.ts';
import { layWire, type Wire } from './support/wire.ts';

/** A party that answers each octet with the same, and tells whose answer it is by its name at the beginning. */
async function echo(name: string): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.write(name);
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

describe('a wire between two parties', () => {
  let far: Server;
  let wire: Wire;
  let open: Socket[];

  /** A connection by the wire; `heard` is all that came back. */
  async function dial(): Promise<{
    readonly socket: Socket;
    readonly heard: () => string;
    readonly end: () => string;
  }> {
    const socket = connect(wire.port, '127.0.0.1');
    open.push(socket);
    let heard = '';
    let end = '';
    socket.on('data', (octets) => {
      heard += octets.toString('latin1');
    });
    socket.on('error', (error) => {
      end = 'code' in error ? String(error.code) : 'error';
    });
    socket.on('close', () => {
      end ||= 'closed';
    });
    await once(socket, 'connect').catch(() => undefined);
    return { socket, heard: () => heard, end: () => end };
  }

  beforeEach(async () => {
    open = [];
    far = await echo('>');
    wire = await layWire([{ host: '127.0.0.1', port: portOf(far) }]);
  });
  afterEach(async () => {
    for (const socket of open) socket.destroy();
    await wire.close();
    far.close();
  });

  it('passes what is sent, both ways, and the end', async () => {
    const { socket, heard, end } = await dial();
    socket.end('abc');
    await until('all came back', () => end() === 'closed');
    expect(heard()).to.equal('>abc');
  });

  it('resets what is open when it is cut, and turns away what comes, until it is resumed', async () => {
    const { heard, end } = await dial();
    await until('it is through', () => heard() === '>');
    wire.cut();
    const later = await dial();
    await until('both are reset', () => end() === 'ECONNRESET' && later.end() === 'ECONNRESET');
    wire.resume();
    const last = await dial();
    await until('the next one is through', () => last.heard() === '>');
  });

  it('holds what comes while it is stalled, and passes it in order afterwards', async () => {
    const { socket, heard } = await dial();
    await until('it is through', () => heard() === '>');
    wire.stall('there');
    socket.write('1');
    const other = await dial();
    await until('the other direction is open', () => other.heard() === '>');
    socket.write('2');
    expect(heard()).to.equal('>');
    wire.resume();
    await until('all came back', () => heard() === '>12');
  });

  it('passes later what comes while it is slow', async () => {
    const { socket, heard } = await dial();
    await until('it is through', () => heard() === '>');
    wire.delay('back', 150);
    const atMs = performance.now();
    socket.write('1');
    await until('it came back', () => heard() === '>1');
    expect(performance.now() - atMs).to.be.greaterThan(140);
  });

  it('passes half of the next octets and breaks off, once', async () => {
    const { socket, heard, end } = await dial();
    await until('it is through', () => heard() === '>');
    wire.halve('back');
    socket.write('12345678');
    await until('it is reset', () => end() !== '');
    expect(heard()).to.be.oneOf(['>', '>1234']);
    const next = await dial();
    next.socket.write('12345678');
    await until('the next one passes whole', () => next.heard() === '>12345678');
  });

  it('leads each connection to the next party, past one that is not there', async () => {
    const other = await echo('<');
    const gone = await echo('!');
    const goneAt = portOf(gone);
    gone.close();
    await once(gone, 'close');
    const ports = [portOf(far), goneAt, portOf(other)];
    const several = await layWire(ports.map((port) => ({ host: '127.0.0.1', port })));
    await wire.close();
    wire = several;
    const calls = [await dial(), await dial(), await dial(), await dial()];
    await until('each is through', () => calls.every((call) => call.heard() !== ''));
    expect(new Set(calls.map((call) => call.heard()))).to.deep.equal(new Set(['>', '<']));
    other.close();
  });
});
