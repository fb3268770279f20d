/**
 * The messages of a session that stands, each to its place.
 *
 * ```
 *   READINGS, RESULT, GAP, LOG ─→ device link (order, journal, ACK)      PING ─→ PONG
 *   SCHEMA ─→ device                                                     BYE, ERROR, nonsense ─→ end
 * ```
 */
import {
  type BodyFailure,
  decodeBody,
  type LinkErrorCode,
  type LinkFrame,
  type MessageOf,
  printable,
} from '../../../protocol/index.ts';
import type { ReliableMessage } from './device-link.ts';
import { count, type LinkContext, type LinkCounters } from './link-context.ts';
import type { LinkSession } from './link-session.ts';

export class SessionMessages {
  readonly #context: LinkContext;

  constructor(context: LinkContext) {
    this.#context = context;
  }

  /** Takes a frame whose header and checksum are right; it had `size` bytes on the way. */
  receive(session: LinkSession, frame: LinkFrame, size: number, counters: LinkCounters): void {
    session.heard(this.#context.now());
    if (!session.link.admits(session.carrier, size)) {
      counters.limited++;
      session.sendRateLimited(session.link.waitS);
      return;
    }
    const decoded = decodeBody(frame);
    if (!decoded.ok) {
      this.#bodyRejected(session, decoded, frame, counters);
      return;
    }
    const message = decoded.message;
    switch (message.type) {
      case 'READINGS':
        if (session.link.schemaWanted) {
          // Their names are still to come; the device sends them again after its schema.
          count(counters.rejected, 'schema-missing');
          session.link.acknowledge();
          return;
        }
        this.#offer(session, frame.seq, message, counters);
        return;
      case 'RESULT':
      case 'GAP':
        this.#offer(session, frame.seq, message, counters);
        return;
      case 'LOG':
        if (frame.ackWanted) this.#offer(session, frame.seq, message, counters);
        else
          this.#context.listener.deviceLog(
            session.link.device,
            message.level === 'unknown' ? 'info' : message.level,
            message.text,
          );
        return;
      case 'SCHEMA':
        this.#schema(session, message, counters);
        return;
      case 'PING':
        session.send({ type: 'PONG', token: message.token, time: this.#context.wallNow() });
        return;
      case 'PONG':
        session.pong(message.token);
        return;
      case 'BYE':
        session.leave(message.reason === 'sleeping' ? 'sleeping' : 'bye');
        return;
      case 'ERROR':
        this.#deviceError(session, message);
        return;
      default:
        // A HELLO or REPORT with a session number, or one of our own messages sent back to us.
        count(counters.rejected, 'wrong-place');
    }
  }

  #offer(session: LinkSession, seq: number, message: ReliableMessage, counters: LinkCounters): void {
    if (!session.link.offer(seq, message, counters)) session.sendBusy();
  }

  #schema(session: LinkSession, part: MessageOf<'SCHEMA'>, counters: LinkCounters): void {
    const problem = session.link.schemaPart(part);
    if (problem === undefined) return;
    count(counters.rejected, 'bad-schema');
    const { id } = session.link.device;
    this.#context.log.warn(
      `bad-schema ${id}`,
      { device: id, problem },
      `the schema of ${id} cannot be used: ${problem}`,
    );
    this.#protocolError(session, 'bad_schema', problem);
  }

  #deviceError(session: LinkSession, message: MessageOf<'ERROR'>): void {
    const { id } = session.link.device;
    const text = printable(message.text, 128);
    this.#context.log.warn(
      `device-error ${id}`,
      { device: id, code: message.code, text },
      `${id} reports an error: ${message.code}`,
    );
    if (message.code !== 'busy' && message.code !== 'rate_limited') session.end('device-error');
  }

  #bodyRejected(session: LinkSession, failure: BodyFailure, frame: LinkFrame, counters: LinkCounters): void {
    count(counters.rejected, failure.code);
    if (failure.code === 'unknown-message') {
      if (frame.critical) this.#protocolError(session, 'unsupported_type', `type ${frame.type}`);
      return;
    }
    const { id } = session.link.device;
    const where = `type ${frame.type}, ${failure.field} at byte ${failure.offset}: ${failure.code}`;
    this.#context.log.warn(
      `malformed ${id}`,
      { device: id, where },
      `${id} sent a message that cannot be read: ${where}`,
    );
    this.#protocolError(session, 'malformed', where);
  }

  #protocolError(session: LinkSession, code: LinkErrorCode, text: string): void {
    // A device that takes small frames only is told the code at least.
    const told = session.send({ type: 'ERROR', code, retryAfter: 0, text });
    if (!told) session.send({ type: 'ERROR', code, retryAfter: 0, text: '' });
    session.end('protocol-error');
  }
}
