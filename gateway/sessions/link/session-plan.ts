/** A session as a HELLO asks for it, and the WELCOME that grants it. */
import { MAX_DATAGRAM_BYTES, MAX_FRAME_BYTES, type MessageOf, type SecureChannel } from '../../../protocol/index.ts';
import type { Carrier } from './carrier.ts';
import type { DeviceLink } from './device-link.ts';
import type { LinkContext } from './link-context.ts';

export interface SessionPlan {
  readonly sid: number;
  readonly link: DeviceLink;
  readonly carrier: Carrier;
  readonly hello: MessageOf<'HELLO'>;
  /** As HELLO says, or a new one when it asks for that. */
  readonly boot: number;
  /** When HELLO came, monotonic milliseconds. */
  readonly heardAt: number;
}

/** What makes a session a sealed one. */
export interface Seal {
  readonly channel: SecureChannel;
  /** By which the same HELLO's frame is known again. */
  readonly mark: string;
}

export function welcomeTo(
  { link, carrier, hello, boot }: Omit<SessionPlan, 'sid'>,
  context: LinkContext,
): MessageOf<'WELCOME'> {
  const { limits } = context;
  return {
    type: 'WELCOME',
    boot,
    unixMs: context.wallNow(),
    flags: { schemaWanted: link.wantsSchema(hello.schemaCrc) },
    keepalive: limits.keepaliveS,
    window: limits.window,
    maxFrame: carrier.transport === 'udp' ? MAX_DATAGRAM_BYTES : MAX_FRAME_BYTES,
  };
}
