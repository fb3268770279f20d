/** How to connect to the broker, as the configuration says. */
import { readFileSync } from 'node:fs';
import type { MqttConfig } from '../config/schema.ts';
import type { MqttConnectionOptions } from './connection.ts';

/** `embeddedUrl`: where the embedded broker is, which takes the place of a missing `mqtt.url`. */
export function connectionOptions(
  mqtt: MqttConfig,
  embeddedUrl: string | undefined,
): Omit<MqttConnectionOptions, 'will' | 'clientId'> {
  const { username, password, ca, cert, key } = mqtt;
  return {
    url: mqtt.url ?? embeddedUrl ?? '',
    keepaliveS: mqtt.keepaliveS,
    rejectUnauthorized: mqtt.verify,
    ...(mqtt.url === undefined && { version: '3.1.1' as const }),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(ca !== undefined && { ca: readFileSync(ca) }),
    ...(cert !== undefined && { cert: readFileSync(cert) }),
    ...(key !== undefined && { key: readFileSync(key) }),
  };
}
