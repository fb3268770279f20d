/**
 * What is allowed in a profile and yet most likely a slip: a unit that does not fit the class (Home Assistant would show the
 * value without its class), a Modbus address that is the number of a data sheet.
 */
import { type Profile, type ProfileChannel, printable } from '../../protocol/index.ts';
import { SENSOR_CLASSES } from '../discovery/device-classes.ts';

/** A sentence for each; empty when there is nothing to say. */
export function profileDoubts({ channels, messages }: Profile): string[] {
  return [...channels.flatMap(unitDoubt), ...messages.flatMap(({ name }) => addressDoubt(name))];
}

function unitDoubt({ alias, type, unit, class: kind }: ProfileChannel): string[] {
  const known = SENSOR_CLASSES[kind];
  if (type === 'bool' || type === 'string' || known === undefined || known.units.includes(unit)) return [];
  // The table has the micro sign and the Greek mu, which look the same.
  const fitting = [...new Set(known.units.map((one) => one.replace('\u00b5', '\u03bc')))].map(
    (one) => one || 'no unit',
  );
  const has = unit === '' ? 'has no unit' : `has the unit ${printable(unit, 16)}`;
  return [
    `${alias} ${has}, which does not fit class ${kind}; what fits: ${fitting.join(', ')}. Home Assistant would show it without the class`,
  ];
}

/** Blocks of registers are called by table and first address. */
function addressDoubt(message: string): string[] {
  const [, table, digits] = /^(holding|input) (\d+)$/.exec(message) ?? [];
  const base = table === 'holding' ? 40_000 : 30_000;
  const address = Number(digits);
  if (table === undefined || address < base || address > base + 9_999) return [];
  const number = Math.max(1, address - base);
  return [
    `register ${address} of table ${table}: at counts from 0, as on the wire; what a data sheet calls ${base + number} is at: ${number - 1} of ${table}. Right only when the data sheet says that ${address} itself is sent`,
  ];
}
