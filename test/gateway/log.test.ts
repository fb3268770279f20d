import { describe, expect, it } from 'vitest';
import { createLog, isPretty, rateLimited } from '../../gateway/log.ts';
import type { Log } from '../../gateway/log.ts';

function collect(pretty: boolean): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const log = createLog({ level: 'debug', pretty, colour: false, write: (line) => void lines.push(line) });
  return { log, lines };
}

const NASTY = 'a\u001b[2Jb\u009b31mc\u202ed\ne\rf\u2028g\u0007h';

describe('createLog', () => {
  it('writes one JSON object a line, with level, time, fields and message', () => {
    const { log, lines } = collect(false);
    log.child({ source: 'tcp' }).warn({ peer: 'x' }, 'hello');
    expect(lines).toHaveLength(1);
    const line = JSON.parse(lines[0]!) as Record<string, unknown>;
    expect(line).toMatchObject({ level: 'warn', source: 'tcp', peer: 'x', msg: 'hello' });
    expect(Date.parse(line['time'] as string)).toBeGreaterThan(0);
  });

  it('writes lines for people', () => {
    const { log, lines } = collect(true);
    log.info({ source: 'tcp' }, 'listening');
    expect(lines.join('')).toMatch(/INFO.*listening.*source.*tcp/);
  });

  it('JSON: keeps every character, spelled harmlessly', () => {
    const { log, lines } = collect(false);
    log.info({ text: NASTY }, NASTY);
    // oxlint-disable-next-line no-control-regex
    expect(lines[0]!.trimEnd()).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u202e]/);
    expect(JSON.parse(lines[0]!)).toMatchObject({ text: NASTY, msg: NASTY });
  });

  it('pretty: nothing that is logged moves the cursor or starts a second line', () => {
    const { log, lines } = collect(true);
    log.info({ text: NASTY }, NASTY);
    const text = lines.join('');
    // oxlint-disable-next-line no-control-regex
    expect(text.trimEnd()).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u202e]/);
    expect(text).toContain('\\u001b[2J');
  });

  it('pretty: a backslash in a message stays what it is', () => {
    const { log, lines } = collect(true);
    log.info('C:\\users "quoted" \\u001b');
    expect(lines.join('')).toContain('C:\\users "quoted" \\u001b');
  });

  it('pretty: shows the stack of an error', () => {
    const { log, lines } = collect(true);
    log.error({ err: new Error('broken') }, 'failed');
    expect(lines.join('')).toContain('broken');
    expect(lines.join('')).toContain('log.test.ts');
  });

  it('hides passwords, and what is below the level', () => {
    const { log, lines } = collect(false);
    log.info({ mqtt: { password: 'hunter2' }, password: 'hunter2' }, 'x');
    expect(lines[0]).not.toContain('hunter2');
    const quiet: string[] = [];
    createLog({ level: 'error', pretty: false, write: (line) => void quiet.push(line) }).warn('x');
    expect(quiet).toEqual([]);
  });

  it('changes its level for children and bound methods too', () => {
    const lines: string[] = [];
    const log = createLog({ level: 'warn', pretty: false, write: (line) => void lines.push(line) });
    const child = log.child({ source: 'tcp' });
    const { info } = child;
    info('a');
    expect(child.isLevelEnabled('info')).toBe(false);
    log.setLevel('info');
    info('b');
    expect(child.isLevelEnabled('info')).toBe(true);
    log.setLevel('silent');
    child.fatal('c');
    expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(['b']);
  });

  it('auto is pretty on a terminal only', () => {
    expect(isPretty('auto', { isTTY: true })).toBe(true);
    expect(isPretty('auto', {})).toBe(false);
    expect(isPretty('json', { isTTY: true })).toBe(false);
    expect(isPretty('pretty', {})).toBe(true);
  });
});

function setup() {
  const { log, lines } = collect(false);
  let time = 0;
  const limited = rateLimited(log, () => time);
  const messages = () => lines.splice(0).map((line) => (JSON.parse(line) as { msg: string }).msg);
  return { limited, messages, pass: (ms: number) => (time += ms) };
}

describe('rateLimited', () => {
  it('says a cause once a minute and then how often it was left out', () => {
    const { limited, messages, pass } = setup();
    for (let i = 0; i < 42; i++) limited.warn('bad-crc', {}, 'a frame was bad');
    expect(messages()).toEqual(['a frame was bad']);
    pass(60_000);
    limited.warn('bad-crc', {}, 'a frame was bad');
    expect(messages()).toEqual(['a frame was bad … and 41 more in the last minute', 'a frame was bad']);
    pass(60_000);
    limited.warn('bad-crc', {}, 'a frame was bad');
    expect(messages()).toEqual(['a frame was bad']);
  });

  it('keeps causes apart', () => {
    const { limited, messages } = setup();
    limited.warn('a', {}, 'a');
    limited.error('b', {}, 'b');
    limited.info('a', {}, 'a');
    expect(messages()).toEqual(['a', 'b']);
  });

  it('flush tells what is waiting, and forgets causes that are over', () => {
    const { limited, messages, pass } = setup();
    limited.warn('a', {}, 'a');
    limited.warn('a', {}, 'a');
    limited.flush();
    expect(messages()).toEqual(['a']);
    pass(60_000);
    limited.flush();
    expect(messages()).toEqual(['a … and 1 more in the last minute']);
    limited.flush();
    expect(messages()).toEqual([]);
    limited.warn('a', {}, 'a');
    limited.warn('a', {}, 'a');
    limited.flush(true);
    expect(messages()).toEqual(['a', 'a … and 1 more in the last minute']);
  });

  it('a flood of different causes does not become a flood of lines', () => {
    const { limited, messages } = setup();
    for (let i = 0; i < 10_000; i++) limited.warn(`cause ${i}`, {}, 'x');
    expect(messages().length).toBeLessThan(300);
  });
});
