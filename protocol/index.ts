export * from './bytes.ts';
export * from './checksum.ts';
export * from './framing/cobs.ts';
export * from './framing/frame-decoder.ts';
export * from './utf8.ts';
