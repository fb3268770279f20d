/** A door contact: it speaks when the door moves, at irregular times. */
import { type Model, channel, good } from './model.ts';

const OPEN = 1;
const OPENINGS = 2;

export const doorContact: Model = {
  name: 'door-contact',
  title: 'a door that opens and closes at irregular times',
  sleepy: false,
  hasClock: false,
  schema: {
    name: 'Door contact',
    model: 'SIM-DC1',
    firmware: '1.0.3',
    channels: [
      channel(OPEN, 'bool', 'door', 0, 'open', ''),
      { ...channel(OPENINGS, 'u32', 'none', 0, 'openings', ''), totalIncreasing: true, diagnostic: true },
    ],
  },
  create(random) {
    let open = random.chance(0.5);
    let openings = random.int(10_000);
    return {
      read() {
        open = !open;
        if (open) openings += 1;
        return [good(OPEN, 'bool', open), good(OPENINGS, 'u32', openings)];
      },
      waitMs(periodMs) {
        return random.exponential(periodMs);
      },
    };
  },
};
