/** The waits of a device, in milliseconds. Each of those that double carries ± 25 % jitter. */
export interface Timing {
  /** How long a connection may take to open. */
  readonly connectMs: number;
  /** From one HELLO to the next: doubles from the first to the longest wait. */
  readonly helloMs: number;
  readonly maxHelloMs: number;
  /** Unanswered HELLOs after which the connection is opened anew. */
  readonly helloTries: number;
  /** From one connection to the next: doubles from the first to the longest wait. */
  readonly reconnectMs: number;
  readonly maxReconnectMs: number;
  /** Between two rounds of SCHEMA parts. */
  readonly schemaMs: number;
  /** From one REPORT to its repetition: doubles from the first to the longest wait. */
  readonly reportMs: number;
  readonly maxReportMs: number;
  /** Unanswered REPORTs after which another socket is tried. */
  readonly reportTries: number;
}

/** What the link protocol asks for. */
export const DEFAULT_TIMING: Timing = {
  connectMs: 10_000,
  helloMs: 1_000,
  maxHelloMs: 30_000,
  helloTries: 5,
  reconnectMs: 1_000,
  maxReconnectMs: 60_000,
  schemaMs: 1_000,
  reportMs: 1_000,
  maxReportMs: 30_000,
  reportTries: 6,
};
