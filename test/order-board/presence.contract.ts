/**
 * What every presence does, whatever it is made of.
 */
import { expect } from 'chai';
import { type BoardSubject, type OpenSubject, repeatedAfterCut } from './board-subject.ts';

function describeRoutes(subject: () => BoardSubject): void {
  const near = () => subject().near.presence;
  const far = () => subject().far.presence;

  it('knows no node of a machine that never came', async () => {
    expect(await near().whereIs('m1')).to.equal(null);
  });
  it('finds the node that holds a machine', async () => {
    await near().join('m1', 's1');
    expect(await far().whereIs('m1')).to.equal(near().node);
  });
  it('names no socket before the first', async () => {
    expect(await near().join('m1', 's1')).to.equal(null);
  });
  it('names the socket before', async () => {
    await near().join('m1', 's1');
    expect(await far().join('m1', 's2')).to.equal(`${near().node}:s1`);
  });
  it('names no socket before when the same one joins again', async () => {
    expect(await repeatedAfterCut(subject(), 'route:', () => near().join('m1', 's1'))).to.equal(null);
  });
  it('forgets a machine whose socket leaves', async () => {
    await near().join('m1', 's1');
    await near().leave('m1', 's1');
    expect(await far().whereIs('m1')).to.equal(null);
  });
  it('keeps a machine whose older socket leaves', async () => {
    await near().join('m1', 's1');
    await far().join('m1', 's2');
    await near().leave('m1', 's1');
    expect(await near().whereIs('m1')).to.equal(far().node);
  });
  it('does not count the routes of a node that has ended', async () => {
    await far().join('m1', 's1');
    await subject().far.close();
    expect(await near().whereIs('m1')).to.equal(null);
  });
}

function describeNudges(subject: () => BoardSubject): void {
  /** The next nudge that the far node hears. */
  const heardByFar = (): Promise<string> => new Promise((resolve) => subject().far.presence.onNudge(resolve));

  it('reach the node they are meant for', async () => {
    const heard = heardByFar();
    await subject().near.presence.nudge(subject().far.presence.node, 'take p1');
    expect(await heard).to.equal('take p1');
  });
  it('reach it by its bare name', async () => {
    const heard = heardByFar();
    await subject().near.presence.nudge('far', 'take p1');
    expect(await heard).to.equal('take p1');
  });
  it('reach no other node', async () => {
    const others: string[] = [];
    subject().near.presence.onNudge((message) => others.push(message));
    const heard = heardByFar();
    await subject().near.presence.nudge('far', 'take p1');
    await heard;
    expect(others).to.deep.equal([]);
  });
}

function describeWipes(subject: () => BoardSubject): void {
  const near = () => subject().near.presence;

  it('is told to the node with its next renewal', async () => {
    const told = new Promise<void>((resolve) => near().onWiped(resolve));
    await subject().wipe();
    await subject().pass(5_000);
    await told;
  });
  it('finds the routes written again', async () => {
    await near().join('m1', 's1');
    const told = new Promise<void>((resolve) => near().onWiped(resolve));
    await subject().wipe();
    await subject().pass(5_000);
    await told;
    expect(await near().whereIs('m1')).to.equal(near().node);
  });
  it('is not told when nothing was lost', async () => {
    let isTold = false;
    near().onWiped(() => {
      isTold = true;
    });
    await subject().pass(5_000);
    await near().whereIs('m1');
    expect(isTold).to.equal(false);
  });
}

/** The contract of `Presence`, over the boards that `open` makes. */
export function describePresence(name: string, open: OpenSubject): void {
  describe(`presence on the ${name}`, () => {
    let opened: BoardSubject;
    beforeEach(async () => {
      opened = await open();
    });
    afterEach(() => opened.close());
    describe('routes', () => describeRoutes(() => opened));
    describe('nudges', () => describeNudges(() => opened));
    describe('a wipe', () => describeWipes(() => opened));
  });
}
