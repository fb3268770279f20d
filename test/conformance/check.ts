/**
 * Holds our profiles to the recorded frames of one device.
 *
 * ```
 *   response, ack …  decoder ─→ one frame ─→ its checksum ─→ decode ─→ stated values
 *   request          our polls, init and commands ─→ the same bytes
 *   invalid          decoder ─→ skips, no frame; a good frame behind it decodes
 *   stream           decoder ─→ as many frames and skipped bytes as stated
 * ```
 *
 * All of it also one byte at a time, with the same items.
 */
import type { FrameDecoder, OutgoingRequest, Profile, ProfileInstance } from '../../protocol/index.ts';
import { checkValues } from './check-values.ts';
import type { Evidence, Verdict } from './check-values.ts';
import { shippedProfile } from './profile-source.ts';
import { RULES } from './rules.ts';
import type { DeviceRule, FieldRule, VectorRule } from './rules.ts';
import { bytesOf, hexOf } from './vectors.ts';
import type { RecordedDevice, Vector } from './vectors.ts';

/** Right ones of all; `of` 0: there is nothing to check. */
export interface Count {
  ok: number;
  of: number;
}

export interface DeviceResult {
  readonly device: string;
  readonly file: string;
  /** Undefined: not covered, `remarks` say why. */
  readonly profile: string | undefined;
  readonly vectors: number;
  readonly framed: Count;
  readonly checked: Count;
  readonly values: Count;
  readonly requests: Count;
  readonly invalid: Count;
  /** What is not right, and not explained. */
  readonly wrong: string[];
  readonly remarks: string[];
}

/** Judges every vector of a device. */
export function checkDevice(recorded: RecordedDevice): DeviceResult {
  const rule: DeviceRule | undefined = RULES[recorded.file];
  const result: DeviceResult = {
    device: recorded.device,
    file: recorded.file,
    profile: rule?.profile,
    vectors: recorded.vectors.length,
    framed: { ok: 0, of: 0 },
    checked: { ok: 0, of: 0 },
    values: { ok: 0, of: 0 },
    requests: { ok: 0, of: 0 },
    invalid: { ok: 0, of: 0 },
    wrong: [],
    remarks: [],
  };
  if (rule?.profile === undefined) {
    result.remarks.push(`not covered: ${rule?.reason ?? 'no profile yet'}`);
    return result;
  }
  for (const vector of recorded.vectors) {
    try {
      new VectorCheck(recorded, rule, vector, result).run();
    } catch (error) {
      result.wrong.push(`${vector.id}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return result;
}

class VectorCheck {
  private readonly recorded: RecordedDevice;
  private readonly vector: Vector;
  private readonly result: DeviceResult;
  private readonly rule: VectorRule;
  private readonly fields: Readonly<Record<string, FieldRule>>;
  private readonly profile: Profile;
  private readonly instance: ProfileInstance;

  constructor(recorded: RecordedDevice, rule: DeviceRule, vector: Vector, result: DeviceResult) {
    this.recorded = recorded;
    this.vector = vector;
    this.result = result;
    this.rule = rule.vectors?.[vector.id] ?? {};
    this.fields = { ...rule.fields, ...this.rule.fields };
    const { registers } = this.rule;
    const generic = rule.profile === 'modbus_tcp' ? 'modbus_tcp' : 'modbus_rtu';
    this.profile = registers === undefined ? shippedProfile(rule.profile!) : shippedProfile(generic, registers);
    this.instance = this.profile.open({ ...rule.parameters, ...this.rule.parameters });
    for (const id of this.rule.after ?? []) {
      const before = recorded.vectors.find((one) => one.id === id);
      if (before !== undefined) this.instance.decode(bytesOf(before.hex));
    }
  }

  run(): void {
    const { vector, rule } = this;
    if (rule.reason !== undefined) {
      this.remark(rule.reason);
    } else if (rule.repliesTo !== undefined) {
      this.checkReply(rule.repliesTo);
    } else if (vector.kind === 'request') {
      this.checkRequest();
    } else if (vector.kind === 'stream') {
      this.checkStream();
    } else if (this.mustFail()) {
      this.checkInvalid();
    } else {
      this.checkFrame();
    }
  }

  /** Bad on purpose, or by a fault of the device that no check can excuse. */
  private mustFail(): boolean {
    const { kind, expect } = this.vector;
    if (kind === 'invalid' || expect?.checksum === 'bad') return true;
    if (expect?.length !== 'bad') return false;
    if (this.rule.accepted === undefined) return true;
    this.remark(this.rule.accepted);
    return false;
  }

  private checkFrame(): void {
    const { vector, result } = this;
    result.framed.of++;
    const bytes = bytesOf(vector.hex);
    const items = this.items(bytes);
    const frames = items.frames;
    // Wake-up bytes are fill, not noise.
    const noise = items.skips.filter(({ reason }) => reason !== 'fill');
    if (frames.length !== 1 || noise.length > 0 || items.left > 0) {
      this.wrong(`${frames.length} frames, ${noise.length} skips, ${items.left} bytes left`);
      return;
    }
    result.framed.ok++;
    const frame = frames[0]!;
    this.checkChecksum(frame);
    const request = this.requestFor(frame);
    const decoded = this.instance.decode(frame, request);
    if (!decoded.ok && decoded.code !== 'exception') {
      result.values.of += Math.max(1, vector.fields.length);
      this.wrong(`not decoded: ${decoded.code}, ${decoded.detail}`);
      return;
    }
    this.takeValues({ profile: this.profile, frames: [{ decoded, explained: this.instance.explain(frame) }] });
  }

  /** A frame that has a checksum is right, and is no more when one of its bytes changes. */
  private checkChecksum(frame: Uint8Array): void {
    const fails = (at: number): boolean => {
      const changed = new Uint8Array(frame);
      changed[at]! ^= 0x01;
      return this.instance.failedChecksum(changed) !== undefined;
    };
    if (!Array.from(frame.keys()).some(fails)) return;
    this.result.checked.of++;
    if (this.instance.failedChecksum(frame) === undefined) this.result.checked.ok++;
    else this.wrong('the checksum of a good frame fails');
  }

  private takeValues(evidence: Evidence): void {
    const { fields } = this.vector;
    const verdict: Verdict = checkValues(fields, this.fields, evidence);
    this.result.values.ok += verdict.right;
    this.result.values.of += verdict.right + verdict.wrong.length;
    for (const text of verdict.wrong) this.wrong(text);
    for (const text of verdict.explained) this.remark(text);
  }

  private checkInvalid(): void {
    const { vector, result, recorded } = this;
    result.invalid.of++;
    const bytes = bytesOf(vector.hex);
    const decoder = this.instance.createDecoder();
    decoder.push(bytes);
    const before = drain(decoder);
    if (before.frames.length > 0) return this.wrong('an invalid frame is taken');
    // Silence, or the next good frame, whichever comes first on the line.
    for (const silence of [true, false]) {
      const next = this.instance.createDecoder();
      next.push(bytes);
      drain(next);
      if (silence) next.expire();
      const skipped = drain(next).skips;
      const good = recorded.vectors.find(
        (one) => isPlain(one) && RULES[recorded.file]?.vectors?.[one.id]?.reason === undefined,
      );
      if (good === undefined) {
        if (silence && skipped.length === 0 && before.skips.length === 0) return this.wrong('nothing is counted');
        continue;
      }
      // A claimed length may swallow one frame that comes without a pause, never two.
      const copies = silence ? 1 : 2;
      for (let i = 0; i < copies; i++) next.push(bytesOf(good.hex));
      if (drain(next).frames.length < 1) return this.wrong('the next good frame is lost');
    }
    result.invalid.ok++;
  }

  private checkStream(): void {
    const { vector, rule, result } = this;
    const { expect } = vector;
    const wanted = rule.stream ?? {
      frames: expect?.computed?.frames ?? expect?.frames ?? 0,
      skipped: expect?.computed?.skipped ?? expect?.skipped,
      left: expect?.computed?.left,
    };
    if (rule.stream !== undefined) this.remark(rule.stream.reason);
    const items = this.items(bytesOf(vector.hex), vector.chunks);
    result.framed.of += wanted.frames;
    result.framed.ok += Math.min(items.frames.length, wanted.frames);
    const skipped = items.skips.reduce((sum, skip) => sum + skip.wireLength, 0);
    if (items.frames.length !== wanted.frames) this.wrong(`${items.frames.length} frames, stated ${wanted.frames}`);
    // Bytes that may yet begin a frame are not skipped until silence says so.
    if (wanted.skipped !== undefined && skipped + (wanted.left === undefined ? items.left : 0) !== wanted.skipped) {
      this.wrong(`${skipped} bytes skipped, ${items.left} left, stated ${wanted.skipped}`);
    }
    if (wanted.left !== undefined && items.left !== wanted.left)
      this.wrong(`${items.left} bytes left, stated ${wanted.left}`);
    for (const frame of items.frames) this.checkChecksum(frame);
    if (vector.fields.length === 0) return;
    const frames = items.frames.map((frame) => ({
      decoded: this.instance.decode(frame),
      explained: this.instance.explain(frame),
    }));
    this.takeValues({ profile: this.profile, frames });
  }

  private checkRequest(): void {
    const { vector, result, instance } = this;
    result.requests.of++;
    const wanted = vector.hex;
    if (this.ownRequests().some((bytes) => sameRequest(hexOf(bytes), wanted))) {
      result.requests.ok++;
      return;
    }
    // A transaction number is the sender's own: the same request comes with it sooner or later.
    for (const poll of instance.polls) {
      for (let i = 0; i < 65_536 && this.profile.about.transport === 'modbus-tcp'; i++) {
        if (hexOf(poll.request()!.bytes) !== wanted) continue;
        result.requests.ok++;
        return;
      }
    }
    this.wrong(`we would not send ${wanted}`);
  }

  private ownRequests(): Uint8Array[] {
    const { instance, profile } = this;
    const requests: (OutgoingRequest | undefined)[] = [
      ...instance.init.map(({ request }) => request),
      ...instance.polls.map((poll) => poll.request()),
    ];
    for (const { alias, kind, options } of profile.commands) {
      const values = kind === 'bool' ? [true, false] : kind === 'button' ? [undefined] : (options ?? ['getinfo']);
      for (const value of values) {
        const made = instance.command(alias, value);
        if (made.ok) requests.push(made.request);
      }
    }
    return requests.flatMap((request) => (request === undefined ? [] : [request.bytes]));
  }

  private checkReply(to: NonNullable<VectorRule['repliesTo']>): void {
    const { instance, recorded, result } = this;
    result.requests.of++;
    const frame =
      'vector' in to
        ? bytesOf(recorded.vectors.find(({ id }) => id === to.vector)!.hex)
        : instance.encode(to.message, to.values);
    const decoded = instance.decode(frame);
    const replies = decoded.ok ? decoded.replies.map(({ bytes }) => hexOf(bytes)) : [];
    if (replies.includes(this.vector.hex)) result.requests.ok++;
    else this.wrong(`we answer ${replies.join(' ') || 'nothing'}`);
  }

  /** The request that this frame answers, if frames of this profile need one. */
  private requestFor(frame: Uint8Array): OutgoingRequest | undefined {
    if (!this.profile.about.transport.startsWith('modbus')) return undefined;
    for (const poll of this.instance.polls) {
      for (let i = 0; i < 65_536; i++) {
        const request = poll.request();
        if (request === undefined || request.answers(frame)) return request;
        if (this.profile.about.transport !== 'modbus-tcp') break;
      }
    }
    return undefined;
  }

  /** What the decoder makes of these bytes; the same in one piece, in the recorded pieces, and byte by byte. */
  private items(bytes: Uint8Array, chunks: readonly number[] = []): Items {
    const whole = this.feed([bytes]);
    const cut: Uint8Array[] = [];
    let at = 0;
    for (const size of chunks) {
      cut.push(bytes.subarray(at, at + size));
      at += size;
    }
    cut.push(bytes.subarray(at));
    const ways = [cut, Array.from(bytes, (byte) => Uint8Array.of(byte))];
    for (const way of ways) {
      const other = this.feed(way);
      if (summary(other) !== summary(whole)) this.wrong(`cut in ${way.length} pieces it gives other items`);
    }
    return whole;
  }

  private feed(chunks: readonly Uint8Array[]): Items {
    const decoder = this.instance.createDecoder();
    const all: Items = { frames: [], skips: [], left: 0 };
    for (const chunk of chunks) {
      decoder.push(new Uint8Array(chunk));
      const { frames, skips } = drain(decoder);
      all.frames.push(...frames);
      all.skips.push(...skips);
    }
    all.left = decoder.buffered;
    return all;
  }

  private wrong(text: string): void {
    this.result.wrong.push(`${this.vector.id}: ${text}`);
  }

  private remark(text: string): void {
    this.result.remarks.push(`${this.vector.id}: ${text}`);
  }
}

interface Items {
  readonly frames: Uint8Array[];
  readonly skips: { readonly reason: string; readonly wireLength: number }[];
  left: number;
}

function drain(decoder: FrameDecoder): Items {
  const items: Items = { frames: [], skips: [], left: 0 };
  for (let item = decoder.next(); item !== undefined; item = decoder.next()) {
    if (item.kind === 'frame') items.frames.push(new Uint8Array(item.bytes));
    else items.skips.push({ reason: item.reason, wireLength: item.wireLength });
  }
  items.left = decoder.buffered;
  return items;
}

function summary(items: Items): string {
  const skipped = items.skips.reduce((sum, skip) => sum + skip.wireLength, 0);
  return `${items.frames.map(hexOf).join(' ')} ${skipped} ${items.left}`;
}

/** A frame that is good by itself. */
function isPlain({ kind, expect }: Vector): boolean {
  return ['response', 'unsolicited', 'ack', 'login'].includes(kind) && expect === undefined;
}

/** Equal but for wake-up bytes, which a sender may leave out. */
function sameRequest(ours: string, theirs: string): boolean {
  return ours === theirs || ours.replace(/^(?:fe)+(?=68)/, '') === theirs;
}
