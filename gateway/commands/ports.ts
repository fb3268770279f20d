/** `bytes2mqtt ports`: the serial ports of this machine. */
import { printable } from '../../protocol/index.ts';
import { EXIT } from '../exit-codes.ts';
import type { ExitCode } from '../exit-codes.ts';
import { listSerialPorts } from './serial-ports.ts';
import { paintFor, printError, printOut } from './terminal.ts';

export async function ports(options: { readonly json?: boolean }): Promise<ExitCode> {
  const found = await listSerialPorts();
  if (options.json === true) {
    printOut(JSON.stringify(found, undefined, 2));
    return EXIT.ok;
  }
  if (found.length === 0) {
    printError('There is no serial port on this machine. A USB device appears here a moment after it is plugged in.');
    return EXIT.ok;
  }
  const colours = paintFor(process.stdout);
  for (const port of found) {
    const about = [port.manufacturer, port.product, port.usbId, port.serialNumber].filter((part) => part !== undefined);
    printOut(`${colours.bold(port.path)}${about.length === 0 ? '' : `  ${printable(about.join(', '))}`}`);
    if (port.stablePath !== undefined) printOut(colours.dim(`  stays the same: ${printable(port.stablePath)}`));
  }
  return EXIT.ok;
}
