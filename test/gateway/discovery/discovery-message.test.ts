import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MODELS } from '../../../device-sim/models/models.ts';
import type { DeviceChannel } from '../../../gateway/devices/device.ts';
import { RegisteredDevice } from '../../../gateway/devices/registry.ts';
import {
  bridgeMessage,
  bridgeNodeId,
  deviceMessage,
  discoveryTopic,
  nodeIdOf,
  platformsOf,
  withoutGone,
} from '../../../gateway/discovery/discovery-message.ts';
import { Topics } from '../../../gateway/mqtt/topics.ts';
import { SENSOR_CLASSES } from '../../../gateway/discovery/device-classes.ts';
import { CHANNEL_CLASSES, type Schema, VALUE_TYPES } from '../../../protocol/index.ts';
import { deviceDiscovery } from './home-assistant-schema.ts';
import { stateClassesOf, UNITS } from './home-assistant-tables.ts';

const ID = 'a1b2c3d4e5f60718';
const options = { prefix: 'homeassistant', version: '1.2.3', topics: new Topics('bytes2mqtt') };

function described(schema: Schema): RegisteredDevice {
  const device = new RegisteredDevice(ID, 'greenhouse');
  device.declare(schema);
  return device;
}

/** The one component of a device that has this channel alone. */
function componentOf(channel: Partial<DeviceChannel>): Record<string, unknown> {
  const device = new RegisteredDevice(ID, 'greenhouse');
  const whole: DeviceChannel = {
    number: 1,
    alias: 'x',
    name: 'X',
    type: 'u16',
    class: 'none',
    scale: 0,
    unit: '',
    writable: false,
    totalIncreasing: false,
    diagnostic: false,
    ...channel,
  };
  device.describe({ name: 'n', model: '', firmware: '', channels: [] }, [whole]);
  const message = deviceMessage(device, options);
  deviceDiscovery.parse(message);
  return message.components['x'] as Record<string, unknown>;
}

describe('the discovery message of a device', () => {
  it.each(MODELS)('is one that Home Assistant accepts, for the model $name', ({ schema }) => {
    const message = deviceMessage(described(schema), options);
    deviceDiscovery.parse(message);
    const keys = Object.keys(message.components).filter((key) => !key.startsWith('link-'));
    expect(keys).toHaveLength(schema.channels.length);
  });

  it('says who the device is, who says so, and when it is available', () => {
    const message = deviceMessage(described(MODELS[0]!.schema), options);
    expect(message.device).toMatchObject({
      identifiers: [nodeIdOf('bytes2mqtt', ID)],
      via_device: bridgeNodeId('bytes2mqtt'),
    });
    expect(message.device).toMatchObject({ name: 'greenhouse', serial_number: ID });
    expect(message.origin).toEqual({ name: 'bytes2mqtt', sw_version: '1.2.3' });
    expect(message.availability_mode).toBe('all');
    expect(message.availability.map(({ topic }) => topic)).toEqual([
      'bytes2mqtt/bridge/state',
      'bytes2mqtt/greenhouse/availability',
    ]);
    expect(discoveryTopic('homeassistant', nodeIdOf('bytes2mqtt', ID))).toBe(
      `homeassistant/device/bytes2mqtt_${ID}/config`,
    );
  });

  it('is valid whatever a device declares', () => {
    const channel = fc.record({
      type: fc.constantFrom(...VALUE_TYPES.map(({ name }) => name)),
      class: fc.constantFrom(...CHANNEL_CLASSES.map(({ name }) => name)),
      scale: fc.integer({ min: -128, max: 127 }),
      unit: fc.constantFrom('', '°C', '%', 'V', 'kWh', 'µg/m³', 'furlong', '<b>'),
      writable: fc.boolean(),
      totalIncreasing: fc.boolean(),
      diagnostic: fc.boolean(),
      name: fc.constantFrom('a', 'A', "' }} {{ x", 'Tëmp', '#/+', '__proto__', '\u0000'),
    });
    fc.assert(
      fc.property(fc.array(channel, { maxLength: 12 }), fc.string({ maxLength: 20 }), (channels, name) => {
        const numbered = channels.map((declared, number) => ({ ...declared, number }));
        const message = deviceMessage(described({ name, model: name, firmware: '', channels: numbered }), options);
        deviceDiscovery.parse(message);
        const entities = Object.values(message.components) as Record<string, unknown>[];
        expect(new Set(entities.map(({ unique_id }) => unique_id)).size).toBe(entities.length);
      }),
    );
  });

  it('names what is gone once more, with its platform alone', () => {
    const before = platformsOf(deviceMessage(described(MODELS[0]!.schema), options));
    const device = described({ name: 'n', model: '', firmware: '', channels: [] });
    const message = withoutGone(deviceMessage(device, options), before);
    deviceDiscovery.parse(message);
    for (const [key, platform] of before) expect(message.components[key]).toEqual({ platform });
  });

  it('stays below 160 KiB for 256 channels with the longest names', () => {
    const channels = Array.from({ length: 256 }, (_, number) => ({
      number,
      type: 'u16' as const,
      class: 'voltage' as const,
      scale: -3,
      writable: true,
      totalIncreasing: false,
      diagnostic: true,
      name: `${'n'.repeat(60)}${number}`,
      unit: 'V',
    }));
    const json = JSON.stringify(deviceMessage(described({ name: 'n', model: '', firmware: '', channels }), options));
    expect(Buffer.byteLength(json)).toBeLessThan(163_840);
  });
});

describe('the entity of a channel', () => {
  it('gives a sensor its class, unit, state class and digits', () => {
    expect(componentOf({ class: 'temperature', unit: '°C', type: 'i16', scale: -1 })).toMatchObject({
      platform: 'sensor',
      unique_id: `bytes2mqtt_${ID}_x`,
      default_entity_id: 'sensor.greenhouse_x',
      device_class: 'temperature',
      unit_of_measurement: '°C',
      state_class: 'measurement',
      suggested_display_precision: 1,
      value_template: "{{ value_json['x'] | default(none) }}",
    });
  });

  it('leaves the class out when the unit is none of that class', () => {
    const entity = componentOf({ class: 'temperature', unit: '%' });
    expect(entity).not.toHaveProperty('device_class');
    expect(entity).toMatchObject({ unit_of_measurement: '%', state_class: 'measurement' });
  });

  it('counts a meter as a total', () => {
    const meter = { class: 'energy', unit: 'kWh' } as const;
    expect(componentOf({ ...meter, totalIncreasing: true })).toMatchObject({ state_class: 'total_increasing' });
    expect(componentOf(meter)).toMatchObject({ state_class: 'total' });
  });

  it('makes a bool a binary sensor, and one that can be set a switch', () => {
    expect(componentOf({ type: 'bool', class: 'door' })).toMatchObject({
      platform: 'binary_sensor',
      device_class: 'door',
    });
    expect(componentOf({ type: 'bool', class: 'switch', writable: true })).toMatchObject({
      platform: 'switch',
      device_class: 'switch',
      command_topic: 'bytes2mqtt/greenhouse/set/x',
    });
  });

  it('makes a number that can be set a number with bounds and step', () => {
    expect(componentOf({ type: 'u8', writable: true, scale: -1 })).toMatchObject({
      platform: 'number',
      min: 0,
      max: 25.5,
      step: 0.1,
      mode: 'box',
    });
    expect(componentOf({ type: 'i16', writable: true, range: [-5, 5], step: 0.5 })).toMatchObject({
      min: -5,
      max: 5,
      step: 0.5,
      mode: 'slider',
    });
  });

  it('makes one of a few texts an enum, and a select when it can be set', () => {
    const texts = { type: 'string', options: ['off', 'eco'] } as const;
    expect(componentOf(texts)).toMatchObject({ platform: 'sensor', device_class: 'enum', options: ['off', 'eco'] });
    expect(componentOf({ ...texts, writable: true })).toMatchObject({ platform: 'select', options: ['off', 'eco'] });
    expect(componentOf({ type: 'string', writable: true })).toMatchObject({ platform: 'text', max: 255 });
    expect(componentOf({ type: 'u8', control: 'button', writable: true, readable: false })).toMatchObject({
      platform: 'button',
    });
  });

  it('believes what was set where the channel never says it', () => {
    const entity = componentOf({ type: 'bool', writable: true, readable: false });
    expect(entity).toMatchObject({ optimistic: true });
    expect(entity).not.toHaveProperty('value_template');
  });
});

describe('the discovery message of the gateway', () => {
  it('is one that Home Assistant accepts', () => {
    deviceDiscovery.parse(bridgeMessage(options));
    expect(bridgeMessage(options).device).toMatchObject({ identifiers: ['bytes2mqtt_bridge_bytes2mqtt'] });
  });

  it('differs for gateways with other bases on one broker', () => {
    const bases = ['attic/b2m', 'attic_b2m', 'Attic/b2m', 'ättic/b2m', 'bytes2mqtt', 'b2m'];
    const [slash, plain] = bases.map(bridgeNodeId);
    expect(slash).toMatch(/^bytes2mqtt_bridge_attic_b2m_[0-9a-f]{6}$/);
    expect(plain).toBe('bytes2mqtt_bridge_attic_b2m');
    expect(new Set(bases.map(bridgeNodeId)).size).toBe(bases.length);
    // A device with a profile has its id from its name, which two gateways may both have given.
    expect(new Set(bases.map((base) => nodeIdOf(base, ID))).size).toBe(bases.length);
  });
});

describe('the entities of the line to a device', () => {
  const device = described(MODELS[0]!.schema);

  it('are diagnostic, and only what matters to most is enabled', () => {
    const { components } = deviceMessage(device, options);
    const line = Object.entries(components).filter(([key]) => key.startsWith('link-'));
    for (const [, entity] of line) expect(entity).toMatchObject({ entity_category: 'diagnostic' });
    const enabled = line.filter(([, entity]) => !('enabled_by_default' in entity)).map(([key]) => key);
    expect(enabled).toEqual(['link-checksum_errors', 'link-readings_lost', 'link-event']);
    expect(components['link-checksum_errors']).toMatchObject({ state_topic: 'bytes2mqtt/greenhouse/link' });
    expect(components['link-event']).toMatchObject({
      state_topic: 'bytes2mqtt/greenhouse/event',
      event_types: ['readings_lost'],
    });
  });

  it('are others for a device with a profile, which has a maker and no serial number', () => {
    const profile = {
      vendor: 'Plantower',
      title: 'PMS5003 dust sensor',
      models: ['PMS5003', 'PMS7003'],
      uses: () => true,
    };
    const message = deviceMessage(device, { ...options, profileOf: () => profile });
    deviceDiscovery.parse(message);
    expect(message.device).toMatchObject({ manufacturer: 'Plantower', model: 'PMS5003 dust sensor' });
    expect(message.device).not.toHaveProperty('serial_number');
    expect(message.components).toHaveProperty('link-timeouts');
    expect(message.components).not.toHaveProperty('link-event');
  });

  it('leaves out a channel that the profile does not have any more', () => {
    const profile = { vendor: undefined, title: 'x', models: [], uses: (number: number) => number !== 1 };
    const { components } = deviceMessage(device, { ...options, profileOf: () => profile });
    const gone = device.channels.get(1)?.alias ?? '';
    expect(Object.keys(components)).not.toContain(gone);
    expect(Object.keys(components).some((key) => device.channels.size > 1 && !key.startsWith('link-'))).toBe(true);
  });
});

describe('names', () => {
  it('of a device that nobody has named tell those of a kind apart', () => {
    const device = new RegisteredDevice(ID, ID);
    device.declare(MODELS[0]!.schema);
    expect(deviceMessage(device, options).device['name']).toBe(`${MODELS[0]!.schema.name} 0718`);
  });

  it('cannot become templates, topics or keys', () => {
    const name = `{{ states('x') }} {% raw %} "quoted' </script> 🙂 \u0007 #/+`;
    const device = new RegisteredDevice(ID, ID);
    device.declare({
      name,
      model: name,
      firmware: name,
      channels: [{ ...MODELS[0]!.schema.channels[0]!, name, number: 1 }],
    });
    const message = deviceMessage(device, options);
    // The schema knows all templates.
    deviceDiscovery.parse(message);
    const [entity] = Object.values(message.components) as Record<string, unknown>[];
    expect(entity?.['value_template']).toBe("{{ value_json['states_x_raw_quoted_script'] | default(none) }}");
    expect(entity?.['name']).toContain('🙂');
  });
});

describe('the table of device classes', () => {
  it('has no unit and no state class that Home Assistant would not take', () => {
    for (const { name, units, states } of Object.values(SENSOR_CLASSES)) {
      expect(Object.keys(UNITS)).toContain(name);
      for (const unit of units)
        expect({ name, unit, known: UNITS[name]?.includes(unit) }).toMatchObject({ known: true });
      const expected = { measurement: ['measurement'], total: ['total', 'total_increasing'], none: [] };
      expect(stateClassesOf(name)).toEqual(
        states === 'any' ? ['measurement', 'total', 'total_increasing'] : expected[states],
      );
    }
  });
});
