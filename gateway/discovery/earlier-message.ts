/** Reads a discovery message that is at the broker already (pure). Anybody may have written it. */

export interface EarlierMessage {
  readonly viaDevice: string;
  /** Its components by key, with their platform. */
  readonly platforms: Map<string, string>;
}

/** More than a device of ours can have. */
const MAX_COMPONENTS = 300;
const KEY = /^[a-z0-9_-]{1,64}$/;

/** Undefined: it is none of a device behind a gateway. */
export function parseEarlier(payload: Buffer): EarlierMessage | undefined {
  let message: unknown;
  try {
    message = JSON.parse(payload.toString('utf8'));
  } catch {
    return undefined;
  }
  const { device, components } = objectOf(message);
  const { via_device: viaDevice } = objectOf(device);
  if (typeof viaDevice !== 'string') return undefined;
  const platforms = new Map<string, string>();
  for (const [key, component] of Object.entries(objectOf(components))) {
    const { platform } = objectOf(component);
    if (typeof platform !== 'string' || !KEY.test(key) || !KEY.test(platform)) continue;
    if (platforms.size < MAX_COMPONENTS) platforms.set(key, platform);
  }
  return { viaDevice, platforms };
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
