/**
 * Devices with a profile that send datagrams by themselves: a datagram holds whole frames, and answers go where it came
 * from.
 *
 * ```
 *   datagram ─→ the sender's instance and decoder ─→ frames ─→ readings ─→ replies, when durable
 * ```
 */
import type { FrameDecoder, Item, ProfileInstance } from '../../../protocol/index.ts';
import { printable } from '../../../protocol/index.ts';
import { DeviceRate } from '../../limits/device-rate.ts';
import { hostPort } from '../../sources/address.ts';
import { type DatagramChannel, ERROR, type Peer, READ } from '../../sources/source.ts';
import type { CommandDone } from '../link/command-queue.ts';
import { count } from '../link/link-context.ts';
import { profileMeaning, profileSkipMeaning } from '../../tap/meanings.ts';
import type { Session, SessionHost } from '../session.ts';
import { HeldReplies } from './held-replies.ts';
import type { DecodedReadings, ProfileDevice, ProfileLine } from './profile-device.ts';
import type { ProfileSource } from './profile-source.ts';
import type { AwaitsDurable, ProfileTable } from './profile-table.ts';

/** Datagrams handled in one turn. */
const MAX_DATAGRAMS_PER_TURN = 256;
/** Senders that are remembered: for a new one, the one not heard for the longest is forgotten. */
const MAX_SENDERS = 256;
/** No sender of ours has longer ones. */
const MAX_ITEMS = 256;

interface Sender {
  readonly instance: ProfileInstance;
  readonly decoder: FrameDecoder;
  readonly replies: HeldReplies;
  readonly rate: DeviceRate;
}

export class ProfileDatagrams implements Session, ProfileLine, AwaitsDurable {
  readonly transport = 'udp';
  readonly paused = false;
  readonly #channel: DatagramChannel;
  readonly #host: SessionHost;
  readonly #source: ProfileSource;
  readonly #table: ProfileTable;
  /** The one heard last at the end. */
  readonly #senders = new Map<string, Sender>();
  /** Answers that wait for the journal. */
  readonly #waiting = new Set<HeldReplies>();
  readonly #devices = new Set<ProfileDevice>();

  constructor(channel: DatagramChannel, host: SessionHost, source: ProfileSource, table: ProfileTable) {
    this.#channel = channel;
    this.#host = host;
    this.#source = source;
    this.#table = table;
  }

  get id(): string {
    return this.#channel.id;
  }

  onReady(ready: number): void {
    if ((ready & READ) !== 0) this.#read();
    if ((ready & ERROR) !== 0) {
      this.#end();
      this.#host.finished(this.#channel.error);
    }
  }

  close(): void {
    this.#end();
    this.#channel.close();
    this.#host.finished();
  }

  /** Nobody can be paused here: what finds no room is dropped, and the device sends it again when it gets no answer. */
  pause(): void {}

  command(_device: ProfileDevice, _alias: string, _value: unknown, _ttlS: number, done: CommandDone): void {
    done('refused', 'commands over UDP need "peer" in the configuration of the source');
  }

  replaced(device: ProfileDevice): void {
    this.#devices.delete(device);
  }

  setUpAgain(): void {}

  onDurable(durable: number): void {
    for (const replies of this.#waiting) {
      replies.release(durable);
      if (!replies.waiting) this.#waiting.delete(replies);
    }
    if (this.#waiting.size > 0) this.#table.awaitDurable(this);
  }

  #read(): void {
    let bytes = 0;
    for (let n = 0; n < MAX_DATAGRAMS_PER_TURN && bytes < this.#host.budgetBytes; n++) {
      const datagram = this.#channel.receive();
      if (datagram === undefined) return;
      bytes += datagram.bytes.length;
      if (datagram.bytes.length > 0) this.#takeDatagram(datagram.bytes, datagram.peer);
    }
  }

  #takeDatagram(bytes: Uint8Array, peer: Peer): void {
    const { counters } = this.#source;
    if (this.#table.closed) return;
    if (this.#table.context.journal.full) {
      counters.busy++;
      return;
    }
    const key = hostPort(peer.address, peer.port);
    const known = this.#senders.get(key);
    const sender = known ?? this.#newSender(peer);
    const now = this.#host.now();
    if (sender.replies.full || sender.rate.waitMs(now) > 0) {
      counters.limited++;
      this.#table.context.watch.bite(sender.rate.scarce, this.#source.config.id, 'a datagram was not taken');
      return;
    }
    sender.rate.charge(bytes.length, now);
    sender.decoder.push(bytes);
    const some = this.#takeItems(sender, key);
    // The next datagram begins at a frame.
    sender.decoder.expire();
    const more = this.#takeItems(sender, key);
    // Only who has sent something right is remembered.
    if (!some && !more) return;
    this.#senders.delete(key);
    this.#senders.set(key, sender);
    for (const oldest of this.#senders.keys()) {
      if (this.#senders.size <= MAX_SENDERS) break;
      this.#senders.delete(oldest);
    }
  }

  #newSender(peer: Peer): Sender {
    const use = this.#source.use.devices[0]!;
    const instance = use.profile.open(use.parameters);
    const replies = new HeldReplies((bytes) => void this.#channel.send(bytes, peer));
    const rate = new DeviceRate(this.#table.context.limits, this.#host.now());
    return { instance, decoder: instance.createDecoder(), replies, rate };
  }

  /** Whether there was a frame with readings among them. */
  #takeItems(sender: Sender, from: string): boolean {
    const { counters } = this.#source;
    let some = false;
    for (let n = 0; n < MAX_ITEMS; n++) {
      const item = sender.decoder.next();
      if (item === undefined) return some;
      if (this.#host.tap.active) this.#tapItem(item, sender.instance, from);
      this.#source.unfitting.take(item, this.#host.now());
      if (item.kind === 'skip') {
        count(counters.skippedBytes, item.reason, item.wireLength);
        if (item.reason === 'bad-checksum') counters.checksumErrors++;
        continue;
      }
      counters.frames++;
      if (this.#table.context.journal.full) {
        counters.busy++;
        continue;
      }
      const decoded = sender.instance.decode(item.bytes);
      if (decoded.ok) some = this.#take(sender, decoded) || some;
      else this.#reject(decoded.code, decoded.detail, from);
    }
    return some;
  }

  #tapItem(item: Item, instance: ProfileInstance, from: string): void {
    const meaning = item.kind === 'frame' ? profileMeaning(instance) : profileSkipMeaning(instance, item.reason);
    this.#host.tap.received(item, this.#source.use.devices[0]?.alias, meaning, from);
  }

  #take(sender: Sender, decoded: DecodedReadings): boolean {
    const use = this.#source.use.devices[0]!;
    const { counters } = this.#source;
    if (decoded.device === undefined && use.profile.about.identified === true) {
      if (decoded.samples.length > 0) count(counters.rejected, 'no-identity');
      else sender.replies.add(decoded.replies, 0, this.#table.context.journal.durable);
      return false;
    }
    const device = this.#source.deviceOf(use, decoded.device);
    if (device === undefined) return false;
    this.#devices.add(device);
    device.heard(this);
    device.counters.frames++;
    const mayPass = decoded.samples.length > 0 && decoded.replies.length === 0;
    if (mayPass && device.isTooEarly(decoded.message)) {
      counters.thinned++;
      device.counters.thinned++;
      return true;
    }
    const lsn = device.append(decoded, counters);
    sender.replies.add(decoded.replies, lsn, this.#table.context.journal.durable);
    if (!sender.replies.waiting) return true;
    this.#waiting.add(sender.replies);
    this.#table.awaitDurable(this);
    return true;
  }

  #reject(code: string, detail: string, from: string): void {
    const { counters, config } = this.#source;
    count(counters.rejected, code);
    if (code === 'dropped') return;
    const shown = printable(detail, 200);
    this.#table.context.log.warn(
      `frame ${code} ${config.id}`,
      { source: config.id, from, code },
      `${config.id}: a frame gave no readings: ${shown}`,
    );
  }

  #end(): void {
    this.#table.stopsWaiting(this);
    for (const device of this.#devices) device.left(this, 'closed');
  }
}
