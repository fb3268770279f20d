/** All targets, in the order in which they run. A new one is one file here and one line below. */
import { CONFIG_TARGETS } from './targets/config.ts';
import { FRAMING_TARGETS } from './targets/framing.ts';
import { HTTP_TARGETS } from './targets/http.ts';
import { LINK_TARGETS } from './targets/link.ts';
import { MQTT_TARGETS } from './targets/mqtt.ts';
import { PROFILE_TARGETS } from './targets/profile.ts';
import { SECURE_TARGETS } from './targets/secure.ts';
import { SEALED_SESSION_TARGETS } from './targets/session-sealed.ts';
import { SESSION_TARGETS } from './targets/session.ts';
import { TEXT_TARGETS } from './targets/text.ts';
import type { Target } from './target.ts';

export const TARGETS: readonly Target[] = [
  ...FRAMING_TARGETS,
  ...LINK_TARGETS,
  ...SESSION_TARGETS,
  ...SEALED_SESSION_TARGETS,
  ...SECURE_TARGETS,
  ...PROFILE_TARGETS,
  ...MQTT_TARGETS,
  ...CONFIG_TARGETS,
  ...HTTP_TARGETS,
  ...TEXT_TARGETS,
];
