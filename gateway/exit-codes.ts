/** How `bytes2mqtt` ends; documented in docs/errors.md. */
export const EXIT = {
  /** All is well. */
  ok: 0,
  /** It was tried and failed: a bad frame, a port that is taken, a fatal error. */
  failed: 1,
  /** Nothing was tried: the command line or the configuration is wrong. */
  usage: 2,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
