// Appends readings to the journal in a folder until it is killed, and says on its output what is durable, as a device
// would hear it: a line a group, `<lsn> <seq>`.
import { writeSync } from 'node:fs';
import { openJournal } from '../../../dist/gateway/journal/open-journal.js';

const [folder, durability] = process.argv.slice(2);
const device = {
  id: '00000000000000aa',
  alias: 'a',
  schema: undefined,
  channels: new Map(),
  channelsVersion: 0,
  transport: 'tcp',
  online: true,
  lastSeen: undefined,
  newestLsn: 0,
};
let seq = 0;
const settings = { durability, syncIntervalMs: 2, segmentBytes: 65_536, maxBytes: 67_108_864, minFreeBytes: 0 };
const journal = await openJournal(folder, settings, (state) => {
  seq = state.nextSeq - 1;
  return device;
});
writeSync(1, `${journal.durable} ${seq}\n`);
journal.onDurable = () => writeSync(1, `${journal.durable} ${journal.get(journal.durable).seq}\n`);
function turn() {
  for (let i = 0; i < 20 && !journal.full; i++) {
    seq++;
    const values = [{ channel: 1, type: 'u32', quality: 'good', value: seq }];
    journal.append({ device, boot: 1, seq, receivedAt: Date.now(), samples: [{ timeKind: 'unix', time: 1, values }] });
  }
  journal.commit();
  setImmediate(turn);
}
turn();
