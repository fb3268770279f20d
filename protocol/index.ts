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
export {
  CRC_BYTES,
  FRAME_OVERHEAD,
  HEADER_BYTES,
  LINK_VERSION,
  LinkFrame,
  MAX_DATAGRAM_BYTES,
  MAX_FRAME_BEFORE_SESSION,
  MAX_FRAME_BYTES,
  TAG_BYTES,
  decodeFrame,
  encodeFrame,
  isSealed,
  sealFrame,
  writeHeader,
} from './link/frame.ts';
export type { DecodedFrame, FrameErrorCode, FrameFailure, FrameHeader } from './link/frame.ts';
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
export * from './link/secure/handshake.ts';
export { KEY_BYTES, KeyPair } from './link/secure/primitives.ts';
export { NUMBER_BYTES, SEALED_OVERHEAD, SecureChannel, sealedSid } from './link/secure/secure-channel.ts';
export type { OpenedFrame, SealedHeader } from './link/secure/secure-channel.ts';
export type { SecureErrorCode, SecureFailure } from './link/secure/secure-failure.ts';
export type * from './profile/profile.ts';
export { CODEC_NAMES, profileCodec } from './profiles/codecs.ts';
export { formatProfileProblem, loadProfile } from './profile/load.ts';
export type { LoadedProfile, ProfileProblem, ProfileText } from './profile/load.ts';
export { FUNCTIONS as PROFILE_FUNCTIONS } from './profile/expression/functions.ts';
export { profileJsonSchema } from './profile/schema.ts';
export * from './suggest.ts';
