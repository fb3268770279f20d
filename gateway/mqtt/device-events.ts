/** The values of `type` on `<device>/event`. */
export const DEVICE_EVENTS = ['readings_lost'] as const;

export type DeviceEvent = (typeof DEVICE_EVENTS)[number];
