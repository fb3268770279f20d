/** The bring-up services, as the configuration names them. */
export const SERVICES = ['echo', 'upper', 'greet', 'discard', 'time'] as const;

export type ServiceName = (typeof SERVICES)[number];
