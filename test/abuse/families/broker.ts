/** A broker that does not do what it should, and somebody who writes what only the gateway should. */
import { sample } from '../../helpers/link-device.ts';
import { type AbuseCase, type CaseGroup, must } from '../case.ts';
import { PubackFilter, type PubackMode } from '../pubacks.ts';
import { sleep, until, within } from '../wait.ts';
import { unique } from '../world.ts';

/** Connections that break again and again are made anew with growing pauses. */
const BACK_MS = 15_000;

const soon = <T>(work: Promise<T>, what: string): Promise<T> => within(work, 5_000, what);

/** Readings while the broker's PUBACKs are not what they should be; all are acknowledged, and published in the end. */
function pubacks(name: string, mode: PubackMode, counted: AbuseCase['counted'], cut = false): AbuseCase {
  return {
    name,
    counted,
    needs: 'mosquitto',
    async run(world) {
      const { proxy } = world;
      if (proxy === undefined) return 0;
      const filter = new PubackFilter();
      proxy.fromBroker = (chunk) => filter.pass(chunk);
      filter.mode = mode;
      const device = await world.device();
      await soon(device.hello(), 'WELCOME');
      const from = world.observer.seen.length;
      const values = Array.from({ length: 20 }, () => 2_000_000 + unique());
      for (const [index, value] of values.entries()) device.readings(index + 1, sample(value));
      await soon(device.acknowledged(20), 'ACK, whatever the broker does');
      must(await until(() => filter.struck >= 3, 3_000), 'no PUBACK came by');
      filter.mode = 'as they are';
      if (cut) {
        proxy.fromBroker = (chunk) => chunk;
        proxy.cut();
      }
      const alias = world.aliasOf(device);
      for (const value of values) {
        const published = await world.observer.state(alias, (json) => json.includes(`:${value},`), from, BACK_MS);
        must(published !== undefined, `the reading ${value} was not published`);
      }
      return 20 * 27;
    },
  };
}

/**
 * Somebody else writes what the broker is to remember of the journal, while the gateway is away and readings wait in it:
 * they have to be published all the same.
 */
function forgedWatermark(name: string, forge: (genuine: string) => string): AbuseCase {
  return {
    name,
    counted: { 'mqtt.connects': 'some' },
    needs: 'mosquitto',
    async run(world) {
      const { proxy, observer } = world;
      if (proxy === undefined) return 0;
      const topic = 'bridge/watermark';
      const isGenuine = (seen: { topic: string; payload: Buffer }): boolean =>
        seen.topic === `abuse/${topic}` && seen.payload.includes('"journal"');
      const genuine = await observer.message(isGenuine);
      must(genuine !== undefined, 'there is no watermark');
      const device = await world.device();
      await soon(device.hello(), 'WELCOME');
      // It comes back after a second or more.
      proxy.cut();
      const from = observer.seen.length;
      const value = 3_000_000 + unique();
      device.readings(1, sample(value));
      await soon(device.acknowledged(1), 'ACK');
      const forged = forge(genuine.payload.toString());
      await observer.publish(topic, forged, { retain: true });
      const alias = world.aliasOf(device);
      const published = await observer.state(alias, (json) => json.includes(`:${value},`), from, BACK_MS);
      must(published !== undefined, 'what was acknowledged was not published');
      return forged.length;
    },
  };
}

export const broker: CaseGroup = {
  family: 'broker',
  cases: [
    pubacks('PUBACKs that never come', 'never', { 'mqtt.resent': 'some', 'mqtt.connects': 1 }, true),
    pubacks('PUBACKs that come twice', 'twice', { 'mqtt.unknownAcks': 'some' }),
    pubacks('PUBACKs for what was never sent', 'unknown', { 'mqtt.unknownAcks': 'some' }),
    {
      name: 'a broker that speaks no MQTT any more',
      counted: { 'mqtt.connects': 'some' },
      needs: 'mosquitto',
      async run(world) {
        const { proxy } = world;
        if (proxy === undefined) return 0;
        // Packet type 0 is forbidden, in every version.
        proxy.fromBroker = () => Buffer.from([0x00, 0xff, 0xff, 0xff, 0xff, 0x7f]);
        await world.observer.publish('bridge/request/ping', '');
        await sleep(100);
        proxy.fromBroker = (chunk) => chunk;
        proxy.cut();
        await sleep(100);
        return 6;
      },
    },
  ],
};

export const watermark: CaseGroup = {
  family: 'watermark',
  cases: [
    forgedWatermark('a forged watermark, far ahead', (genuine) =>
      genuine
        .replace(/"lsn":\d+/, '"lsn":9007199254740991')
        .replace(/"beyond":\[.*?\](?=,"ts")/, '"beyond":[[1,9007199254740991]]'),
    ),
    forgedWatermark('a forged watermark of 0, and of the wrong types', (genuine) =>
      genuine.replace(/"lsn":\d+/, '"lsn":0').replace(/"beyond":\[/, '"beyond":[["__proto__",-1],null,'),
    ),
    forgedWatermark('garbage as a watermark', () => `{"journal":${'['.repeat(5_000)}`),
  ],
};
