export * from './bytes.ts';
export * from './checksum.ts';
export * from './framing/cobs.ts';
export * from './framing/datagram.ts';
export * from './framing/delimited.ts';
export * from './framing/fixed.ts';
export * from './framing/frame-decoder.ts';
export * from './framing/gap.ts';
export * from './framing/hdlc.ts';
export * from './framing/length.ts';
export * from './framing/slip.ts';
export * from './framing/type-length.ts';
export * from './framing/until-close.ts';
export * from './utf8.ts';
export * from './link/frame.ts';
export { decodeBody, encodeBody, encodeMessage } from './link/message-codec.ts';
export type {
  BodyErrorCode,
  BodyFailure,
  ByeReason,
  DecodedBody,
  LinkErrorCode,
  LogLevel,
  Message,
  MessageHeader,
  MessageOf,
  ResultStatus,
} from './link/message-codec.ts';
export * from './link/messages.ts';
export { MAX_VALUES, readSamples, readValue, writeSamples, writeValue } from './link/readings.ts';
export type { Decoded, Sample, SampleErrorCode, TimeKind } from './link/readings.ts';
export * from './link/schema.ts';
export * from './link/stream.ts';
export * from './link/value.ts';
export * from './text.ts';
export * from './link/receive-window.ts';
export * from './link/retransmission-timeout.ts';
export * from './link/send-window.ts';
export * from './link/explain.ts';
