import { type Smsc, type SmscOptions, startSmsc } from '../../../simulators/smsc.ts';
import {
  type AccountOptions,
  type BindSettings,
  createAccount,
  type SmppAccount,
  type UssdOutcome,
} from '../../../src/smpp/account.ts';
import { gatewayProfiles } from '../../../src/smpp/gateway-profile.ts';
import type { SmsMessage, SmsReceipt, UssdRequest } from '../../../src/smpp/inbound.ts';
import { systemClock } from '../../../src/time.ts';
import { createRecorder, type Recorder } from './quiet.ts';

/** An account bound to a simulated centre, both in this process, over TCP. */
export interface Exchange {
  readonly smsc: Smsc;
  readonly account: SmppAccount;
  readonly recorder: Recorder;
  readonly requests: UssdRequest[];
  readonly outcomes: UssdOutcome[];
  readonly messages: SmsMessage[];
  readonly receipts: SmsReceipt[];
  stop(): Promise<void>;
}

export interface ExchangeOptions {
  readonly smsc?: Partial<SmscOptions>;
  readonly account?: Partial<AccountOptions>;
  /** One bind for each; default one with the defaults. */
  readonly binds?: readonly Partial<BindSettings>[];
  /** What a screen says to a request; default: an echo of the text, an end for the key 0. */
  readonly screen?: (request: UssdRequest) => string;
  readonly replyWithinMs?: number;
}

/** Starts both and waits until they are bound. */
export async function startExchange(options: ExchangeOptions = {}): Promise<Exchange> {
  const smsc = await startSmsc({ port: 0, ...options.smsc });
  const recorder = createRecorder();
  const binds = options.binds ?? [{}];
  const account = createAccount(
    {
      name: 'main',
      dialect: gatewayProfiles.generic,
      smsSource: { ton: 0, npi: 0, addr: '123' },
      binds: binds.map((bind, index) => ({
        name: `b${index + 1}`,
        hosts: [{ host: '127.0.0.1', port: smsc.port }],
        systemId: 'relais',
        password: 'secret',
        drainMs: 200,
        ...bind,
      })),
      ...options.account,
    },
    { clock: systemClock, random: () => 0, log: recorder.log, metrics: recorder.metrics },
  );
  const exchange: Exchange = {
    smsc,
    account,
    recorder,
    requests: [],
    outcomes: [],
    messages: [],
    receipts: [],
    stop: async () => {
      await account.stop();
      await smsc.close();
    },
  };
  listen(exchange, options);
  account.start();
  await recorder.until(() => account.status().every((bind) => bind.state === 'bound'));
  return exchange;
}

function listen(exchange: Exchange, options: ExchangeOptions): void {
  const { account } = exchange;
  account.onUssd(async (request) => {
    exchange.requests.push(request);
    if (request.kind !== 'begin' && request.kind !== 'continue') return;
    const text = options.screen?.(request) ?? `seen ${request.text ?? ''}`;
    const kind = request.text === '0' ? 'end' : 'continue';
    const replyByMs = systemClock.now() + (options.replyWithinMs ?? 8000);
    exchange.outcomes.push(await account.sendUssd({ echo: request.echo, kind, text, replyByMs }));
    exchange.recorder.log.info('outcome', {});
  });
  account.onSms(async (message) => {
    exchange.messages.push(message);
  });
  account.onReceipt(async (receipt) => {
    exchange.receipts.push(receipt);
    exchange.recorder.log.info('receipt', {});
  });
}
