import { describe, expect, it } from 'vitest';
import { HeldReplies } from '../../../../gateway/sessions/profile/held-replies.ts';

const reply = (byte: number, afterDurable: boolean) => ({ bytes: new Uint8Array([byte]), afterDurable });

describe('replies', () => {
  it('go out when what they promise is durable, and never before one that came up earlier', () => {
    const sent: number[] = [];
    const replies = new HeldReplies((bytes) => void sent.push(bytes[0]!));
    replies.add([reply(1, false)], 5, 4);
    replies.add([reply(2, true)], 5, 4);
    replies.add([reply(3, false)], 5, 4);
    replies.add([reply(4, true)], 6, 4);
    expect(sent).toEqual([1]);
    replies.release(4);
    expect(sent).toEqual([1]);
    replies.release(5);
    expect(sent).toEqual([1, 2, 3]);
    expect(replies.waiting).toBe(true);
    replies.release(9);
    expect(sent).toEqual([1, 2, 3, 4]);
    replies.add([reply(5, true)], 9, 9);
    expect(sent).toEqual([1, 2, 3, 4, 5]);
    expect(replies.waiting).toBe(false);
  });

  it('are bounded', () => {
    const replies = new HeldReplies(() => undefined);
    for (let lsn = 1; !replies.full; lsn++) replies.add([reply(0, true)], lsn, 0);
    replies.release(1);
    expect(replies.full).toBe(false);
  });
});
