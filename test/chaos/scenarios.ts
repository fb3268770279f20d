/** All rows, in the order of the table. */
import type { Scenario } from './scenario.ts';
import { bothKill } from './scenarios/both-kill.ts';
import { brokerAway } from './scenarios/broker-away.ts';
import { brokerKill } from './scenarios/broker-kill.ts';
import { diskFull } from './scenarios/disk-full.ts';
import { fsyncError } from './scenarios/fsync-error.ts';
import { gatewayKill } from './scenarios/gateway-kill.ts';
import { halfOpen } from './scenarios/half-open.ts';
import { powerCut } from './scenarios/power-cut.ts';
import { selfTest } from './scenarios/self-test.ts';
import { serialNoise } from './scenarios/serial-noise.ts';
import { slowPuback } from './scenarios/slow-puback.ts';
import { udpLoss } from './scenarios/udp-loss.ts';
import { wallClock } from './scenarios/wall-clock.ts';

export const SCENARIOS: readonly Scenario[] = [
  selfTest,
  gatewayKill,
  brokerKill,
  bothKill,
  powerCut,
  diskFull,
  fsyncError,
  brokerAway,
  slowPuback,
  halfOpen,
  wallClock,
  udpLoss,
  serialNoise,
];
