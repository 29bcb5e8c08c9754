// Numbers as Python's `json` writes them.

/** Python neither reads nor writes an integer with more digits, since that takes the square of their number. */
export const maxDigits = 4300;

/**
 * The shortest text that reads back to the same double, in Python's form: `1.0`, `1e+16`, `1e-05`, `NaN`, `-Infinity`.
 */
export function pythonFloat(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Object.is(value, -0)) return '-0.0';
  const [mantissa = '', exponentText = ''] = value.toExponential().split('e');
  const exponent = Number(exponentText);
  if (exponent < -4 || exponent >= 16) {
    const sign = exponent < 0 ? '-' : '+';
    return `${mantissa}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
  const text = positional(mantissa, exponent);
  return text.includes('.') ? text : `${text}.0`;
}

/** `1.5`, 3 → `1500`. */
function positional(mantissa: string, exponent: number): string {
  const sign = mantissa.startsWith('-') ? '-' : '';
  const digits = mantissa.replace(/[-.]/g, '');
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  const fraction = digits.slice(exponent + 1);
  return sign + (fraction === '' ? whole : `${whole}.${fraction}`);
}
