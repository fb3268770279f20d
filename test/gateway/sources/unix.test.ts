import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type UnixOptions, UnixSource } from '../../../gateway/sources/unix.ts';
import { acceptStream, fakeContext, readBytes, untilState } from './context.ts';

let folder = '';
const cleanups: (() => unknown)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'unix-'));
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
  rmSync(folder, { recursive: true });
});

async function listen(options: Partial<UnixOptions> = {}, context = fakeContext()): Promise<UnixSource> {
  const source = new UnixSource({ path: join(folder, 's'), ...options }, context);
  cleanups.push(() => source.close());
  await source.open();
  return source;
}

test('bytes both ways, half-close, abort', async () => {
  const source = await listen();
  const client = connect({ path: join(folder, 's'), allowHalfOpen: true });
  client.end('question');
  const channel = await acceptStream(source);
  expect((await readBytes(channel, 100)).toString()).toBe('question');
  channel.write(Buffer.from('answer'));
  channel.endWrite();
  expect(String((await once(client, 'data'))[0])).toBe('answer');
  const second = connect(join(folder, 's'));
  const channel2 = await acceptStream(source);
  expect(channel2.id).not.toBe(channel.id);
  channel2.abort();
  second.resume();
  await once(second, 'close');
});

test('the file has the mode that was asked for, and goes with the source', async () => {
  const path = join(folder, 's');
  const before = process.umask();
  const source = await listen({ mode: 0o600 });
  expect(process.umask()).toBe(before);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  await source.close();
  expect(existsSync(path)).toBe(false);
});

test('a socket file left by a program that was killed is replaced', async () => {
  const path = join(folder, 's');
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log('up'))`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await exited;
  expect(existsSync(path)).toBe(true);
  const source = await listen();
  expect(source.state).toBe('open');
  const client = connect(path);
  client.end('x');
  expect((await readBytes(await acceptStream(source), 1)).toString()).toBe('x');
});

test('a live one is left alone, and taken over once it is gone', async () => {
  const first = await listen();
  const context = fakeContext();
  const second = await listen({}, context);
  expect(second.state).toBe('failed');
  expect(second.error?.code).toBe('ADDRESS_IN_USE');
  const probe = await acceptStream(first);
  expect((await readBytes(probe, 1)).length).toBe(0);
  await first.close();
  context.advance(10_000);
  await untilState(second, ({ state }) => state === 'open');
});

test('what is not a socket is never removed', async () => {
  const path = join(folder, 's');
  writeFileSync(path, 'precious');
  const source = await listen();
  expect(source.error?.code).toBe('ADDRESS_IN_USE');
  expect(source.error?.message).toContain('not a socket');
  expect(readFileSync(path, 'utf8')).toBe('precious');
});

test('a folder that does not exist', async () => {
  const source = await listen({ path: join(folder, 'no', 's') });
  expect(source.state).toBe('failed');
  expect(source.error?.code).toMatch(/ADDRESS_UNAVAILABLE|PERMISSION_DENIED/);
});
