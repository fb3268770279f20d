/** All targets, in the order in which they run. A new one is one file here and one line below. */
import { FRAMING_TARGETS } from './targets/framing.ts';
import { LINK_TARGETS } from './targets/link.ts';
import { MQTT_TARGETS } from './targets/mqtt.ts';
import { SECURE_TARGETS } from './targets/secure.ts';
import { TEXT_TARGETS } from './targets/text.ts';
import type { Target } from './target.ts';

export const TARGETS: readonly Target[] = [
  ...FRAMING_TARGETS,
  ...LINK_TARGETS,
  ...SECURE_TARGETS,
  ...MQTT_TARGETS,
  ...TEXT_TARGETS,
];
