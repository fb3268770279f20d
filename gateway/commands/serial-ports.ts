/**
 * The serial ports of this machine. On Linux read from /sys and /dev, because the way of the serialport package needs the
 * program `udevadm`, which small systems and containers lack.
 */
import { readdir, readFile, realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';

export interface SerialPortInfo {
  /** `/dev/ttyUSB0` */
  readonly path: string;
  /** The name under /dev/serial/by-id, which stays when other devices are plugged in. */
  readonly stablePath: string | undefined;
  /** What its USB descriptor says, as it says it: show it through `printable`. */
  readonly manufacturer: string | undefined;
  readonly product: string | undefined;
  readonly serialNumber: string | undefined;
  /** `1a86:7523` */
  readonly usbId: string | undefined;
}

/** Where the kernel shows devices; a test has its own. */
export interface DeviceFolders {
  readonly dev: string;
  readonly sys: string;
}

const SERIAL_NAME = /^tty(USB|ACM|AMA|S|O|THS|mxc|SC|AP|GS|XRUSB|WCH)\d+$/;

export async function listSerialPorts(
  folders: DeviceFolders = { dev: '/dev', sys: '/sys' },
  platform: NodeJS.Platform = process.platform,
): Promise<SerialPortInfo[]> {
  return platform === 'linux' ? listLinux(folders) : listElsewhere();
}

async function listLinux({ dev, sys }: DeviceFolders): Promise<SerialPortInfo[]> {
  const stable = await stableNames(join(dev, 'serial', 'by-id'));
  const names = (await namesIn(dev)).filter((name) => SERIAL_NAME.test(name));
  const ports: SerialPortInfo[] = [];
  for (const name of names.toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }))) {
    const folder = join(sys, 'class', 'tty', name);
    // The kernel keeps places for ports of a PC that were never built in: their type is 0.
    if ((await read(join(folder, 'type'))) === '0') continue;
    const usb = await usbFolder(join(folder, 'device'));
    const vendor = usb && (await read(join(usb, 'idVendor')));
    const product = usb && (await read(join(usb, 'idProduct')));
    ports.push({
      path: join(dev, name),
      stablePath: stable.get(name),
      manufacturer: usb && (await read(join(usb, 'manufacturer'))),
      product: usb && (await read(join(usb, 'product'))),
      serialNumber: usb && (await read(join(usb, 'serial'))),
      usbId: vendor !== undefined && product !== undefined ? `${vendor}:${product}` : undefined,
    });
  }
  return ports;
}

async function listElsewhere(): Promise<SerialPortInfo[]> {
  const { SerialPort } = await import('serialport');
  return (await SerialPort.list()).map((port) => ({
    path: port.path,
    stablePath: undefined,
    manufacturer: port.manufacturer,
    product: undefined,
    serialNumber: port.serialNumber,
    usbId:
      port.vendorId !== undefined && port.productId !== undefined ? `${port.vendorId}:${port.productId}` : undefined,
  }));
}

/** From `ttyUSB0` to the link that points at it. */
async function stableNames(folder: string): Promise<Map<string, string>> {
  const links = new Map<string, string>();
  for (const name of await namesIn(folder)) {
    try {
      links.set(basename(await realpath(join(folder, name))), join(folder, name));
    } catch {
      // unplugged this moment
    }
  }
  return links;
}

/** The device's own folder lies one or two above that of its interface. */
async function usbFolder(device: string): Promise<string | undefined> {
  let folder: string;
  try {
    folder = await realpath(device);
  } catch {
    return undefined;
  }
  for (let up = 0; up < 3; up++) {
    if ((await read(join(folder, 'idVendor'))) !== undefined) return folder;
    folder = join(folder, '..');
  }
  return undefined;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch {
    return [];
  }
}

async function read(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch {
    return undefined;
  }
}
