/** The catalogue of what can go wrong in operation. Codes are stable: tests, logs, events and docs use them. */
export const ERROR_CODES = {
  CONFIG_NOT_FOUND: 'the configuration file does not exist',
  CONFIG_SYNTAX: 'the configuration file is not valid YAML',
  CONFIG_INVALID: 'the configuration has a wrong key, type or value',
  CONFIG_UNKNOWN_KEY: 'the configuration has a key that does not exist at this place',
  CONFIG_CONFLICT: 'two parts of the configuration exclude each other',
  CONFIG_UNKNOWN_VARIABLE: 'an environment variable begins with BYTES2MQTT_ and is not one of ours',
  PLAIN_ALLOWED: 'the configuration lets devices without a key in from outside of this machine',
  FILE_UNREADABLE: 'a file named by the configuration does not exist or cannot be read',
  SECRET_MISSING: 'a secret named by the configuration is not in the secrets file or the environment',
  ADDRESS_IN_USE: 'the address and port of a listener are taken by another program',
  ADDRESS_UNAVAILABLE: 'the address of a listener is not one of this machine',
  PERMISSION_DENIED: 'the operating system does not allow the port, path or device',
  DEVICE_MISSING: 'the serial device does not exist',
  DEVICE_BUSY: 'the serial device is in use by another program',
  DEVICE_LOST: 'the serial device was unplugged or its other end hung up',
  LINE_SILENT: 'nothing was received for longer than the silence limit',
  CONNECT_FAILED: 'the peer of an outgoing connection could not be reached',
  PEER_RESET: 'the peer dropped the connection without closing it',
  PEER_SILENT: 'the peer said nothing for longer than its deadline',
  TLS_CERTIFICATE: 'the certificate, the key or the client CA of a TLS listener cannot be used, or is about to expire',
  TLS_HANDSHAKE: 'a peer did not get through the TLS handshake',
  HANDSHAKE_TIMEOUT: 'the peer did not complete its handshake in time',
  OUTPUT_OVERFLOW: 'the peer does not read: more output is waiting than the limit allows',
  OTHER_PROTOCOL: 'a peer speaks HTTP or TLS where the link protocol is spoken; a browser, perhaps',
  TOO_MANY_CONNECTIONS: 'the limit of connections is reached',
  BACKPRESSURE_TIMEOUT: 'the connection could not be read for too long because the way to the broker is full',
  IO_ERROR: 'the operating system reported an input or output error',
  MQTT_REFUSED: 'the broker refused the connection',
  MQTT_UNREACHABLE: 'the broker could not be reached',
  PUBLISH_REFUSED: 'the broker refused a publication',
  PUBLISH_TIMEOUT: 'the broker did not acknowledge a publication in time',
  JOURNAL_LOCKED: 'another process uses the folder of the journal',
  JOURNAL_FULL: 'the journal is full; devices are told to wait',
  INTERNAL_ERROR: 'a mistake of the gateway itself, which ends it; whoever watches over it starts it again',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/**
 * An operational failure: something outside the program went wrong and the program goes on. It arrives as a value or
 * an event with the id of the source that it concerns. Programmers' mistakes are TypeError or RangeError instead.
 */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly code: ErrorCode;
  /** What it concerns: a source id, a channel id, a file, a topic. */
  readonly where: string;

  /** `detail` says what was found and what would be right, e.g. 'port 2883 is taken; stop the other program or …'. */
  constructor(code: ErrorCode, where: string, detail?: string, options?: { cause?: unknown }) {
    super(`${where}: ${detail ?? ERROR_CODES[code]}`, options);
    this.code = code;
    this.where = where;
  }
}
