import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Journal } from '../../src/automaton-link/agent/journal.ts';
import { createJournalFile } from '../../src/automaton-link/agent/journal-file.ts';
import { PowerDisk } from './support/power-file.ts';

const order = { item: 7, amount: 500n, currency: 'XOF', maxWaitMs: 120_000, bootId: 'b1' };

function deliver(journal: Journal, seq: number): void {
  journal.wait({ ...order, seq });
  journal.approve(seq, `A${seq}`, 500n);
  journal.deliver(seq);
  journal.finish(seq, { state: 'succeeded' });
}

describe('the journal of a machine', () => {
  let disk: PowerDisk;
  beforeEach(() => {
    disk = new PowerDisk();
  });
  const reopen = (): Journal => new Journal(disk.powerOn());

  it('reads back every kind of record', () => {
    const journal = reopen();
    deliver(journal, 1);
    journal.acknowledge(1);
    journal.wait({ ...order, seq: 2, item: null, amount: null });
    journal.close(2, { result: 'expired', approvalSeen: 'A2', isSilent: false });
    journal.wait({ ...order, seq: 3 });
    journal.approve(3, 'A3', 500n);
    journal.finish(3, { state: 'failed', code: 'not_started' });
    journal.wait({ ...order, seq: 4 });
    journal.approve(4, 'A4', 500n);
    journal.deliver(4);
    journal.raise(9);
    const once = reopen();
    expect([1, 2, 3, 4, 5, 10].map((seq) => once.stateOf(seq))).to.deep.equal([
      'succeeded',
      'closed',
      'failed',
      'delivering',
      'none',
      'unknown',
    ]);
    expect([1, 2, 3, 4].map((seq) => once.find(seq))).to.deep.equal([1, 2, 3, 4].map((seq) => journal.find(seq)));
    expect(once.owed().map(({ seq }) => seq)).to.deep.equal([2, 3]);
  });

  it('gives out no number twice, whatever was forgotten', () => {
    const journal = reopen();
    for (let seq = 1; seq <= 200; seq += 1) {
      deliver(journal, seq);
      journal.acknowledge(seq);
    }
    const again = reopen();
    expect([again.highWater, again.stateOf(100), again.stateOf(199)]).to.deep.equal([200, 'none', 'succeeded']);
  });

  it('keeps every statement that nobody has acknowledged through compaction', () => {
    const journal = reopen();
    for (let seq = 1; seq <= 250; seq += 1) {
      deliver(journal, seq);
      if (seq % 2 === 0) journal.acknowledge(seq);
    }
    expect(reopen().owed()).to.have.length(125);
    expect(disk.durable.split('\n').length).to.be.lessThan(125 * 4 + 32 * 5 + 3);
  });

  it('drops a torn last line, at whatever byte it was torn', () => {
    const journal = reopen();
    journal.wait({ ...order, seq: 1 });
    const whole = disk.durable;
    journal.approve(1, 'A1', 500n);
    const line = disk.durable.slice(whole.length);
    for (let bytes = 0; bytes < line.length - 1; bytes += 1) {
      disk.durable = whole + line.slice(0, bytes);
      expect(reopen().stateOf(1), `${bytes} bytes`).to.equal('waiting');
      const after = reopen();
      after.approve(1, 'A2', 500n);
      expect(reopen().find(1)?.approval?.id, `${bytes} bytes`).to.equal('A2');
    }
  });

  it('does not speak when a good line stands behind a broken one', () => {
    const journal = reopen();
    deliver(journal, 1);
    const lines = disk.durable.split('\n');
    lines[2] = (lines[2] ?? '').replace('A1', 'A7');
    disk.durable = lines.join('\n');
    expect(reopen).to.throw('journal_damaged');
  });

  it('is closed for writing after a write that failed', () => {
    const journal = reopen();
    disk.isCut = false;
    disk.cutAtStep = disk.steps + 2;
    expect(() => journal.wait({ ...order, seq: 1 })).to.throw('journal_write_failed');
    expect(() => journal.wait({ ...order, seq: 1 })).to.throw('journal_write_failed');
    expect([journal.isBroken, journal.find(1)]).to.deep.equal([true, null]);
  });

  it('vouches for nothing below a floor that is not its own, but keeps what it delivered', () => {
    const journal = reopen();
    deliver(journal, 1);
    journal.wait({ ...order, seq: 2 });
    journal.close(2, { result: 'rebooted', approvalSeen: null, isSilent: false });
    journal.startAbove(41);
    const after = reopen();
    expect([after.firstSeq, after.highWater]).to.deep.equal([42, 41]);
    expect(after.owed().map(({ seq }) => seq)).to.deep.equal([1]);
    expect(after.stateOf(2)).to.equal('unknown');
  });

  it('does not answer for the same floor twice', () => {
    const journal = reopen();
    journal.startAbove(41);
    journal.wait({ ...order, seq: 42 });
    journal.startAbove(41);
    expect([journal.firstSeq, journal.stateOf(42)]).to.deep.equal([42, 'waiting']);
  });

  it('is kept in a real file', () => {
    const folder = mkdtempSync(join(tmpdir(), 'relais-journal-'));
    try {
      const path = join(folder, 'machine.journal');
      const journal = new Journal(createJournalFile(path));
      deliver(journal, 1);
      journal.end();
      const again = new Journal(createJournalFile(path));
      expect(again.find(1)?.state).to.equal('succeeded');
      again.end();
      expect(readFileSync(path, 'utf8').split('\n')[0]).to.match(
        /^[0-9a-f]{8} \{"t":"H","firstSeq":1,"highWater":1\}$/,
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
