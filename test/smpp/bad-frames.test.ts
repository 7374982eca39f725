import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import type { SmsOutcome } from '../../src/smpp/account.ts';
import { decodeText } from '../../src/smpp/data-coding.ts';
import type { RequestOutcome } from '../../src/smpp/window.ts';
import { playToBoundLink, playToOpenLink, type Reaction, type Stream } from './support/bad-stream.ts';
import { type RawCentre, startRawCentre } from './support/raw-centre.ts';

interface Delivered {
  readonly channel: string;
  readonly op?: number | null;
  readonly session?: string | null;
  readonly data_coding: number;
  readonly octets: string;
  readonly text?: string;
  readonly damaged?: boolean;
  readonly raw_tlvs?: Readonly<Record<string, string>>;
}
interface ExpectedResult {
  readonly ok: boolean;
  readonly status: number;
  readonly message_id?: string | null;
}
interface BadFrame extends Stream {
  readonly name: string;
  readonly description: string;
  readonly state: 'bound' | 'open';
  readonly pending?: readonly { readonly command: string }[];
  readonly expect: {
    readonly replies: readonly string[];
    readonly link: 'open' | 'closed';
    readonly delivered: readonly Delivered[];
    readonly reasons: readonly string[];
    readonly results?: readonly ExpectedResult[];
    readonly stored_parts?: number;
  };
}

const file = JSON.parse(readFileSync(new URL('../fixtures/smpp/bad-frames.json', import.meta.url), 'utf8')) as {
  readonly frames: readonly BadFrame[];
};

/** The parts of a long text are kept for their room; the vectors count them apart from what is delivered whole. */
function isStoredPart(delivered: Reaction['delivered'][number]): boolean {
  return delivered.pdu.parts !== null;
}

/** What was delivered, with the keys the vector asks for. */
function shape(delivered: Reaction['delivered'][number], wanted: Delivered): Delivered {
  const { pdu, inbound } = delivered;
  const decoded = decodeText(pdu.octets, pdu.dataCoding);
  const raw: Record<string, string> = Object.fromEntries(
    Object.keys(wanted.raw_tlvs ?? {}).map((tag) => [
      tag,
      pdu.rawTlvs.get(Number.parseInt(tag, 16))?.toString('hex') ?? 'missing',
    ]),
  );
  return {
    channel: inbound.channel,
    ...('op' in wanted ? { op: pdu.tlvs.ussd_service_op } : {}),
    ...('session' in wanted ? { session: pdu.tlvs.its_session_info?.toString('hex') ?? null } : {}),
    data_coding: pdu.dataCoding,
    octets: pdu.octets.toString('hex'),
    ...('text' in wanted ? { text: decoded.text } : {}),
    ...('damaged' in wanted ? { damaged: decoded.damaged } : {}),
    ...('raw_tlvs' in wanted ? { raw_tlvs: raw } : {}),
  };
}

function resultOf(outcome: SmsOutcome | RequestOutcome): Partial<ExpectedResult> {
  switch (outcome.kind) {
    case 'accepted':
      return { ok: true, status: 0, message_id: outcome.messageIds[0] ?? null };
    case 'refused':
      return { ok: false, status: outcome.status ?? -1 };
    case 'answered':
      return { ok: outcome.status === 0, status: outcome.status };
    default:
      return { ok: false, status: -1 };
  }
}

describe('a bad stream', () => {
  let centre: RawCentre;
  before(async () => {
    centre = await startRawCentre();
  });
  after(() => centre.close());

  it('has a vector for each of 124 kinds', () => {
    expect(file.frames).to.have.length(124);
  });

  for (const frame of file.frames) {
    it(`gets its exact reaction: ${frame.name}`, async () => {
      const hasPending = frame.pending?.[0]?.command === 'submit_sm';
      const reaction =
        frame.state === 'bound'
          ? await playToBoundLink(centre, frame, hasPending)
          : await playToOpenLink(centre, frame);
      const whole = reaction.delivered.filter((one) => !isStoredPart(one));
      expect(reaction.replies).to.deep.equal(frame.expect.replies);
      expect(reaction.link).to.equal(frame.expect.link);
      expect(reaction.reasons).to.deep.equal([...frame.expect.reasons].sort());
      expect(
        whole.map((one, index) =>
          shape(one, frame.expect.delivered[index] ?? { channel: '', data_coding: 0, octets: '' }),
        ),
      ).to.deep.equal(frame.expect.delivered);
      expect(reaction.delivered.length - whole.length).to.equal(frame.expect.stored_parts ?? 0);
      const [result] = frame.expect.results ?? [];
      if (result === undefined) expect(reaction.outcome).to.equal(null);
      else expect(resultOf(reaction.outcome ?? { kind: 'unknown' })).to.include({ ...withoutSequence(result) });
    });
  }
});

function withoutSequence(result: ExpectedResult): Partial<ExpectedResult> {
  return {
    ok: result.ok,
    status: result.status,
    ...(result.message_id === undefined ? {} : { message_id: result.message_id }),
  };
}
