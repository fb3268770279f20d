/** A connection to the broker for a command of the command line: it stands soon, or it has failed. */
import { randomBytes } from 'node:crypto';
import type { MqttConfig } from '../config/schema.ts';
import type { GatewayError } from '../errors.ts';
import { connectionOptions } from './connection-options.ts';
import { MqttConnection, type MqttVersion } from './connection.ts';

/** Where the embedded broker of a gateway without `mqtt.url` is, unless that port was taken. */
const EMBEDDED_URL = 'mqtt://127.0.0.1:1883';
const CONNECT_MS = 5_000;

/** Rejects with a GatewayError when the broker cannot be reached or refuses. */
export async function connectForCommand(mqtt: MqttConfig): Promise<MqttConnection> {
  const connection = new MqttConnection({
    ...connectionOptions(mqtt, EMBEDDED_URL),
    clientId: `bytes2mqtt-command-${randomBytes(4).toString('hex')}`,
    connectTimeoutMs: CONNECT_MS,
    minBackoffMs: 50,
  });
  const failure = await connected(connection);
  if (failure === undefined) return connection;
  await connection.close(0);
  throw failure;
}

/** Resolves when it stands, or with why it does not. */
function connected(connection: MqttConnection): Promise<GatewayError | undefined> {
  const tried = new Set<MqttVersion>();
  return new Promise((resolve) => {
    connection.onConnected = () => {
      connection.onDisconnected = undefined;
      resolve(undefined);
    };
    tried.add(connection.version);
    connection.onDisconnected = (error) => {
      // The other version of MQTT gets a chance, too.
      if (tried.has(connection.version)) resolve(error);
      else tried.add(connection.version);
    };
    connection.start();
  });
}
