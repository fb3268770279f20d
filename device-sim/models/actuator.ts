/** A dimmable plug: a switch and a level, both writable; commands change what it reports. */
import type { Value } from '../../protocol/index.ts';
import { type Model, channel, good } from './model.ts';

const SWITCH = 1;
const LEVEL = 2;
const MAX_LEVEL = 100;

export const actuator: Model = {
  name: 'actuator',
  title: 'a dimmable plug that takes commands',
  sleepy: false,
  hasClock: false,
  schema: {
    name: 'Dimmable plug',
    model: 'SIM-AC1',
    firmware: '1.4.0',
    channels: [
      { ...channel(SWITCH, 'bool', 'switch', 0, 'switch', ''), writable: true },
      { ...channel(LEVEL, 'u8', 'none', 0, 'level', '%'), writable: true },
    ],
  },
  create(random) {
    let on = random.chance(0.5);
    let level = random.int(MAX_LEVEL + 1);
    return {
      read() {
        return [good(SWITCH, 'bool', on), good(LEVEL, 'u8', level)];
      },
      write({ channel, value }) {
        if (channel === SWITCH) {
          if (typeof value !== 'boolean') return 'bad_value';
          on = value;
          return 'done';
        }
        if (channel === LEVEL) {
          const wanted = wholeNumber(value);
          if (wanted === undefined || wanted < 0 || wanted > MAX_LEVEL) return 'bad_value';
          level = wanted;
          return 'done';
        }
        return 'unknown_channel';
      },
    };
  },
};

/** The number, whatever integer type it travelled in. */
function wholeNumber(value: Value['value']): number | undefined {
  const number = typeof value === 'bigint' ? Number(value) : value;
  return typeof number === 'number' && Number.isInteger(number) ? number : undefined;
}
