/** What discovery says of a device with a profile. */
import type { Device } from '../devices/device.ts';
import { profileDeviceId } from '../devices/profile-device-id.ts';
import type { ProfileDevice } from '../sessions/profile/profile-device.ts';
import type { DeviceProfile } from './discovery-message.ts';

/** Undefined: it speaks the link protocol. `known`: it is on a source, or was heard on one. */
export function deviceProfileOf(device: Device, known: ProfileDevice | undefined): DeviceProfile | undefined {
  if (known !== undefined) return { ...known.use.profile.about, uses: (number) => known.uses(number) };
  const { id, schema } = device;
  // Only the journal knows it so far.
  const isOne = schema !== undefined && profileDeviceId(schema.name) === id;
  return isOne ? { vendor: undefined, title: schema.model, models: [], uses: () => true } : undefined;
}
