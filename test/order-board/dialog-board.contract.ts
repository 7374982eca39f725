/**
 * What every dialog board does, whatever it is made of.
 */
import { expect } from 'chai';
import type { Board } from '../../src/order-board/board.ts';
import { type BoardSubject, type OpenSubject, repeatedAfterCut, shortMs } from './board-subject.ts';

type Dialogs = Board['dialogs'];
type Given = { readonly subject: () => BoardSubject; readonly dialogs: () => Dialogs; readonly far: () => Dialogs };

const PAYER = '2250701020304';
const turn = (turnRead: number, body: string, ttlMs = 300_000) => ({
  account: 'a1',
  payer: PAYER,
  turnRead,
  turn: turnRead + 1,
  body,
  ttlMs,
});
const partOf = (part: number, text: string, changed: { total?: number; ttlMs?: number } = {}) => ({
  account: 'a1',
  payer: PAYER,
  reference: '17',
  total: 3,
  ttlMs: 300_000,
  part,
  text,
  ...changed,
});

function describeDialogs({ dialogs, far, subject }: Given): void {
  it('has no dialog before one is saved', async () => {
    expect(await dialogs().load('a1', PAYER)).to.equal(null);
  });
  it('keeps a dialog for every node', async () => {
    await dialogs().save(turn(0, 'first'));
    expect(await far().load('a1', PAYER)).to.deep.equal({ turn: 1, body: 'first' });
  });
  it('keeps accounts apart', async () => {
    await dialogs().save(turn(0, 'first'));
    expect(await dialogs().load('a2', PAYER)).to.equal(null);
  });
  it('keeps the turn that follows', async () => {
    await dialogs().save(turn(0, 'first'));
    expect(await dialogs().save(turn(1, 'second'))).to.equal(true);
    expect(await far().load('a1', PAYER)).to.deep.equal({ turn: 2, body: 'second' });
  });
  it('refuses the turn of a node that read before another answered', async () => {
    await dialogs().save(turn(0, 'first'));
    await far().save(turn(1, 'of the far node'));
    expect(await dialogs().save(turn(1, 'of the near node'))).to.equal(false);
  });
  it('saves one of two doubled begins', async () => {
    const saved = await Promise.all([dialogs().save(turn(0, 'one')), far().save(turn(0, 'other'))]);
    expect(saved.filter((isSaved) => isSaved)).to.have.length(1);
  });
  it('saves the same turn again when the first reply was cut off', async () => {
    const saved = await repeatedAfterCut(subject(), 'dialog:', () => dialogs().save(turn(0, 'first')));
    expect(saved).to.equal(true);
  });
  it('forgets a dialog after its time', async () => {
    await dialogs().save(turn(0, 'first', shortMs));
    await subject().pass(shortMs);
    expect(await dialogs().load('a1', PAYER)).to.equal(null);
  });
  it('saves no turn of a dialog that was wiped since it was read', async () => {
    await dialogs().save(turn(0, 'first'));
    await subject().wipe();
    expect(await dialogs().save(turn(1, 'second'))).to.equal(false);
    expect(await dialogs().load('a1', PAYER)).to.equal(null);
  });
}

function describeMarks({ dialogs, far, subject }: Given): void {
  it('knows a message by its digest', async () => {
    const answers = [await dialogs().isFirst('a1', 'd1', 120_000), await far().isFirst('a1', 'd1', 120_000)];
    expect(answers).to.deep.equal([true, false]);
  });
  it('gives a message to one of 50 racing calls', async () => {
    const nodes = Array.from({ length: 50 }, (_, number) => (number % 2 === 0 ? dialogs() : far()));
    const answers = await Promise.all(nodes.map((node) => node.isFirst('a1', 'd1', 120_000)));
    expect(answers.filter((isFirst) => isFirst)).to.have.length(1);
  });
  it('keeps digests apart', async () => {
    await dialogs().isFirst('a1', 'd1', 120_000);
    expect(await dialogs().isFirst('a1', 'd2', 120_000)).to.equal(true);
  });
  it('forgets a message after its time', async () => {
    await dialogs().isFirst('a1', 'd1', shortMs);
    await subject().pass(shortMs);
    expect(await dialogs().isFirst('a1', 'd1', shortMs)).to.equal(true);
  });
  it('does not take a message for doubled whose mark was cut off', async () => {
    expect(await repeatedAfterCut(subject(), 'seen:', () => dialogs().isFirst('a1', 'd1', 120_000))).to.equal(true);
  });
  it('takes it for doubled from then on', async () => {
    await repeatedAfterCut(subject(), 'seen:', () => dialogs().isFirst('a1', 'd1', 120_000));
    expect(await dialogs().isFirst('a1', 'd1', 120_000)).to.equal(false);
  });
}

function describeQuotes({ dialogs, far, subject }: Given): void {
  it('has no quote before one is saved', async () => {
    expect(await dialogs().takeQuote('a1', PAYER)).to.equal(null);
  });
  it('reads a quote once, however many ask', async () => {
    await dialogs().saveQuote('a1', PAYER, 'q1', 120_000);
    const nodes = Array.from({ length: 20 }, (_, number) => (number % 2 === 0 ? dialogs() : far()));
    const read = await Promise.all(nodes.map((node) => node.takeQuote('a1', PAYER)));
    expect(read.filter((quote) => quote !== null)).to.deep.equal(['q1']);
  });
  it('replaces a quote by a later one', async () => {
    await dialogs().saveQuote('a1', PAYER, 'q1', 120_000);
    await dialogs().saveQuote('a1', PAYER, 'q2', 120_000);
    expect(await dialogs().takeQuote('a1', PAYER)).to.equal('q2');
  });
  it('forgets a quote after its time', async () => {
    await dialogs().saveQuote('a1', PAYER, 'q1', shortMs);
    await subject().pass(shortMs);
    expect(await dialogs().takeQuote('a1', PAYER)).to.equal(null);
  });
}

function describeParts({ dialogs, far, subject }: Given): void {
  it('hands out the parts in order once the last is there', async () => {
    const heard = [
      await dialogs().addPart(partOf(3, 'c')),
      await far().addPart(partOf(1, 'a')),
      await dialogs().addPart(partOf(2, 'b')),
    ];
    expect(heard).to.deep.equal([null, null, ['a', 'b', 'c']]);
  });
  it('hands them out to one of three racing calls', async () => {
    const heard = await Promise.all([
      dialogs().addPart(partOf(1, 'a')),
      far().addPart(partOf(2, 'b')),
      far().addPart(partOf(3, 'c')),
    ]);
    expect(heard.filter((parts) => parts !== null)).to.deep.equal([['a', 'b', 'c']]);
  });
  it('counts a part that comes twice once', async () => {
    await dialogs().addPart(partOf(1, 'a'));
    await dialogs().addPart(partOf(1, 'a'));
    expect(await dialogs().addPart(partOf(2, 'b'))).to.equal(null);
  });
  it('hands them out again when the last reply was cut off', async () => {
    await dialogs().addPart(partOf(1, 'a'));
    await dialogs().addPart(partOf(2, 'b'));
    const heard = await repeatedAfterCut(subject(), 'parts:', () => dialogs().addPart(partOf(3, 'c')));
    expect(heard).to.deep.equal(['a', 'b', 'c']);
  });
  it('starts anew when the phone uses its reference for another message', async () => {
    await dialogs().addPart(partOf(1, 'a'));
    await dialogs().addPart(partOf(2, 'b'));
    await dialogs().addPart(partOf(1, 'x'));
    expect(await dialogs().addPart(partOf(3, 'z'))).to.equal(null);
  });
  it('starts anew when the number of parts differs', async () => {
    await dialogs().addPart(partOf(1, 'a'));
    expect(await dialogs().addPart(partOf(2, 'b', { total: 2 }))).to.equal(null);
  });
  it('forgets parts after their time', async () => {
    await dialogs().addPart(partOf(1, 'a', { total: 2, ttlMs: shortMs }));
    await subject().pass(shortMs);
    expect(await dialogs().addPart(partOf(2, 'b', { total: 2 }))).to.equal(null);
  });
  for (const { part, total } of [
    { part: 0, total: 1 },
    { part: 2, total: 1 },
    { part: 1, total: 256 },
    { part: 1.5, total: 2 },
  ]) {
    it(`keeps no part ${part} of ${total}`, async () => {
      expect(await dialogs().addPart(partOf(part, 'a', { total }))).to.equal(null);
    });
  }
}

function describeRates({ dialogs, far, subject }: Given): void {
  it('lets 5 of 50 racing calls pass where 5 may', async () => {
    const nodes = Array.from({ length: 50 }, (_, number) => (number % 2 === 0 ? dialogs() : far()));
    const passed = await Promise.all(nodes.map((node) => node.isWithinRate('dials', PAYER, 5, 60_000)));
    expect(passed.filter((isWithin) => isWithin)).to.have.length(5);
  });
  it('keeps payers and kinds apart', async () => {
    await dialogs().isWithinRate('dials', PAYER, 1, 60_000);
    expect([
      await dialogs().isWithinRate('dials', '2250701020305', 1, 60_000),
      await dialogs().isWithinRate('quotes', PAYER, 1, 60_000),
    ]).to.deep.equal([true, true]);
  });
  it('counts anew when the window is over', async () => {
    await dialogs().isWithinRate('dials', PAYER, 1, 1_000);
    await subject().pass(1_050);
    expect(await dialogs().isWithinRate('dials', PAYER, 1, 1_000)).to.equal(true);
  });
}

/** The contract of `DialogBoard`, over the boards that `open` makes. */
export function describeDialogBoard(name: string, open: OpenSubject): void {
  describe(`the phones' part of the ${name}`, () => {
    let opened: BoardSubject;
    beforeEach(async () => {
      opened = await open();
    });
    afterEach(() => opened.close());
    const given: Given = { subject: () => opened, dialogs: () => opened.near.dialogs, far: () => opened.far.dialogs };
    describe('dialogs', () => describeDialogs(given));
    describe('marks of messages', () => describeMarks(given));
    describe('quotes', () => describeQuotes(given));
    describe('parts of a long message', () => describeParts(given));
    describe('rates', () => describeRates(given));
  });
}
