/**
 * OCPP-J arrays: how calls, results and errors stand in a text message of the WebSocket.
 */
import { z } from 'zod';
import { Bug, ok, type Result, refuse } from '../result.ts';

/** Largest text message, in bytes of UTF-8. */
export const maxFrameBytes = 4096;
/** Deepest nesting, the frame's own array included. */
const maxFrameDepth = 5;
/** msgId of an error that answers a text in which none could be read. */
const noMsgId = '-1';

/** One message of the link, its payload not yet read. */
export type Frame =
  | { readonly kind: 'call'; readonly msgId: string; readonly action: string; readonly payload: unknown }
  | { readonly kind: 'result'; readonly msgId: string; readonly payload: unknown }
  | { readonly kind: 'error'; readonly msgId: string; readonly code: string; readonly details: ErrorDetails };

/** Details of an error. `code` repeats the frame's, for generic peers that keep only the details of unknown codes. */
export type ErrorDetails = {
  readonly code?: string | undefined;
  readonly retryMs?: number | undefined;
  readonly seqFloor?: number | undefined;
};

/** What was wrong with a text. `msgId`: whom to answer; null where an answer would answer an answer. */
export type BadFrame = { readonly msgId: string | null; readonly what: string };

const msgIdPattern = /^[A-Za-z0-9_-]{1,36}$/;
const details = z.object({
  code: z.string().max(64).optional(),
  retryMs: z.int().min(0).max(86_400_000).optional(),
  seqFloor: z.int().min(0).max(4_294_967_295).optional(),
});

function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  return Object.values(value).some((inner) => isDeeperThan(inner, levels - 1));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseArray(text: string): Result<readonly unknown[], string> {
  if (Buffer.byteLength(text) > maxFrameBytes) return refuse('too long');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refuse('not JSON');
  }
  if (!Array.isArray(value)) return refuse('not an array');
  return isDeeperThan(value, maxFrameDepth) ? refuse('too deep') : ok(value);
}

function readError(array: readonly unknown[], msgId: string): Result<Frame, BadFrame> {
  const [, , code, description, more] = array;
  if (array.length !== 5 || typeof code !== 'string' || typeof description !== 'string') {
    return refuse({ msgId: null, what: 'an error has a code, a description and details' });
  }
  const read = details.safeParse(more);
  const known: ErrorDetails = read.success ? read.data : {};
  return ok({ kind: 'error', msgId, code: known.code ?? code, details: known });
}

/**
 * Reads one text message. Refusal: what is wrong, and the msgId under which to say so (`-1` where none could be read,
 * null for a broken result or error, which is never answered).
 */
export function decodeFrame(text: string): Result<Frame, BadFrame> {
  const parsed = parseArray(text);
  if (!parsed.ok) return refuse({ msgId: noMsgId, what: parsed.refusal });
  const [type, msgId, third, fourth] = parsed.value;
  if (typeof msgId !== 'string' || !msgIdPattern.test(msgId)) return refuse({ msgId: noMsgId, what: 'no msgId' });
  switch (type) {
    case 2:
      if (parsed.value.length === 4 && typeof third === 'string' && isRecord(fourth)) {
        return ok({ kind: 'call', msgId, action: third, payload: fourth });
      }
      return refuse({ msgId, what: 'a call has an action and an object' });
    case 3:
      if (parsed.value.length === 3 && isRecord(third)) return ok({ kind: 'result', msgId, payload: third });
      return refuse({ msgId: null, what: 'a result has an object' });
    case 4:
      return readError(parsed.value, msgId);
    default:
      return refuse({ msgId: noMsgId, what: 'unknown type of message' });
  }
}

/** JSON with bigint written as an integer, which `JSON.stringify` refuses; absent fields are left out. */
function write(value: unknown): string {
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return `[${value.map((inner) => write(inner)).join(',')}]`;
  if (!isRecord(value)) return JSON.stringify(value);
  let fields = '';
  for (const name of Object.keys(value)) {
    const inner = value[name];
    if (inner === undefined) continue;
    fields += `${fields === '' ? '' : ','}${JSON.stringify(name)}:${write(inner)}`;
  }
  return `{${fields}}`;
}

/** JSON text in which bigint amounts are integers, as frames and journal lines carry them. */
export function writeJson(value: Readonly<Record<string, unknown>>): string {
  return write(value);
}

function bounded(text: string): string {
  if (Buffer.byteLength(text) > maxFrameBytes) throw new Bug('a frame of ours is too long');
  return text;
}

/** A call as text. `payload` has been checked against its strict shape. */
export function encodeCall(msgId: string, action: string, payload: unknown): string {
  return bounded(`[2,"${msgId}",${JSON.stringify(action)},${write(payload)}]`);
}

/** A result as text. */
export function encodeResult(msgId: string, payload: unknown): string {
  return bounded(`[3,"${msgId}",${write(payload)}]`);
}

/** An error as text; its code is repeated in the details. */
export function encodeError(msgId: string, code: string, description: string, more: ErrorDetails = {}): string {
  return bounded(`[4,"${msgId}",${JSON.stringify(code)},${JSON.stringify(description)},${write({ code, ...more })}]`);
}
