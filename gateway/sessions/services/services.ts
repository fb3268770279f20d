/** The bring-up services: a simple peer for the first program on a new network stack, on any listener. */
import type { DatagramAnswers } from '../../limits/datagram-answers.ts';
import type { DatagramChannel, StreamChannel } from '../../sources/source.ts';
import type { SessionHost } from '../session.ts';
import { discardDatagram, discardStream } from './discard.ts';
import { echoDatagram, echoStream } from './echo.ts';
import { greetDatagram, greetStream } from './greet.ts';
import { ServiceDatagrams } from './service-datagrams.ts';
import type { DatagramService } from './service-datagrams.ts';
import { ServiceStream } from './service-stream.ts';
import type { ServiceStreamOptions, StreamService } from './service-stream.ts';
import type { ServiceName } from './service-names.ts';
import { timeDatagram, timeStream } from './time.ts';
import { upperDatagram, upperStream } from './upper.ts';

interface Service {
  readonly stream: (peer: string) => StreamService;
  readonly datagram: DatagramService;
}

const BY_NAME: Readonly<Record<ServiceName, Service>> = {
  echo: { stream: echoStream, datagram: echoDatagram },
  upper: { stream: upperStream, datagram: upperDatagram },
  greet: { stream: greetStream, datagram: greetDatagram },
  discard: { stream: discardStream, datagram: discardDatagram },
  time: { stream: timeStream, datagram: timeDatagram },
};

/** Runs a service on a connection or an open serial port, until either side ends it. */
export function serveStream(
  name: ServiceName,
  channel: StreamChannel,
  host: SessionHost,
  options?: ServiceStreamOptions,
): ServiceStream {
  return new ServiceStream(BY_NAME[name].stream(channel.peer), channel, host, options);
}

/** Runs a service on a datagram socket, for all its peers, until it is closed. */
export function serveDatagrams(
  name: ServiceName,
  channel: DatagramChannel,
  host: SessionHost,
  answers: DatagramAnswers,
): ServiceDatagrams {
  return new ServiceDatagrams(BY_NAME[name].datagram, channel, host, answers);
}
