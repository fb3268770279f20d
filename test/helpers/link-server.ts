/**
 * A small and strict gateway for tests of devices: it grants sessions, keeps what it acknowledges in memory, and writes
 * down every rule of the link protocol that a device breaks (`violations`). It shares nothing with the real gateway.
 *
 * ```
 *   TCP, Unix, UDP ─→ frames ─→ `intercept` (a test may swallow one) ─→ session ─→ ReceiveWindow ─→ `readings`
 * ```
 *
 * A device whose key it has must use the secure channel; the others must not.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net';
import {
  type LinkFrame,
  type Message,
  type MessageOf,
  ReceiveWindow,
  type Sample,
  type Schema,
  SchemaAssembler,
  type Value,
  decodeBody,
  type OpenedHandshake,
  type SecureChannel,
  decodeFrame,
  encodeMessage,
  encodeStreamFrame,
  isSealed,
  linkStreamDecoder,
  readHandshake,
  sealedSid,
} from '../../protocol/index.ts';

export interface LinkServerOptions {
  readonly keepaliveS?: number;
  readonly window?: number;
  /** Keys of devices, by their ids. */
  readonly keys?: ReadonlyMap<bigint, Uint8Array>;
  /** A bit error on the way is a violation, unless the test makes some. */
  readonly noisy?: boolean;
  /** Looks at a good message before the server does; returns true to have it ignored, as if it had been lost. */
  readonly intercept?: (message: Message, peer: Peer, frame: LinkFrame) => boolean;
}

/** A reading as it was delivered, in order. */
export interface DeliveredReading {
  /** 16 hexadecimal digits. */
  readonly device: string;
  readonly boot: number;
  readonly seq: number;
  readonly samples: readonly Sample[];
  readonly report: boolean;
}

/** Where a frame came from. */
export interface Peer {
  readonly transport: 'tcp' | 'unix' | 'udp';
  /** Unique while the peer lives. */
  readonly name: string;
  send(frame: Uint8Array): void;
  /** Closes the connection, where there is one; `abruptly` with RST. */
  end(abruptly?: boolean): void;
}

interface ServerDevice {
  readonly id: string;
  readonly boots: Map<number, Boot>;
  schemaCrc: number;
  schema: Schema | undefined;
  session: Session | undefined;
}

interface Boot {
  readonly window: ReceiveWindow<Message & { seq: number }>;
  /** Body of every reliable frame seen, to catch a seq used for something else. */
  readonly bodies: Map<number, string>;
  lastReport: number;
  ackedTo: number;
  gaps: boolean;
}

interface Session {
  readonly sid: number;
  readonly device: ServerDevice;
  readonly boot: number;
  readonly askedBoot: number;
  readonly peer: Peer;
  readonly assembler: SchemaAssembler;
  /** Bodies by seq of the second counter. */
  readonly unreliable: Map<number, string>;
  /** Of the secure channel. */
  readonly channel: SecureChannel | undefined;
  /** Its first frame makes a session of the secure channel real. */
  begin: (() => void) | undefined;
  seq: number;
  untouched: boolean;
  silence: NodeJS.Timeout | undefined;
}

export class LinkServer {
  /** Broken rules, in words. A test ends with this empty. */
  readonly violations: string[] = [];
  readonly readings: DeliveredReading[] = [];
  readonly results: MessageOf<'RESULT'>[] = [];
  /** Every identity promised, as `device boot seq`. */
  readonly promised = new Set<string>();
  readonly hellos: MessageOf<'HELLO'>[] = [];
  readonly byes: string[] = [];
  /** Readings that GAPs told to be lost. */
  lost = 0;
  badFrames = 0;
  /** What was refused with an ERROR about keys, as `code device`. */
  readonly refused: string[] = [];
  /** Sealed frames taken, handshakes included. */
  sealedFrames = 0;
  /** Sessions ended for silence. */
  silences = 0;
  /** Answer READINGS and REPORTs with this error instead of an ACK. */
  refuseWith: MessageOf<'ERROR'> | undefined;
  readonly #options: LinkServerOptions;
  readonly #devices = new Map<string, ServerDevice>();
  readonly #sessions = new Map<number, Session>();
  readonly #servers: { close(): unknown }[] = [];
  readonly #sockets = new Set<Socket>();
  #waiting: { condition: () => boolean; resolve: () => void }[] = [];
  #connections = 0;
  #nextSid = 1001;
  #nextBoot = 501;

  constructor(options: LinkServerOptions = {}) {
    this.#options = options;
  }

  /** Listens on TCP at a free port of the loopback address, or at the one given, and returns the port. */
  async listenTcp(port = 0): Promise<number> {
    const server = createServer((socket) => this.#accept(socket, 'tcp'));
    await this.#listen(server, () => server.listen(port, '127.0.0.1'));
    return (server.address() as AddressInfo).port;
  }

  async listenUnix(path: string): Promise<void> {
    const server = createServer((socket) => this.#accept(socket, 'unix'));
    await this.#listen(server, () => server.listen(path));
  }

  async listenUdp(): Promise<number> {
    const socket = createSocket('udp4');
    this.#servers.push(socket);
    socket.on('message', (bytes, { address, port }) => {
      const peer: Peer = {
        transport: 'udp',
        name: `udp ${address}:${port}`,
        send: (frame) => socket.send(frame, port, address, () => undefined),
        end: () => undefined,
      };
      this.#frame(bytes, peer);
      this.#tell();
    });
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return socket.address().port;
  }

  /** Resolves as soon as the condition holds; it is looked at after everything that happens here. */
  until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ condition, resolve }));
  }

  /** Sends a COMMAND once. */
  command(device: string, id: number, value: Value): void {
    const session = this.#devices.get(device)?.session;
    if (session === undefined) throw new Error(`${device} has no session`);
    this.#down(session, { type: 'COMMAND', id, ttl: 10, value });
  }

  /** Sends a plain frame with the sid of the device's session, as anybody on its way could. */
  forge(device: string, message: Message): void {
    const session = this.#devices.get(device)?.session;
    if (session === undefined) throw new Error(`${device} has no session`);
    session.peer.send(encodeMessage(message, { sid: session.sid, seq: 0, down: true }));
  }

  /** Sends any message within the device's session. */
  send(device: string, message: Message): void {
    const session = this.#devices.get(device)?.session;
    if (session === undefined) throw new Error(`${device} has no session`);
    this.#down(session, message);
  }

  /** Whether the device has a session now. */
  hasSession(device: string): boolean {
    return this.#devices.get(device)?.session !== undefined;
  }

  schemaOf(device: string): Schema | undefined {
    return this.#devices.get(device)?.schema;
  }

  /** As a gateway whose schema cache was wiped: it knows which it wants, and says so in every ACK. */
  forgetSchemas(): void {
    for (const device of this.#devices.values()) device.schema = undefined;
  }

  /** As a gateway whose sessions are gone; what it keeps is kept. */
  forgetSessions(): void {
    for (const session of this.#sessions.values()) this.#endSession(session);
  }

  /** Ends every connection, with RST. */
  resetConnections(): void {
    for (const socket of this.#sockets) reset(socket);
  }

  async close(): Promise<void> {
    this.forgetSessions();
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#servers.map((server) => (server.close(), once(server as Server, 'close'))));
    this.#servers.length = 0;
  }

  async #listen(server: Server, listen: () => void): Promise<void> {
    this.#servers.push(server);
    listen();
    await once(server, 'listening');
  }

  #accept(socket: Socket, transport: 'tcp' | 'unix'): void {
    this.#sockets.add(socket);
    const decoder = linkStreamDecoder();
    const peer: Peer = {
      transport,
      name: `${transport} connection ${(this.#connections += 1)}`,
      send: (frame) => {
        if (socket.writable) socket.write(encodeStreamFrame(frame));
      },
      end: (abruptly = false) => (abruptly ? reset(socket) : socket.end()),
    };
    socket.on('data', (chunk: Buffer) => {
      decoder.push(chunk);
      for (let item = decoder.next(); item !== undefined; item = decoder.next()) {
        if (item.kind === 'frame') this.#frame(item.bytes, peer);
        else if (item.reason !== 'fill') this.#bad(item.reason);
      }
      this.#tell();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      for (const session of this.#sessions.values()) if (session.peer === peer) this.#endSession(session);
      this.#tell();
    });
  }

  #frame(bytes: Uint8Array, peer: Peer): void {
    if (isSealed(bytes)) return sealedSid(bytes) === 0 ? this.#handshake(bytes, peer) : this.#sealed(bytes, peer);
    const decoded = decodeFrame(bytes);
    if (!decoded.ok) return this.#bad(decoded.code);
    const { frame } = decoded;
    const message = this.#message(frame);
    if (message === undefined || this.#options.intercept?.(message, peer, frame) === true) return;
    if (message.type === 'HELLO' || message.type === 'REPORT') {
      if (this.#options.keys?.has(message.device)) {
        return this.#refuse('authentication_required', message.device, peer);
      }
      if (message.type === 'HELLO') return this.#hello(message, peer, bytes.length);
      return this.#report(message, frame, (answer) => peer.send(encodeMessage(answer, NO_SESSION)));
    }
    const session = this.#sessions.get(frame.sid);
    if (session === undefined) return this.#unknown(frame.sid, peer);
    if (session.channel !== undefined) return this.#violated(`a plain ${message.type} in a sealed session`);
    return this.#received(session, frame, message);
  }

  /** HELLO or REPORT under a device's key. */
  #handshake(bytes: Uint8Array, peer: Peer): void {
    const received = readHandshake(bytes);
    if (!received.ok) return this.#bad(received.code);
    const key = this.#options.keys?.get(received.device);
    if (key === undefined) return this.#refuse('authentication_failed', received.device, peer);
    const opened = received.open(key);
    // On a noisy line it may be the noise.
    if (!opened.ok && this.#options.noisy === true) return this.#bad(opened.code);
    if (!opened.ok) return this.#refuse('authentication_failed', received.device, peer);
    this.sealedFrames += 1;
    const message = this.#message(opened.frame);
    if (message === undefined || this.#options.intercept?.(message, peer, opened.frame) === true) return;
    if (message.type === 'HELLO') this.#hello(message, peer, bytes.length, opened);
    else if (message.type === 'REPORT') {
      this.#report(message, opened.frame, (answer) => {
        const answered = opened.answer(answer, 0);
        if (answered.ok) peer.send(answered.frame);
      });
    }
  }

  #sealed(bytes: Uint8Array, peer: Peer): void {
    const session = this.#sessions.get(sealedSid(bytes));
    if (session?.channel === undefined) return this.#unknown(sealedSid(bytes), peer);
    const opened = session.channel.open(bytes);
    if (!opened.ok) return this.#bad(opened.code);
    this.sealedFrames += 1;
    session.begin?.();
    session.begin = undefined;
    const message = this.#message(opened.frame);
    if (message === undefined || this.#options.intercept?.(message, peer, opened.frame) === true) return;
    this.#received(session, opened.frame, message);
  }

  #message(frame: LinkFrame): Message | undefined {
    const body = decodeBody(frame);
    if (!body.ok) this.#violated(`${body.code} in ${body.field} of type ${frame.type}`);
    else if (frame.down) this.#violated(`${body.message.type} with the down bit`);
    else return body.message;
    return undefined;
  }

  #received(session: Session, frame: LinkFrame, message: Message): void {
    session.untouched = false;
    this.#heard(session);
    if (frame.ackWanted) this.#reliable(session, frame, message);
    else this.#unreliable(session, frame, message);
  }

  #refuse(code: 'authentication_required' | 'authentication_failed', device: bigint, peer: Peer): void {
    this.refused.push(`${code} ${idText(device)}`);
    peer.send(encodeMessage({ type: 'ERROR', code, retryAfter: 0, text: '' }, NO_SESSION));
  }

  #unknown(sid: number, peer: Peer): void {
    const error = { type: 'ERROR', code: 'unknown_session', retryAfter: 0, text: '' } as const;
    peer.send(encodeMessage(error, { sid, seq: 0, down: true }));
  }

  #hello(hello: MessageOf<'HELLO'>, peer: Peer, bytes: number, opened?: OpenedHandshake): void {
    if (bytes > 256) this.#violated(`a HELLO of ${bytes} bytes`);
    this.hellos.push(hello);
    const id = idText(hello.device);
    let device = this.#devices.get(id);
    if (device === undefined) {
      device = { id, boots: new Map(), schemaCrc: 0, schema: undefined, session: undefined };
      this.#devices.set(id, device);
    }
    const old = device.session;
    if (old?.untouched && old.channel === undefined && old.peer.name === peer.name && old.askedBoot === hello.boot) {
      return this.#welcome(old);
    }
    const sid = this.#nextSid++;
    const boot = hello.boot === 0 ? this.#nextBoot++ : hello.boot;
    const known = device.schemaCrc === hello.schemaCrc ? device.schema : undefined;
    const welcome = this.#welcomeOf(boot, hello.schemaCrc !== 0 && known === undefined);
    const answered = opened?.answer(welcome, sid);
    if (answered?.ok === false) return this.#bad(answered.code);
    const session: Session = {
      sid,
      device,
      boot,
      askedBoot: hello.boot,
      peer,
      assembler: new SchemaAssembler(),
      unreliable: new Map(),
      channel: answered?.channel,
      begin: undefined,
      seq: 0,
      untouched: true,
      silence: undefined,
    };
    this.#sessions.set(sid, session);
    this.#heard(session);
    if (answered === undefined) {
      this.#begin(session, hello);
      this.#down(session, welcome);
    } else {
      session.begin = () => this.#begin(session, hello);
      peer.send(answered.frame);
    }
  }

  /** From now on it is the device's session. */
  #begin(session: Session, hello: MessageOf<'HELLO'>): void {
    const { device } = session;
    const old = device.session;
    if (old !== undefined) {
      this.#down(old, { type: 'ERROR', code: 'replaced', retryAfter: 0, text: '' });
      this.#endSession(old);
    }
    if (device.schemaCrc !== hello.schemaCrc) {
      device.schemaCrc = hello.schemaCrc;
      device.schema = undefined;
    }
    const missing = this.#boot(device, session.boot).window.skipTo(hello.firstSeq);
    if (missing > 0) this.#violated(`${device.id} forgot ${missing} frames between two sessions`);
    this.#drain(device, session.boot);
    device.session = session;
  }

  #welcome(session: Session): void {
    this.#down(session, this.#welcomeOf(session.boot, this.#schemaWanted(session.device)));
  }

  #welcomeOf(boot: number, schemaWanted: boolean): MessageOf<'WELCOME'> {
    const { keepaliveS = 30, window = 32 } = this.#options;
    const flags = { schemaWanted };
    return { type: 'WELCOME', boot, unixMs: Date.now(), flags, keepalive: keepaliveS, window, maxFrame: 1024 };
  }

  #reliable(session: Session, frame: LinkFrame, message: Message): void {
    const { device, boot } = session;
    const state = this.#boot(device, boot);
    const { seq } = frame;
    const { window: size = 32 } = this.#options;
    if (message.type === 'GAP') state.gaps = true;
    if (!state.gaps && seq > state.ackedTo + size) this.#violated(`${device.id} sent ${seq} outside of the window`);
    if (this.refuseWith !== undefined) return this.#down(session, this.refuseWith);
    if (this.#schemaWanted(device) && message.type === 'READINGS') return this.#ack(session, state);
    this.#sameBody(state.bodies, frame, message.type === 'GAP' ? 'GAP' : '', `${device.id} ${seq}`);
    if (message.type === 'GAP') state.window.gap(message.first, seq);
    state.window.offer(seq, { ...message, seq });
    this.#drain(device, boot);
    this.#ack(session, state);
  }

  #unreliable(session: Session, frame: LinkFrame, message: Message): void {
    this.#sameBody(session.unreliable, frame, message.type, `session ${session.sid}, second counter, ${frame.seq}`);
    if (frame.seq === 0) this.#violated(`${message.type} with seq 0`);
    switch (message.type) {
      case 'SCHEMA': {
        if (message.crc !== session.device.schemaCrc) this.#violated('SCHEMA with another CRC than HELLO');
        const result = session.assembler.add(message);
        if (result !== 'more' && result !== 'complete') this.#violated(`schema: ${result}`);
        if (result !== 'complete') return;
        session.device.schema = session.assembler.schema;
        return this.#ack(session, this.#boot(session.device, session.boot));
      }
      case 'PING':
        return this.#down(session, { type: 'PONG', token: message.token, time: Date.now() });
      case 'BYE':
        this.byes.push(message.reason);
        this.#endSession(session);
        if (session.peer.transport !== 'udp') session.peer.end();
        return undefined;
      case 'PONG':
      case 'LOG':
      case 'ERROR':
        return undefined;
      default:
        return this.#violated(`${message.type} from a device`);
    }
  }

  #report(report: MessageOf<'REPORT'>, { seq }: LinkFrame, answer: (message: Message) => void): void {
    const id = idText(report.device);
    const device = this.#devices.get(id);
    if (device === undefined) return this.#violated(`REPORT of ${id}, which never said HELLO`);
    if (this.refuseWith !== undefined) return answer(this.refuseWith);
    const state = this.#boot(device, report.boot);
    if (seq > state.lastReport) {
      state.lastReport = seq;
      this.#deliver(id, report.boot, seq, report.samples, true);
    }
    const flags = { schemaWanted: this.#schemaWanted(device) };
    answer({ type: 'ACK', seq, map: 0, flags });
  }

  /** Takes from the window what is in order now. */
  #drain(device: ServerDevice, boot: number): void {
    const { window } = this.#boot(device, boot);
    for (let message = window.take(); message !== undefined; message = window.take()) {
      if (message.type === 'READINGS') this.#deliver(device.id, boot, message.seq, message.samples, false);
      else if (message.type === 'GAP') this.lost += message.lost;
      else if (message.type === 'RESULT') this.results.push(message);
    }
    if (window.givenUp > 0) this.#violated(`${device.id} left ${window.givenUp} seqs out without a GAP`);
  }

  #deliver(device: string, boot: number, seq: number, samples: readonly Sample[], report: boolean): void {
    this.readings.push({ device, boot, seq, samples, report });
    this.promised.add(`${device} ${boot} ${seq}`);
  }

  #ack(session: Session, state: Boot): void {
    state.ackedTo = Math.max(state.ackedTo, state.window.next - 1);
    this.#down(session, {
      type: 'ACK',
      seq: state.window.next - 1,
      map: state.window.heldMap,
      flags: { schemaWanted: this.#schemaWanted(session.device) },
    });
  }

  #down(session: Session, message: Message): void {
    const { channel } = session;
    if (channel !== undefined) return session.peer.send(channel.sealMessage(message));
    session.seq += 1;
    session.peer.send(encodeMessage(message, { sid: session.sid, seq: session.seq, down: true }));
  }

  #schemaWanted(device: ServerDevice): boolean {
    return device.schemaCrc !== 0 && device.schema === undefined;
  }

  #boot(device: ServerDevice, number: number): Boot {
    let boot = device.boots.get(number);
    if (boot === undefined) {
      boot = { window: new ReceiveWindow(1), bodies: new Map(), lastReport: 0, ackedTo: 0, gaps: false };
      device.boots.set(number, boot);
    }
    return boot;
  }

  /** A seq belongs to one content forever; only a GAP may take the place of another frame. */
  #sameBody(bodies: Map<number, string>, frame: LinkFrame, kind: string, what: string): void {
    const body = `${kind}${frame.type} ${Buffer.from(frame.body).toString('hex')}`;
    const before = bodies.get(frame.seq);
    bodies.set(frame.seq, body);
    if (before !== undefined && before !== body && kind !== 'GAP') this.#violated(`${what} came with another body`);
  }

  #heard(session: Session): void {
    clearTimeout(session.silence);
    const { keepaliveS = 30 } = this.#options;
    session.silence = setTimeout(() => {
      this.silences += 1;
      this.#endSession(session);
      session.peer.end(true);
      this.#tell();
    }, 2500 * keepaliveS);
  }

  #endSession(session: Session): void {
    clearTimeout(session.silence);
    this.#sessions.delete(session.sid);
    if (session.device.session === session) session.device.session = undefined;
  }

  #bad(code: string): void {
    this.badFrames += 1;
    if (this.#options.noisy !== true) this.#violated(`bytes that are no frame: ${code}`);
  }

  #violated(what: string): void {
    this.violations.push(what);
  }

  #tell(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const entry of waiting) {
      if (entry.condition()) entry.resolve();
      else this.#waiting.push(entry);
    }
  }
}

/** The header of a frame down outside of any session. */
const NO_SESSION = { sid: 0, seq: 0, down: true } as const;

function idText(device: bigint): string {
  return device.toString(16).padStart(16, '0');
}

/** RST where there is such a thing. */
function reset(socket: Socket): void {
  if (socket.remoteAddress === undefined) socket.destroy();
  else socket.resetAndDestroy();
}
