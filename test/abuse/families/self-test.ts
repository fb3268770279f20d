/** Cases that must fail, each in its own way: the harness sees. */
import { noise } from '../bytes.ts';
import type { AbuseCase, CaseGroup } from '../case.ts';
import { sleep } from '../wait.ts';

const garbage = async (world: Parameters<AbuseCase['run']>[0]): Promise<number> => {
  const socket = await world.connect();
  socket.write(Uint8Array.of(5, 0x11, 0x22, 0));
  return 4;
};

const cases: AbuseCase[] = [
  {
    name: 'a count that does not come',
    counted: { 'link.tcp.rejected.no-such-reason': 1 },
    also: ['link.tcp.skipped_bytes.', 'limits.handshake_s'],
    mustFail: /not counted: link\.tcp\.rejected\.no-such-reason/,
    run: garbage,
  },
  {
    name: 'a count under another reason',
    counted: {},
    mustFail: /counted wrongly: link\.tcp\.skipped_bytes\.bad-length by 4/,
    run: garbage,
  },
  {
    name: 'a raw byte on a topic',
    counted: {},
    mustFail: /a payload on abuse\/looks\/ours has a raw U\+001b/,
    async run(world) {
      await world.observer.publish('looks/ours', '\u001b[31m');
      return 5;
    },
  },
  {
    name: 'a topic that is no alias',
    counted: {},
    mustFail: /a message on "abuse\/Raw Name"/,
    async run(world) {
      await world.observer.publish('Raw Name', '1');
      return 1;
    },
  },
  {
    name: 'a good device that is not served',
    counted: {},
    also: ['link.', 'limits.'],
    mustFail: /the good device on tcp/,
    async run(world) {
      world.silenceGood('tcp');
      await sleep(20);
      return 0;
    },
  },
  {
    name: 'a gateway that is killed',
    counted: {},
    mustFail: /the gateway has ended \(SIGKILL\)/,
    async run(world) {
      world.gateway.kill();
      await sleep(100);
      return noise(1).length;
    },
  },
];

export const selfTest: CaseGroup = { family: 'self-test', cases };
