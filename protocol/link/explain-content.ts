/** What an explanation of one frame consists of, and what can be wrong with its body. */
import type { BodyStop } from './explain-body.ts';
import type { Range } from './explain-header.ts';
import { CRC_BYTES } from './frame.ts';
import type { FrameErrorCode } from './frame.ts';
import type { BodyErrorCode, DecodedBody, Message } from './message-codec.ts';
import { decodeSchema } from './schema.ts';
import type { SchemaErrorCode } from './schema.ts';
import type { SecureErrorCode } from './secure/secure-failure.ts';

/** What is wrong with a frame. */
export interface Finding {
  readonly code: FrameErrorCode | BodyErrorCode | SchemaErrorCode | SecureErrorCode | 'bad-cobs';
  /** Within the frame. */
  readonly offset: number;
  /** A sentence with the numbers that matter. */
  readonly text: string;
}

/** What a frame says, its place on the wire aside. */
export interface Content {
  readonly bytes: Uint8Array;
  readonly ranges: readonly Range[];
  readonly sealed?: 'opened' | 'closed';
  readonly finding?: Finding | undefined;
  readonly message?: Message;
}

/** What is wrong with a body, if anything is: the decoder's code, in words. */
export function bodyProblem(body: DecodedBody, bytes: Uint8Array, stop: BodyStop | undefined): Finding | undefined {
  if (!body.ok) {
    const { code, offset, field } = body;
    return { code, offset, text: HEADER_TEXTS[code] ?? stop?.text ?? `${field} is out of range at offset ${offset}` };
  }
  if (body.message.type !== 'SCHEMA') return undefined;
  const { part, content } = body.message;
  // A later part is judged as if it came after an empty first one.
  const schema = decodeSchema(part === 0 ? [content] : [new Uint8Array(4), content]);
  if (typeof schema !== 'string') return undefined;
  const offset = stop?.offset ?? bytes.length - CRC_BYTES - content.length;
  return { code: schema, offset, text: stop?.text ?? SCHEMA_TEXTS[schema] ?? schema };
}

/** Of failures that lie in the header. */
const HEADER_TEXTS: Partial<Record<BodyErrorCode, string>> = {
  'unknown-message': 'the type is not assigned',
  'wrong-direction': 'this type does not go in this direction',
  'wrong-ack': 'the ack-wanted bit does not fit this type',
  'bad-sid': 'this type has a sid if and only if there is a session',
  'bad-seq': 'HELLO has seq 0, and a frame that wants an ACK never has',
};

const SCHEMA_TEXTS: Partial<Record<SchemaErrorCode, string>> = {
  'trailing-bytes': 'bytes follow the last channel',
  'misplaced-name': 'only part 0 may name device, model and firmware',
  'too-many-channels': 'more than 64 channels',
  'duplicate-channel': 'two channels have the same number',
  'unknown-value-type': 'a channel has a value type that is not assigned',
  'empty-name': 'a channel has no name',
  'long-name': 'a name is longer than 64 bytes, or a unit longer than 16',
};

/** Whether a failure lies in the header, which is never sealed. */
export function isInHeader(code: BodyErrorCode): boolean {
  return HEADER_TEXTS[code] !== undefined;
}
