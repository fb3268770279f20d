import { describe, expect, it } from 'vitest';
import type { OutgoingRequest } from '../../../../protocol/index.ts';
import { PollQueue, type PollTask, Slave, type Task } from '../../../../gateway/sessions/profile/poll-queue.ts';

function request(name: string, more: Partial<OutgoingRequest> = {}): OutgoingRequest {
  const plain = { name, bytes: new Uint8Array([1]), answers: () => true, silent: false, timeoutMs: 100, retries: 0 };
  return { ...plain, frames: 1, ...more };
}

function poll(name: string, everyMs: number, more: Partial<OutgoingRequest> = {}): PollTask {
  return { kind: 'poll', name, everyMs, waitMs: 0, request: () => request(name, more) };
}

function init(name: string, waitMs: number, more: Partial<OutgoingRequest> = {}): Task {
  return { kind: 'init', waitMs, request: () => request(name, more) };
}

function started(...slaves: Slave<string>[]): PollQueue<string> {
  const queue = new PollQueue<string>();
  for (const slave of slaves) {
    queue.add(slave);
    slave.restart(0);
  }
  return queue;
}

/** Runs the queue for a while: `alive` answers after 10 ms, the others never. Who was asked what, and when. */
function play(queue: PollQueue<string>, untilMs: number, alive: (device: string, at: number) => boolean): string[] {
  const asked: string[] = [];
  for (let now = 0; now <= untilMs; now++) {
    const { outstanding } = queue;
    if (outstanding !== undefined) {
      if (alive(outstanding.slave.device, now) && now >= outstanding.sentAt + 10) queue.answered(now);
      else if (now >= outstanding.deadline) queue.timedOut(now);
    }
    const turn = queue.next(now);
    if (turn !== undefined) asked.push(`${now} ${turn.slave.device} ${turn.request.name}`);
  }
  return asked;
}

const named = (asked: readonly string[], device: string): number[] =>
  asked.filter((line) => line.split(' ')[1] === device).map((line) => Number(line.split(' ')[0]));

describe('the poll queue', () => {
  it('has one request outstanding at a time, and asks each poll in its time', () => {
    const queue = started(new Slave('a', [], [poll('fast', 100), poll('slow', 1_000)]));
    const asked = play(queue, 1_050, () => true);
    expect(asked.slice(0, 2)).toEqual(['0 a fast', '10 a slow']);
    expect(asked.filter((line) => line.endsWith('fast'))).toHaveLength(11);
    expect(asked.filter((line) => line.endsWith('slow'))).toHaveLength(2);
    expect(queue.next(1_055)).toBeUndefined();
  });

  it('takes the slaves in turn when there is more to ask than time', () => {
    const queue = started(...['a', 'b', 'c'].map((name) => new Slave(name, [], [poll('all', 1)])));
    const asked = play(queue, 3_000, () => true);
    for (const name of ['a', 'b', 'c']) {
      expect(named(asked, name).length).toBeGreaterThan(asked.length / 3 - 2);
    }
  });

  it('gives a retry only after the others had their turn', () => {
    const queue = started(
      new Slave('dead', [], [poll('p', 10_000, { retries: 1 })]),
      new Slave('a', [], [poll('p', 10_000)]),
      new Slave('b', [], [poll('p', 10_000)]),
    );
    expect(play(queue, 400, (device) => device !== 'dead')).toEqual(['0 dead p', '100 a p', '110 b p', '120 dead p']);
  });

  it('leaves most of the line to the others when one slave is dead', () => {
    const queue = started(
      new Slave('dead', [], [poll('p', 100, { timeoutMs: 500, retries: 2 }), poll('q', 100, { timeoutMs: 500 })]),
      new Slave('alive', [], [poll('p', 100)]),
    );
    const asked = play(queue, 120_000, (device) => device === 'alive');
    const probes = named(asked, 'dead');
    expect(named(asked, 'alive').length).toBeGreaterThan(1_100);
    // Once it is known to be silent: after 1, 2, 4 … 60 s.
    expect(probes.length).toBeLessThan(16);
    expect(probes.at(-1)! - probes.at(-2)!).toBeGreaterThan(30_000);
  });

  it('sets a slave up again and asks everything at once when it is back', () => {
    const queue = started(new Slave('a', [init('setup', 50)], [poll('p', 1_000), poll('q', 1_000)]));
    const asked = play(queue, 60_000, (_, at) => at < 2_000 || at > 20_000);
    const back = asked.findIndex((line) => line.endsWith('setup') && Number(line.split(' ')[0]) > 20_000);
    expect(back).toBeGreaterThan(0);
    expect(asked.slice(back + 1, back + 3).map((line) => line.split(' ')[2])).toEqual(['p', 'q']);
  });

  it('keeps the pause that a step asks for, for this slave only', () => {
    const queue = started(
      new Slave('a', [init('wake', 300, { silent: true })], [poll('p', 1_000)]),
      new Slave('b', [], [poll('p', 1_000)]),
    );
    expect(play(queue, 400, () => true)).toEqual(['0 a wake', '1 b p', '300 a p']);
  });

  it('asks nothing else of a slave that may still answer an earlier question', () => {
    const queue = started(new Slave('a', [], [poll('p', 10_000), poll('q', 10_000)]));
    expect(queue.next(0)?.request.name).toBe('p');
    expect(queue.timedOut(100)).toBe('given-up');
    expect(queue.next(150)).toBeUndefined();
    expect(queue.dueAt).toBe(600);
    expect(queue.next(600)?.request.name).toBe('q');
    // The same where the answer came only after the second time of asking: the first may be answered as well.
    const twice = started(new Slave('b', [], [poll('p', 10_000, { retries: 1 }), poll('q', 10_000)]));
    twice.next(0);
    expect(twice.timedOut(100)).toBe('again');
    expect(twice.next(100)).toMatchObject({ attempt: 1, request: { name: 'p' } });
    twice.answered(110);
    expect(twice.next(111)).toBeUndefined();
    expect(twice.next(609)).toBeUndefined();
    // What was owed has come: no need to wait any longer.
    twice.cameLate(twice.slaves[0]!, 300);
    expect(twice.next(300)?.request.name).toBe('q');
  });

  it('lets a command go before polls, after the init steps, and to a silent slave without waiting for its pause', () => {
    const slave = new Slave('a', [init('setup', 0)], [poll('p', 10)]);
    const queue = started(slave, new Slave('b', [], [poll('p', 1)]));
    const ends: string[] = [];
    const command = (name: string): Task => ({
      kind: 'command',
      waitMs: 0,
      request: () => request(name),
      done: (status) => void ends.push(`${name} ${status}`),
    });
    queue.command(slave, command('on'));
    const order = play(queue, 25, () => true).map((line) => line.split(' ').slice(1).join(' '));
    expect(order.slice(0, 3)).toEqual(['a setup', 'a on', 'b p']);
    expect(ends).toEqual(['on done']);

    const silent = new Slave('c', [], [poll('p', 10)]);
    const line = started(silent);
    play(line, 20_000, () => false);
    expect(silent.silent).toBe(true);
    expect(line.dueAt).toBeGreaterThan(20_100);
    line.command(silent, command('off'));
    expect(line.next(20_200)?.request.name).toBe('off');
    line.timedOut(20_300);
    expect(ends.at(-1)).toBe('off expired');
  });

  it('refuses the seventeenth command, and ends all that wait when the line is gone', () => {
    const slave = new Slave('a', [], []);
    const queue = started(slave);
    const ends: string[] = [];
    const task: Task = {
      kind: 'command',
      waitMs: 0,
      request: () => request('c'),
      done: (status, text) => void ends.push(`${status}: ${text}`),
    };
    for (let i = 0; i < 16; i++) expect(queue.command(slave, task)).toBe(true);
    expect(queue.command(slave, task)).toBe(false);
    queue.next(0);
    queue.close('gone');
    expect(ends).toEqual(Array.from({ length: 16 }, () => 'expired: gone'));
    expect(queue.next(1)).toBeUndefined();
  });

  it('skips a poll that cannot be asked yet', () => {
    let known = false;
    const late: PollTask = { ...poll('late', 100), request: () => (known ? request('late') : undefined) };
    const queue = started(new Slave('a', [], [late, poll('p', 100)]));
    const first = play(queue, 250, () => true);
    expect(first.every((line) => line.endsWith(' p'))).toBe(true);
    known = true;
    expect(queue.next(301)?.request.name).toBe('late');
  });
});
