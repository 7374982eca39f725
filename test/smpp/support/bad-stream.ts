/**
 * Plays a stream of octets to our side of a link and tells what it did: the harness of the vector files.
 */
import { connect } from 'node:net';
import { createAccount, type SmppAccount, type SmsOutcome } from '../../../src/smpp/account.ts';
import { bindDefaults } from '../../../src/smpp/bind.ts';
import { encodeBind } from '../../../src/smpp/framer.ts';
import { gatewayProfiles } from '../../../src/smpp/gateway-profile.ts';
import type { Inbound } from '../../../src/smpp/inbound.ts';
import { Link } from '../../../src/smpp/link.ts';
import type { MessagePdu } from '../../../src/smpp/pdu-check.ts';
import { createSendingRate } from '../../../src/smpp/sending-rate.ts';
import type { RequestOutcome } from '../../../src/smpp/window.ts';
import { systemClock } from '../../../src/time.ts';
import { createRecorder } from './quiet.ts';
import type { RawCentre, RawConnection } from './raw-centre.ts';

export interface Stream {
  readonly hex: string;
  readonly then?: 'hold' | 'fin' | 'rst';
  readonly write_octets?: number;
  readonly drip?: boolean;
}

export interface Reaction {
  readonly replies: readonly string[];
  readonly link: 'open' | 'closed';
  readonly reasons: readonly string[];
  readonly delivered: readonly { readonly pdu: MessagePdu; readonly inbound: Inbound }[];
  /** Of the request that was waiting when the stream came; null while it still waits, or if there was none. */
  readonly outcome: SmsOutcome | RequestOutcome | null;
}

const FRAME_TIMEOUT_MS = 300;
const PROBE = '00000010000000150000000022222222';
const PROBE_ANSWER = '00000010800000150000000022222222';
const isAnswer = (frame: string): boolean => frame[8] === '8' || frame[8] === 'f';

/** To a link that is bound, with a submit_sm of sequence number 5 waiting if asked. */
export async function playToBoundLink(centre: RawCentre, stream: Stream, hasPending: boolean): Promise<Reaction> {
  const recorder = createRecorder();
  const delivered: { pdu: MessagePdu; inbound: Inbound }[] = [];
  const account = startAccount(centre, recorder, (pdu, inbound) => {
    if (inbound.channel !== 'nothing') delivered.push({ pdu, inbound });
  });
  const connection = await centre.accept();
  await connection.until(() => connection.frames.length === 1);
  connection.socket.write(Buffer.from('000000158000000900000000000000046d6f636b00', 'hex'));
  await recorder.until(() => account.status()[0]?.state === 'bound');
  let outcome: SmsOutcome | null = null;
  if (hasPending) {
    void account.sendSms({ to: '22177000001', text: 'x' }).then((settled) => {
      outcome = settled;
    });
    await connection.until(() => connection.frames.length === 2);
  }
  await play(connection, stream);
  const isOver = (): boolean => account.status()[0]?.state === 'backoff';
  const link = await probe(connection, stream, isOver, (condition) => recorder.until(condition));
  const reaction = { replies: answersOf(connection), link, reasons: recorder.reasons(), delivered, outcome };
  connection.socket.destroy();
  await account.stop();
  return reaction;
}

function startAccount(
  centre: RawCentre,
  recorder: ReturnType<typeof createRecorder>,
  tap: (pdu: MessagePdu, inbound: Inbound) => void,
): SmppAccount {
  const account = createAccount(
    {
      name: 'test',
      dialect: gatewayProfiles.generic,
      smsSource: { ton: 0, npi: 0, addr: '123' },
      binds: [
        {
          name: 'b1',
          hosts: [{ host: '127.0.0.1', port: centre.port }],
          systemId: 'relais',
          password: 'secret',
          firstSequence: 4,
          frameTimeoutMs: FRAME_TIMEOUT_MS,
          flushMaxMs: 30,
          drainMs: 0,
        },
      ],
    },
    { clock: systemClock, random: () => 0.5, log: recorder.log, metrics: recorder.metrics, tap },
  );
  account.onUssd(async () => {});
  account.onSms(async () => {});
  account.onReceipt(async () => {});
  account.start();
  return account;
}

/** To a link whose bind_transceiver of sequence number 1 waits for its answer. */
export async function playToOpenLink(centre: RawCentre, stream: Stream): Promise<Reaction> {
  const recorder = createRecorder();
  const delivered: Reaction['delivered'][number][] = [];
  const socket = connect({ port: centre.port, host: '127.0.0.1', allowHalfOpen: true });
  let isOver = false;
  const link = new Link(
    { ...bindDefaults, frameTimeoutMs: FRAME_TIMEOUT_MS, flushMaxMs: 30, role: 'esme' },
    {
      socket,
      clock: systemClock,
      rate: createSendingRate(0, systemClock),
      events: {
        message: () => {},
        closed: () => {
          isOver = true;
          recorder.log.info('closed', {});
        },
        irregular: (reason) => recorder.metrics.count('smpp_irregular_pdus_total', { reason }),
        answered: () => {},
        timedOut: () => {},
        dropped: () => {},
        failed: () => {},
      },
    },
  );
  const fields = {
    systemId: 'x',
    password: 'y',
    systemType: '',
    interfaceVersion: 0x34,
    addrTon: 0,
    addrNpi: 0,
    addressRange: '',
  };
  let outcome: RequestOutcome | null = null;
  void link
    .sendNow('bind_transceiver', 10_000, (sequence) => encodeBind('bind_transceiver', sequence, fields))
    .then((settled) => {
      outcome = settled;
    });
  const connection = await centre.accept();
  await connection.until(() => connection.frames.length === 1);
  await play(connection, stream);
  const state = await probe(
    connection,
    stream,
    () => isOver,
    (condition) => recorder.until(condition),
  );
  const reaction = { replies: answersOf(connection), link: state, reasons: recorder.reasons(), delivered, outcome };
  link.destroy();
  connection.socket.destroy();
  return reaction;
}

async function play(connection: RawConnection, stream: Stream): Promise<void> {
  const octets = Buffer.from(stream.hex, 'hex');
  const step = stream.drip === true ? 1 : (stream.write_octets ?? Math.max(1, octets.length));
  for (let at = 0; at < octets.length && !connection.isClosed(); at += step) {
    await new Promise<void>((resolve) => connection.socket.write(octets.subarray(at, at + step), () => resolve()));
    if (stream.drip === true) await new Promise((resolve) => setTimeout(resolve, FRAME_TIMEOUT_MS / 10));
    else if (stream.write_octets !== undefined) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  if (stream.then === 'fin') connection.socket.end();
  if (stream.then === 'rst') connection.socket.resetAndDestroy();
}

/** An enquire_link tells whether the link is alive, unless it is expected to say nothing more. */
async function probe(
  connection: RawConnection,
  stream: Stream,
  isOver: () => boolean,
  until: (condition: () => boolean) => Promise<void>,
): Promise<'open' | 'closed'> {
  const isHalfFrame = stream.then === 'hold' && isCut(stream.hex);
  if (stream.then === 'hold' && !isHalfFrame && stream.drip !== true) {
    if (!connection.isClosed()) connection.socket.write(Buffer.from(PROBE, 'hex'));
    await connection.until(() => connection.isClosed() || connection.frames.includes(PROBE_ANSWER));
    if (connection.frames.includes(PROBE_ANSWER)) return 'open';
  }
  await until(isOver);
  return 'closed';
}

/** True if the stream ends inside a frame of acceptable length: a probe behind it would only fill that frame. */
function isCut(hex: string): boolean {
  const octets = Buffer.from(hex, 'hex');
  let at = 0;
  while (octets.length - at >= 4) {
    const length = octets.readUInt32BE(at);
    if (length < 16 || length > 4095) return false;
    if (octets.length - at < length) return true;
    at += length;
  }
  return octets.length > at;
}

function answersOf(connection: RawConnection): string[] {
  return connection.frames.filter((frame) => isAnswer(frame) && frame !== PROBE_ANSWER);
}
