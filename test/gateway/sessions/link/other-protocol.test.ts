/** A page in a browser can send any bytes to any port, but not as the first ones. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { encodeMessage, encodeStreamFrame } from '../../../../protocol/index.ts';
import { DEVICE_ID } from '../../../helpers/link-device.ts';
import { LinkHost } from './link-host.ts';

/** What a device would send without a session, and what somebody would like the gateway to believe. */
function reportOf(seq: number): Uint8Array {
  const values = [{ channel: 1, type: 'u8' as const, quality: 'good' as const, value: 66 }];
  const samples = [{ timeKind: 'now' as const, time: 0, values }];
  const message = { type: 'REPORT' as const, device: DEVICE_ID, boot: 1, uptime: 0, samples };
  return encodeStreamFrame(encodeMessage(message, { sid: 0, seq, ackWanted: true }));
}

const FORGED = Buffer.concat([Uint8Array.of(0), reportOf(1)]);

async function dial(host: LinkHost): Promise<Socket> {
  const socket = connect({ port: host.tcpPort, host: '127.0.0.1', noDelay: true });
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** Sends the parts, each in a turn of its own, until the gateway closes the connection. */
async function sendUntilClosed(host: LinkHost, parts: readonly (string | Uint8Array)[]): Promise<void> {
  const socket = await dial(host);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.resume();
  let sent = 0;
  for (const part of parts) {
    if (socket.destroyed) break;
    socket.write(part);
    sent += part.length;
    const soFar = sent;
    await Promise.race([closed, host.until(() => bytesRead(host) >= soFar || host.acceptor.connections === 0)]);
  }
  await closed;
}

function bytesRead(host: LinkHost): number {
  const [tcp] = host.acceptor.entries;
  return tcp === undefined ? 0 : host.acceptor.trafficOf(tcp).bytesRead;
}

describe.each<[string, (string | Uint8Array)[]]>([
  ['a POST with a frame in it', ['POST / HTTP/1.1\r\nHost: 127.0.0.1:2883\r\nContent-Length: 99\r\n\r\n', FORGED]],
  ['all in one piece', [Buffer.concat([Buffer.from('POST /a HTTP/1.1\r\n\r\n'), FORGED])]],
  ['a byte at a time', ['GET / HTTP/1.1\r\n'.split(''), FORGED].flat()],
  [
    'a method of its own choice and a path longer than a frame',
    [`FORGE /${'x'.repeat(3_000)}`, ' HTTP/1.1\r\n\r\n', FORGED],
  ],
])('HTTP on the port of the link protocol: %s', (_, parts) => {
  it('is refused before a frame of it is believed', async () => {
    const host = await LinkHost.start();
    await sendUntilClosed(host, parts);
    expect(host.counters.tcp.rejected.get('other-protocol')).toBe(1);
    expect(host.warnings.some((cause) => cause.startsWith('OTHER_PROTOCOL'))).toBe(true);
    expect(host.journal.records).toEqual([]);
    expect(host.registry.size).toBe(0);
  });
});

it('TLS is refused too', async () => {
  const host = await LinkHost.start();
  const socket = connectTls({ port: host.tcpPort, host: '127.0.0.1', rejectUnauthorized: false });
  onTestFinished(() => void socket.destroy());
  await once(socket, 'error');
  await host.until(() => host.counters.tcp.rejected.get('other-protocol') === 1);
});

it('noise and text before the first frame of a device do no harm', async () => {
  const host = await LinkHost.start();
  const socket = await dial(host);
  socket.write(Buffer.concat([Buffer.from('rst:0x1 (POWERON_RESET)\r\nGET ready, POST /\r\n'), FORGED]));
  await once(socket, 'data');
  expect(host.seqs).toEqual([1]);
});

it('what comes after the first frame is the device’s, whatever it looks like', async () => {
  const host = await LinkHost.start();
  const socket = await dial(host);
  socket.write(Buffer.concat([reportOf(1), Buffer.from('GET / HTTP/1.1\r\n\0'), reportOf(2)]));
  await host.until(() => host.seqs.length === 2);
  expect(host.seqs).toEqual([1, 2]);
});
