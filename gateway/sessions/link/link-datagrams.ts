/** The link protocol on a datagram socket: a datagram is one raw frame, and every peer is a carrier of its own. */
import { MAX_DATAGRAM_BYTES } from '../../../protocol/index.ts';
import type { Device, Transport } from '../../devices/device.ts';
import type { DatagramAnswers } from '../../limits/datagram-answers.ts';
import { type DatagramChannel, ERROR, type Peer, READ } from '../../sources/source.ts';
import { hostPort } from '../../sources/address.ts';
import type { ChannelTap } from '../../tap/channel-tap.ts';
import { linkMeaning } from '../../tap/meanings.ts';
import type { Session, SessionHost } from '../session.ts';
import type { Carrier } from './carrier.ts';
import { count, type LinkCounters } from './link-context.ts';
import type { LinkSession } from './link-session.ts';
import type { LinkTable, Origin } from './link-table.ts';

/** Datagrams handled in one turn. */
const MAX_DATAGRAMS_PER_TURN = 256;

export class LinkDatagrams implements Session, Origin {
  readonly #channel: DatagramChannel;
  readonly #host: SessionHost;
  readonly #table: LinkTable;
  readonly #counters: LinkCounters;
  readonly #answers: DatagramAnswers;
  readonly plain: boolean;
  /** The sender of the datagram at hand, and its size. */
  #peer: Peer = { address: '', port: 0 };
  #size = 0;

  constructor(
    channel: DatagramChannel,
    host: SessionHost,
    table: LinkTable,
    counters: LinkCounters,
    answers: DatagramAnswers,
    plain: boolean,
  ) {
    this.#answers = answers;
    this.#channel = channel;
    this.#host = host;
    this.#table = table;
    this.#counters = counters;
    this.plain = plain;
  }

  onReady(ready: number): void {
    if ((ready & READ) !== 0) this.#read();
    if ((ready & ERROR) !== 0) this.#host.finished(this.#channel.error);
  }

  close(): void {
    const mine = Array.from(this.#table.sessions).filter(
      ({ carrier }) => carrier instanceof DatagramCarrier && carrier.isOn(this.#channel),
    );
    this.#table.dismiss(mine);
    this.#channel.close();
    this.#host.finished();
  }

  matches(carrier: Carrier): boolean {
    return carrier instanceof DatagramCarrier && carrier.leadsTo(this.#channel, this.#peer);
  }

  carrier(): Carrier {
    return new DatagramCarrier(this.#channel, this.#peer, this.#size, this.#answers, this.#host.tap);
  }

  #tapDatagram(bytes: Uint8Array): void {
    const { address, port } = this.#peer;
    const device = this.#table.deviceOf(bytes)?.alias;
    const item = { kind: 'frame', bytes, wireLength: bytes.length } as const;
    this.#host.tap.received(item, device, linkMeaning, hostPort(address, port));
  }

  #read(): void {
    let bytes = 0;
    for (let n = 0; n < MAX_DATAGRAMS_PER_TURN && bytes < this.#host.budgetBytes; n++) {
      const datagram = this.#channel.receive();
      if (datagram === undefined) return;
      bytes += datagram.bytes.length;
      this.#peer = datagram.peer;
      this.#size = datagram.bytes.length;
      // It has no bytes that could be counted as skipped.
      if (datagram.bytes.length === 0) count(this.#counters.rejected, 'empty');
      else if (datagram.bytes.length > MAX_DATAGRAM_BYTES)
        count(this.#counters.skippedBytes, 'too-long', datagram.bytes.length);
      else this.#table.receive(datagram.bytes, this, this.#counters);
      if (this.#host.tap.active) this.#tapDatagram(datagram.bytes);
    }
  }
}

/** One peer of a datagram socket. There is nothing to open or close: it only knows where to send. */
class DatagramCarrier implements Carrier {
  readonly transport: Transport = 'udp';
  readonly #channel: DatagramChannel;
  readonly #peer: Peer;
  /** Of the datagram that is being answered. */
  readonly #size: number;
  readonly #answers: DatagramAnswers;
  readonly #tap: ChannelTap;
  #device: Device | undefined;
  /** A session stands on it, or a report was taken: what is sent is more than an answer to anybody. */
  #known = false;

  constructor(channel: DatagramChannel, peer: Peer, size: number, answers: DatagramAnswers, tap: ChannelTap) {
    this.#channel = channel;
    this.#peer = peer;
    this.#size = size;
    this.#answers = answers;
    this.#tap = tap;
  }

  get id(): string {
    const { address, port } = this.#peer;
    return `${this.#channel.id}/${address.includes(':') ? `[${address}]` : address}:${port}`;
  }

  get address(): string {
    return this.#peer.address;
  }

  isOn(channel: DatagramChannel): boolean {
    return channel === this.#channel;
  }

  leadsTo(channel: DatagramChannel, peer: Peer): boolean {
    return channel === this.#channel && peer.port === this.#peer.port && peer.address === this.#peer.address;
  }

  same(other: Carrier): boolean {
    return other instanceof DatagramCarrier && other.leadsTo(this.#channel, this.#peer);
  }

  /** A datagram that finds no room is lost like any other; the protocol repeats what matters. */
  send(frame: Uint8Array): boolean {
    const { address, port } = this.#peer;
    if (this.#known || this.#answers.allows(address, this.#size, frame.length, this.#channel.id)) {
      if (this.#tap.active) this.#tap.sent(frame, this.#device?.alias, linkMeaning, hostPort(address, port));
      this.#channel.send(frame, this.#peer);
    }
    return true;
  }

  readonly paused = false;
  readonly paces = false;
  pace(): void {}
  hold(): void {
    this.#known = true;
  }
  letGo(): void {}
  acknowledged(): void {}
  pause(): void {}
  attach(session: LinkSession): void {
    this.#device = session.link.device;
    this.#known = true;
  }
  detach(_session: LinkSession): void {}
  release(): void {}
}
