/** From one entry of the configuration to its source. */
import type { SourceConfig } from '../config/schema.ts';
import { hostPort } from './address.ts';
import { SerialSource } from './serial.ts';
import type { SourceContext } from './source-base.ts';
import type { Source } from './source.ts';
import { TcpClientSource } from './tcp-client.ts';
import { TcpServerSource } from './tcp-server.ts';
import { TlsServerSource } from './tls-server.ts';
import { UdpSource } from './udp.ts';
import { UnixSource } from './unix.ts';

export function sourceOf(config: SourceConfig, context: SourceContext): Source {
  const { id } = config;
  switch (config.kind) {
    case 'tcp': {
      const { host, port, backlog, tls } = config;
      const options = { id, host, port, backlog };
      return tls === undefined
        ? new TcpServerSource(options, context)
        : new TlsServerSource({ ...options, ...tls }, context);
    }
    case 'udp': {
      const { host, port, receiveBuffer } = config;
      return new UdpSource(
        { id, host, port, ...(receiveBuffer !== undefined && { recvBufferSize: receiveBuffer }) },
        context,
      );
    }
    case 'unix':
      return new UnixSource(
        { id, path: config.path, ...(config.mode !== undefined && { mode: config.mode }) },
        context,
      );
    case 'serial': {
      const { path, baud, dataBits, parity, stopBits, rtscts, silenceMs } = config;
      return new SerialSource(
        {
          id,
          path,
          baud,
          dataBits,
          parity,
          stopBits,
          flowControl: rtscts ? 'rtscts' : 'none',
          ...(silenceMs !== undefined && { silenceMs }),
        },
        context,
      );
    }
    case 'connect':
      return new TcpClientSource({ id, host: config.host, port: config.port }, context);
  }
}

/** Where the source is to be found, for people: with the port that the system chose, where it did. */
export function whereIs(source: Source, config: SourceConfig): string {
  if (config.kind === 'serial' || config.kind === 'unix') return config.path;
  const bound = source instanceof TcpServerSource || source instanceof UdpSource ? source.address?.port : undefined;
  return hostPort(config.host, bound ?? config.port);
}
