/**
 * The lines of one node to journal, board and wallet: each call is on its way for a while, is executed at the server, and
 * its answer is on its way back; each part may be lost or late, and then the caller hears what the real adapter would say.
 */
import type { Outcome, PaymentPort } from '../../src/purchase/payment-port.ts';
import { Fault } from '../../src/result.ts';
import type { DurationMs } from '../../src/time.ts';
import type { Dice } from './chance.ts';
import type { FaultPlan } from './faults.ts';
import { type Life, never } from './life.ts';
import type { Timeline } from './timeline.ts';
import type { SimWallet, WalletRequest } from './wallet.ts';
import type { Weather } from './weather.ts';

/** What lines are made of. */
export type LineDeps = {
  readonly timeline: Timeline;
  readonly dice: Dice;
  readonly faults: FaultPlan;
  readonly life: Life;
  readonly weather: Weather;
  /** A moment at which the process may be killed or stopped: before each request, and before each answer. */
  readonly moment: () => void;
};

/** The lines of a node. A dead one says nothing more and hears nothing. */
export interface Lines {
  /** One statement. @throws Fault `journal_unreachable`, `journal_busy` */
  journal<Answer>(statement: () => Promise<Answer>): Promise<Answer>;
  /** A look for something to do, mostly in vain: costs no time where it finds nothing. */
  poll<Answer>(look: () => Promise<readonly Answer[]>): Promise<readonly Answer[]>;
  /** One command. @throws Fault `board_unreachable` */
  board<Answer>(command: () => Promise<Answer>): Promise<Answer>;
  wallet(wallet: SimWallet): PaymentPort & { close(): Promise<void> };
}

/** As the adapters have it. */
const JOURNAL_DEADLINE_MS: DurationMs = 3_000;
const BOARD_DEADLINE_MS: DurationMs = 800;
const AUTHORIZE_BUDGET_MS: DurationMs = 12_000;
const CALL_BUDGET_MS: DurationMs = 10_000;
/** No statement runs longer after it was sent: `STATEMENT_OVER_MS` of confirm.ts trusts in it. */
const LATEST_STATEMENT_MS: DurationMs = 4_900;

/** Share of commands answered before anything else happens: half of a story's steps would be such answers. */
const AT_ONCE = 0.6;
const JOURNAL_MS: DurationMs = 3;
const BOARD_MS: DurationMs = 1;
const WALLET_MS: DurationMs = 150;
const SLOW_WALLET_MS: DurationMs = 6_000;

const timedOut: Outcome = { kind: 'unknown', cause: 'timeout' };
const broken: Outcome = { kind: 'unknown', cause: 'connection' };
const failed: Outcome = { kind: 'unknown', cause: 'status' };
const unsent: Outcome = { kind: 'not_found' };

/** One call under way: who waits, and until when. */
type Call<Answer> = {
  readonly calledAtMs: DurationMs;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
};

/** The lines of one node. */
export function createLines(deps: LineDeps): Lines {
  const { timeline, dice, faults, life, weather, moment } = deps;

  /** A call that leaves now, or when a stopped process goes on; a dead one's never does. */
  function call<Answer>(send: (of: Call<Answer>) => void): Promise<Answer> {
    moment();
    if (life.isDead) return never();
    return new Promise((resolve, reject) => {
      const of: Call<Answer> = { calledAtMs: timeline.now(), resolve, reject };
      if (life.isStalled) life.deliver(() => send(of));
      else send(of);
    });
  }

  /** The answer comes in `afterMs`. A process that was stopped meanwhile finds its own deadline over first. */
  function hear<Answer>(
    of: Call<Answer>,
    afterMs: DurationMs,
    deadlineMs: DurationMs,
    late: () => void,
    tell: () => void,
  ): void {
    timeline.after(afterMs, () =>
      life.deliver(() => {
        moment();
        if (life.isDead) return;
        if (life.isStalled) life.deliver(() => (timeline.now() - of.calledAtMs > deadlineMs ? late() : tell()));
        else if (timeline.now() - of.calledAtMs > deadlineMs) late();
        else tell();
      }),
    );
  }

  /** To the journal or the board: rejected with a fault, or executed and answered. */
  function server(code: string, deadlineMs: DurationMs, latencyMs: DurationMs) {
    const fail = <Answer>(of: Call<Answer>, afterMs: DurationMs, happened: 'no' | 'unknown', why = code): void => {
      const reject = (): void => of.reject(new Fault(why, happened));
      hear(of, afterMs, Number.POSITIVE_INFINITY, reject, reject);
    };
    const execute = <Answer>(of: Call<Answer>, run: () => Promise<Answer>): void => {
      const late = (): void => of.reject(new Fault(code, 'unknown'));
      run().then(
        (answer) => hear(of, dice.latency(latencyMs), deadlineMs, late, () => of.resolve(answer)),
        (error: unknown) => hear(of, dice.latency(latencyMs), deadlineMs, late, () => of.reject(error)),
      );
    };
    const later = (afterMs: DurationMs, run: () => void): void => {
      timeline.after(afterMs, run);
    };
    const forgotten = (run: () => Promise<unknown>) => (): void => {
      run().catch(() => undefined);
    };
    return { fail, execute, later, forgotten };
  }
  const toJournal = server('journal_unreachable', JOURNAL_DEADLINE_MS, JOURNAL_MS);
  const toBoard = server('board_unreachable', BOARD_DEADLINE_MS, BOARD_MS);

  /** What goes wrong with a statement; false when nothing does. */
  function troubleAtJournal<Answer>(of: Call<Answer>, run: () => Promise<Answer>): boolean {
    const { fail, later, forgotten } = toJournal;
    const deadline = (): DurationMs => (dice.happens(0.5) ? JOURNAL_DEADLINE_MS : dice.float() * JOURNAL_DEADLINE_MS);
    if (weather.isJournalAway) {
      if (dice.happens(0.8)) fail(of, dice.latency(JOURNAL_MS), 'no');
      else fail(of, deadline(), dice.happens(0.5) ? 'no' : 'unknown');
      return true;
    }
    if (faults.strikes('journal_request_lost', 0.002)) {
      if (dice.happens(0.3)) fail(of, 1_000, 'no', 'journal_busy');
      else fail(of, deadline(), 'unknown');
      return true;
    }
    if (faults.strikes('journal_answer_lost', 0.002)) {
      later(dice.latency(JOURNAL_MS), forgotten(run));
      fail(of, deadline(), 'unknown');
      return true;
    }
    if (faults.strikes('journal_late', 0.001)) {
      later(dice.float() * LATEST_STATEMENT_MS, forgotten(run));
      fail(of, deadline(), 'unknown');
      return true;
    }
    return false;
  }

  function troubleAtBoard<Answer>(of: Call<Answer>, run: () => Promise<Answer>): boolean {
    const { fail, later, forgotten } = toBoard;
    if (weather.isBoardAway) {
      if (dice.happens(0.8)) fail(of, 0, 'no');
      else fail(of, BOARD_DEADLINE_MS, 'unknown');
      return true;
    }
    if (!faults.strikes('board_answer_lost', 0.002)) return false;
    // Executed in time, or when nobody waits any more.
    if (dice.happens(0.8)) later(dice.latency(dice.happens(0.8) ? BOARD_MS : 1_500), forgotten(run));
    fail(of, dice.happens(0.5) ? BOARD_DEADLINE_MS : dice.latency(50), 'unknown');
    return true;
  }

  function journal<Answer>(statement: () => Promise<Answer>): Promise<Answer> {
    return call((of) => {
      if (troubleAtJournal(of, statement)) return;
      const share = dice.float();
      if (share < AT_ONCE / 2) void statement().then(of.resolve, of.reject);
      else if (share < 0.75) toJournal.execute(of, statement);
      else toJournal.later(dice.latency(JOURNAL_MS), () => toJournal.execute(of, statement));
    });
  }

  function poll<Answer>(look: () => Promise<readonly Answer[]>): Promise<readonly Answer[]> {
    return call((of) => {
      if (troubleAtJournal(of, look)) return;
      look().then((found) => {
        if (found.length === 0) of.resolve(found);
        else toJournal.execute(of, () => Promise.resolve(found));
      }, of.reject);
    });
  }

  function board<Answer>(command: () => Promise<Answer>): Promise<Answer> {
    return call((of) => {
      if (troubleAtBoard(of, command)) return;
      const share = dice.float();
      if (share < AT_ONCE) void command().then(of.resolve, of.reject);
      else if (share < 0.85) toBoard.execute(of, command);
      else toBoard.later(dice.latency(BOARD_MS), () => toBoard.execute(of, command));
    });
  }

  return { journal, poll, board, wallet: (wallet) => createWalletLine(deps, call, hear, wallet) };
}

type CallMaker = <Answer>(send: (of: Call<Answer>) => void) => Promise<Answer>;
type Hear = <Answer>(
  of: Call<Answer>,
  afterMs: DurationMs,
  deadlineMs: DurationMs,
  late: () => void,
  tell: () => void,
) => void;

function createWalletLine(
  { timeline, dice, faults, weather }: LineDeps,
  call: CallMaker,
  hear: Hear,
  wallet: SimWallet,
): PaymentPort & { close(): Promise<void> } {
  const latency = (): DurationMs => {
    const isSlow = weather.isWalletSlow || faults.strikes('wallet_slow', 0.005);
    return dice.latency(isSlow ? SLOW_WALLET_MS : WALLET_MS);
  };
  /** When a late request arrives: within what the wallet promises, or beyond that where this cannot be undone by key. */
  const lateMs = (): DurationMs => {
    const { reverseByKey, maxPendingMs } = wallet.capabilities;
    return !reverseByKey && dice.happens(0.5) ? 400_000 + dice.float() * 800_000 : dice.float() * maxPendingMs * 0.9;
  };

  function send(of: Call<Outcome>, request: WalletRequest, budgetMs: DurationMs): void {
    const tell = (outcome: Outcome, afterMs: DurationMs): void => {
      const isInTime = timeline.now() + afterMs - of.calledAtMs <= budgetMs;
      const heardInMs = isInTime ? afterMs : Math.max(0, of.calledAtMs + budgetMs - timeline.now());
      const resolve = (): void => of.resolve(isInTime ? outcome : timedOut);
      hear(of, heardInMs, budgetMs, () => of.resolve(timedOut), resolve);
    };
    const later = (afterMs: DurationMs, run: () => void): void => {
      weather.walletBacklog += 1;
      timeline.after(afterMs, () => {
        weather.walletBacklog -= 1;
        run();
      });
    };
    const serve = (): Outcome => wallet.serve(request);
    const isChange = request.verb !== 'query';
    if (weather.isWalletAway) {
      // No connection: of a call that proves that nothing was sent, of a question nothing.
      return dice.happens(0.6) ? tell(isChange ? unsent : broken, latency()) : tell(timedOut, budgetMs);
    }
    if (faults.strikes('wallet_request_lost', 0.004)) {
      return dice.happens(0.5) ? tell(timedOut, budgetMs) : tell(broken, latency());
    }
    if (faults.strikes('wallet_answer_lost', 0.004)) {
      later(latency(), serve);
      return dice.happens(0.5) ? tell(timedOut, budgetMs) : tell(broken, latency());
    }
    if (isChange && faults.strikes('wallet_answers_late', 0.005)) {
      later(budgetMs + lateMs(), serve);
      return tell(timedOut, budgetMs);
    }
    if (faults.strikes('wallet_status_error', 0.004)) {
      if (dice.happens(0.5)) later(latency(), serve);
      return tell(failed, latency());
    }
    if (isChange && faults.strikes('wallet_doubled', 0.01)) later(latency() + dice.latency(2_000), serve);
    later(latency(), () => tell(serve(), latency()));
  }
  const asked = (request: WalletRequest, budgetMs: DurationMs): Promise<Outcome> =>
    call((of) => send(of, request, budgetMs));

  return {
    name: 'centre',
    capabilities: wallet.capabilities,
    check: (question) =>
      call((of) => {
        const unknown = { account: 'unknown', affordable: 'unknown', validation: 'unknown' } as const;
        const isLost = weather.isWalletAway || faults.strikes('wallet_request_lost', 0.004);
        const answer = isLost ? unknown : wallet.check(question);
        const tell = (): void => of.resolve(answer);
        hear(of, isLost ? 2_000 : latency(), 2_000, () => of.resolve(unknown), tell);
      }),
    authorize: (command) => {
      const isRepeated = wallet.calledKeys.has(command.key);
      wallet.calledKeys.add(command.key);
      return asked({ verb: 'authorize', command, isRepeated }, AUTHORIZE_BUDGET_MS);
    },
    validate: ({ key, terms, answer }) => {
      const pin = answer.read();
      return asked({ verb: 'validate', command: { key, terms, pin } }, AUTHORIZE_BUDGET_MS);
    },
    settle: (command) => asked({ verb: 'settle', command }, CALL_BUDGET_MS),
    reverse: (command) => asked({ verb: 'reverse', command }, CALL_BUDGET_MS),
    query: (command) => asked({ verb: 'query', command }, CALL_BUDGET_MS),
    close: () => Promise.resolve(),
  };
}
