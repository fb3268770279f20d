/**
 * value = raw × scale / divisor + offset, in whole numbers wherever decimals allow:
 *
 * ```
 *   scale 0.1, offset −273.15      value × 100 = raw × 10 − 27315      M = 10, K = −27315, decimals = 2
 * ```
 *
 * so that 2981 tenths of a kelvin are 24.95 °C and not 24.950000000000045.
 */

export interface Linear {
  /** (raw × M + K) / 10^decimals; undefined when no decimals are enough (a divisor of 3). */
  readonly exact: { readonly M: number; readonly K: number; readonly decimals: number } | undefined;
  /** The factor and what is added, as floats. */
  readonly factor: number;
  readonly offset: number;
}

const MAX_DECIMALS = 15;

/** What the three keys mean together. */
export function linearOf(scale = 1, divisor = 1, offset = 0): Linear {
  return { exact: exactOf(scale, divisor, offset), factor: scale / divisor, offset };
}

function exactOf(scale: number, divisor: number, offset: number): Linear['exact'] {
  const s = decimal(scale);
  const d = decimal(divisor);
  const o = decimal(offset);
  if (s === undefined || d === undefined || o === undefined || d.digits === 0n) return undefined;
  const above = s.digits * 10n ** BigInt(d.decimals);
  const below = d.digits * 10n ** BigInt(s.decimals);
  for (let decimals = 0; decimals <= MAX_DECIMALS; decimals++) {
    const ten = 10n ** BigInt(decimals);
    const unit = 10n ** BigInt(o.decimals);
    if ((above * ten) % below !== 0n || (o.digits * ten) % unit !== 0n) continue;
    const M = Number((above * ten) / below);
    const K = Number((o.digits * ten) / unit);
    return Number.isSafeInteger(M) && Number.isSafeInteger(K) ? { M, K, decimals } : undefined;
  }
  return undefined;
}

/** A number as its shortest decimal says it. */
function decimal(value: number): { digits: bigint; decimals: number } | undefined {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(value));
  if (match === null) return undefined;
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match;
  const digits = BigInt(sign + whole + fraction);
  const decimals = fraction.length - Number(exponent);
  if (decimals > 30 || decimals < -30) return undefined;
  return decimals < 0 ? { digits: digits * 10n ** BigInt(-decimals), decimals: 0 } : { digits, decimals };
}
