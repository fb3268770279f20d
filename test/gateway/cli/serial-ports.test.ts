import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listSerialPorts } from '../../../gateway/commands/serial-ports.ts';
import { configFolder } from '../../helpers/config-folder.ts';

describe('listSerialPorts on Linux, without udevadm', () => {
  it('finds USB adapters with their stable names, boards, and built-in ports', async () => {
    const root = configFolder({
      'dev/ttyUSB10': '',
      'dev/ttyUSB2': '',
      'dev/ttyAMA0': '',
      'dev/ttyS0': '',
      'dev/ttyS1': '',
      'dev/tty1': '',
      'dev/null': '',
      'sys/devices/usb1/1-1/idVendor': '1a86\n',
      'sys/devices/usb1/1-1/idProduct': '7523\n',
      'sys/devices/usb1/1-1/product': 'USB2.0-Serial\n',
      'sys/devices/usb1/1-1/1-1:1.0/ttyUSB2/port_number': '0\n',
      'sys/class/tty/ttyS0/type': '4\n',
      'sys/class/tty/ttyS1/type': '0\n',
      'dev/serial/by-id/.keep': '',
    });
    mkdirSync(join(root, 'sys/class/tty/ttyUSB2'));
    symlinkSync(join(root, 'sys/devices/usb1/1-1/1-1:1.0/ttyUSB2'), join(root, 'sys/class/tty/ttyUSB2/device'));
    symlinkSync('../../ttyUSB2', join(root, 'dev/serial/by-id/usb-1a86'));
    symlinkSync('../../ttyUSB99', join(root, 'dev/serial/by-id/gone'));

    const ports = await listSerialPorts({ dev: join(root, 'dev'), sys: join(root, 'sys') }, 'linux');
    expect(ports.map((port) => port.path.slice(root.length))).toEqual([
      '/dev/ttyAMA0',
      '/dev/ttyS0',
      '/dev/ttyUSB2',
      '/dev/ttyUSB10',
    ]);
    expect(ports[2]).toMatchObject({
      stablePath: join(root, 'dev/serial/by-id/usb-1a86'),
      usbId: '1a86:7523',
      product: 'USB2.0-Serial',
      manufacturer: undefined,
    });
  });

  it('finds none where there is nothing', async () => {
    const root = configFolder();
    expect(await listSerialPorts({ dev: join(root, 'dev'), sys: join(root, 'sys') }, 'linux')).toEqual([]);
  });
});
