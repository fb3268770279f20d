/** How a serial line is set. */
export interface LineSettings {
  readonly baud: number;
  readonly dataBits: 5 | 6 | 7 | 8;
  readonly parity: 'none' | 'even' | 'odd';
  readonly stopBits: 1 | 2;
}

/** As data sheets write it: `9600 8E1`. */
export function lineText({ baud, dataBits, parity, stopBits }: LineSettings): string {
  return `${baud} ${dataBits}${parity.charAt(0).toUpperCase()}${stopBits}`;
}
