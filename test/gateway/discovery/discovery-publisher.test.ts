import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RegisteredDevice } from '../../../gateway/devices/registry.ts';
import { bridgeNodeId, nodeIdOf } from '../../../gateway/discovery/discovery-message.ts';
import { DiscoveryPublisher } from '../../../gateway/discovery/discovery-publisher.ts';
import { Topics } from '../../../gateway/mqtt/topics.ts';
import type { ChannelDeclaration } from '../../../protocol/index.ts';
import { deviceDiscovery, type Entity } from './home-assistant-schema.ts';

const STATUS = 'homeassistant/status';

function channel(name: string, more: Partial<ChannelDeclaration> = {}): ChannelDeclaration {
  return {
    number: name.charCodeAt(0),
    type: 'u8',
    class: 'none',
    scale: 0,
    writable: false,
    totalIncreasing: false,
    diagnostic: false,
    name,
    unit: '',
    ...more,
  };
}

function declare(device: RegisteredDevice, ...channels: ChannelDeclaration[]): void {
  device.declare({ name: 'n', model: '', firmware: '', channels });
}

/** A discovery publisher and all that it says. */
class World {
  readonly devices: RegisteredDevice[] = [];
  readonly published: { topic: string; payload: string; retain: boolean }[] = [];
  readonly subscribed = new Set<string>();
  readonly restated: string[] = [];
  readonly topics = new Topics('b2m');
  readonly discovery: DiscoveryPublisher;

  constructor(remembers = true) {
    this.discovery = this.#create(remembers);
  }

  #create(remembers: boolean): DiscoveryPublisher {
    return new DiscoveryPublisher({
      prefix: 'homeassistant',
      statusTopic: STATUS,
      version: '1',
      topics: this.topics,
      devices: () => this.devices,
      remembers,
      restate: (device) => this.restated.push(device.alias),
      connection: {
        publish: (topic, payload, { retain = false } = {}) => void this.published.push({ topic, payload, retain }),
        subscribe: (filter) => void this.subscribed.add(filter),
        unsubscribe: (filter) => void this.subscribed.delete(filter),
      },
    });
  }

  add(n: number, ...channels: ChannelDeclaration[]): RegisteredDevice {
    const device = new RegisteredDevice(n.toString(16).padStart(16, '0'), `d${n}`);
    declare(device, ...channels);
    this.devices.push(device);
    return device;
  }

  /** What was said of a device so far: the components of each message, or nothing for an empty one. */
  messagesOf(device: { readonly id: string }): (Record<string, { platform: string }> | undefined)[] {
    const topic = `homeassistant/device/${nodeIdOf('b2m', device.id)}/config`;
    return this.published
      .filter((message) => message.topic === topic)
      .map(({ payload, retain }) => {
        if (payload === '') return undefined;
        const { components } = deviceDiscovery.parse(JSON.parse(payload));
        const isRemoval = Object.values(components).some((component) => Object.keys(component).length === 1);
        // What is retained in the end must not hold components that are only there to be removed.
        expect(retain).toBe(!isRemoval);
        return Object.fromEntries(Object.entries(components).filter(([key]) => !key.startsWith('link-')));
      });
  }
}

let world: World;
beforeEach(() => {
  vi.useFakeTimers();
  world = new World();
});
afterEach(() => {
  world.discovery.close();
  vi.useRealTimers();
});

describe('discovery', () => {
  it('tells of all devices and of the gateway when it is connected', async () => {
    const device = world.add(1, channel('a'));
    world.discovery.connected();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(world.messagesOf(device)).toHaveLength(1);
    expect(world.published[0]?.topic).toBe(`homeassistant/device/${bridgeNodeId('b2m')}/config`);
  });

  it('says nothing of a device that has no channels yet, and tells of them once they are there', async () => {
    const device = world.add(1);
    world.discovery.connected();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(world.messagesOf(device)).toEqual([]);
    declare(device, channel('a'));
    world.discovery.deviceChanged(device);
    world.discovery.deviceChanged(device);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(world.messagesOf(device)).toHaveLength(1);
    world.discovery.deviceChanged(device);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(world.messagesOf(device)).toHaveLength(1);
  });

  it('removes channels that are gone, and those that have become something else', async () => {
    const device = world.add(1, channel('a'), channel('b'), channel('c'));
    world.discovery.connected();
    await vi.advanceTimersByTimeAsync(2_000);
    declare(device, channel('b'), channel('c', { type: 'bool' }));
    world.discovery.deviceChanged(device);
    await vi.advanceTimersByTimeAsync(2_000);
    const [, removing, final] = world.messagesOf(device);
    expect(removing).toMatchObject({ a: { platform: 'sensor' }, c: { platform: 'sensor' } });
    expect(Object.keys(removing?.['c'] ?? {})).toEqual(['platform']);
    expect(Object.keys(final ?? {})).toEqual(['b', 'c']);
    expect(final?.['c']).toMatchObject({ platform: 'binary_sensor' });
  });

  it('tells everything again, and the states, when Home Assistant has started', async () => {
    const devices = Array.from({ length: 25 }, (_, n) => world.add(n + 1, channel('a')));
    world.discovery.connected();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(world.restated).toEqual([]);
    expect(world.discovery.received(STATUS, Buffer.from('online'), true)).toBe(true);
    expect(world.discovery.received(STATUS, Buffer.from('offline'), false)).toBe(true);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(world.restated).toEqual([]);
    world.discovery.received(STATUS, Buffer.from('online'), false);
    await vi.advanceTimersByTimeAsync(1_000);
    // Not all in one go, and a state not before Home Assistant has subscribed to it.
    expect(world.messagesOf(devices[9]!)).toHaveLength(2);
    expect(world.messagesOf(devices[10]!)).toHaveLength(1);
    expect(world.restated).toEqual([]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(world.restated).toHaveLength(10);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(world.restated).toEqual(devices.map(({ alias }) => alias));
    expect(world.messagesOf(devices[24]!)).toHaveLength(2);
  });

  it('removes a device that is forgotten', async () => {
    const device = world.add(1, channel('a'));
    world.discovery.connected();
    await vi.advanceTimersByTimeAsync(2_000);
    world.devices.length = 0;
    world.discovery.deviceRemoved(device);
    expect(world.messagesOf(device).at(-1)).toBeUndefined();
  });

  it('removes what an earlier run has left, and nothing of anybody else', async () => {
    const device = world.add(1, channel('a'));
    world.discovery.connected();
    expect([...world.subscribed]).toContain('homeassistant/device/+/config');
    const found = (nodeId: string, via: string, retain = true): boolean =>
      world.discovery.received(
        `homeassistant/device/${nodeId}/config`,
        Buffer.from(JSON.stringify({ device: { via_device: via } })),
        retain,
      );
    const ours = bridgeNodeId('b2m');
    expect(found('bytes2mqtt_00000000000000ff', ours)).toBe(true);
    found(nodeIdOf('b2m', device.id), ours);
    found('bytes2mqtt_00000000000000aa', bridgeNodeId('other'));
    found('zigbee2mqtt_1', 'zigbee2mqtt_bridge');
    world.discovery.received('homeassistant/device/x/config', Buffer.from('{'), true);
    const emptied = world.published.filter(({ payload }) => payload === '').map(({ topic }) => topic);
    expect(emptied).toEqual(['homeassistant/device/bytes2mqtt_00000000000000ff/config']);
    await vi.advanceTimersByTimeAsync(5_000);
    expect([...world.subscribed]).toEqual([STATUS]);
  });

  it('leaves other topics to others', () => {
    expect(world.discovery.received('homeassistant/sensor/x/config', Buffer.from(''), false)).toBe(false);
    expect(world.discovery.received('homeassistant/device/a/b/config', Buffer.from(''), false)).toBe(false);
    expect(world.discovery.received('b2m/d1/set', Buffer.from(''), false)).toBe(false);
  });

  it('removes channels that went while the gateway was not there', async () => {
    const device = world.add(1, channel('a'));
    const topic = `homeassistant/device/${nodeIdOf('b2m', device.id)}/config`;
    const earlier = {
      device: { via_device: bridgeNodeId('b2m') },
      components: { a: { platform: 'sensor' }, old: { platform: 'switch' }, 'bad key': { platform: 'sensor' } },
    };
    world.discovery.connected();
    world.discovery.received(topic, Buffer.from(JSON.stringify(earlier)), true);
    await vi.advanceTimersByTimeAsync(3_000);
    const [removing, final, ...more] = world.messagesOf(device);
    expect(removing).toMatchObject({ old: { platform: 'switch' } });
    expect(Object.keys(final ?? {})).toEqual(['a']);
    expect(more).toEqual([]);
  });

  it('tells nothing without a connection, and then all', async () => {
    const device = world.add(1, channel('a'), channel('b'));
    world.discovery.connected();
    await vi.advanceTimersByTimeAsync(2_000);
    world.discovery.disconnected();
    declare(device, channel('a'));
    world.discovery.deviceChanged(device);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(world.messagesOf(device)).toHaveLength(1);
    world.discovery.connected();
    await vi.advanceTimersByTimeAsync(5_000);
    const [, removing, final] = world.messagesOf(device);
    expect(removing).toMatchObject({ b: { platform: 'sensor' } });
    expect(Object.keys(final ?? {})).toEqual(['a']);
    expect(world.restated).toEqual(['d1']);
  });

  it('tells a renamed device again, with its new topics', async () => {
    const device = world.add(1, channel('a'));
    world.discovery.connected();
    await vi.advanceTimersByTimeAsync(2_000);
    device.alias = 'greenhouse';
    world.discovery.deviceRenamed(device);
    await vi.advanceTimersByTimeAsync(4_000);
    const [before, after] = world.messagesOf(device);
    expect(after?.['a']).toMatchObject({ state_topic: 'b2m/greenhouse' });
    // The same entity as before.
    const { unique_id: id } = (before?.['a'] ?? {}) as Partial<Entity>;
    expect(after?.['a']).toMatchObject({ unique_id: id });
    expect(world.restated).toEqual(['greenhouse']);
  });

  it('leaves what it does not know when nothing is remembered over a restart, until the device is there', async () => {
    world = new World(false);
    world.discovery.connected();
    const nodeId = nodeIdOf('b2m', '0000000000000005');
    const earlier = { device: { via_device: bridgeNodeId('b2m') }, components: { old: { platform: 'sensor' } } };
    const topic = `homeassistant/device/${nodeId}/config`;
    world.discovery.received(topic, Buffer.from(JSON.stringify(earlier)), true);
    expect(world.published.filter(({ payload }) => payload === '')).toEqual([]);
    const device = world.add(5, channel('a'));
    world.discovery.deviceChanged(device);
    await vi.advanceTimersByTimeAsync(3_000);
    const [removing, final] = world.messagesOf(device);
    expect(removing).toMatchObject({ old: { platform: 'sensor' } });
    expect(Object.keys(final ?? {})).toEqual(['a']);
  });
});
