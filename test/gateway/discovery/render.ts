/**
 * What Home Assistant makes of a state with a template of ours: its templates are Jinja's, and these are all that we send
 * (home-assistant-schema.ts knows no others).
 */
const KEY = /value_json\['([a-z0-9_]+)'\]/;

/** The text, as Python writes values: `None`, `True`, and numbers as JavaScript has them. */
export function render(template: string, payload: string): string {
  const json = JSON.parse(payload) as Record<string, unknown>;
  if (template.includes('tojson')) return JSON.stringify({ ...json, event_type: json['type'] });
  if (template.includes('timestamp_utc')) return new Date(Number(json['last_seen'])).toISOString();
  if (template.includes('memory_bytes')) return (Number(json['memory_bytes']) / 1_048_576).toFixed(1);
  const path = /^\{\{ value_json\.([a-z_.]+) \| default\(none\) \}\}$/.exec(template)?.[1];
  if (path !== undefined) return text(at(json, path.split('.')));
  const value = json[KEY.exec(template)?.[1] ?? ''];
  if (template.includes("('ON' if v else 'OFF')"))
    return value === null || value === undefined ? 'None' : value ? 'ON' : 'OFF';
  if (template.includes('v + 0 if v is number')) {
    return typeof value === 'number' || typeof value === 'boolean' ? String(Number(value)) : 'None';
  }
  if (template.includes('[:255]')) return text(value).slice(0, 255);
  return text(value);
}

function at(json: unknown, [first, ...rest]: readonly string[]): unknown {
  if (first === undefined || json === null || json === undefined) return json;
  return at((json as Record<string, unknown>)[first], rest);
}

function text(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  // Home Assistant takes spaces off the ends of what was rendered.
  return (typeof value === 'string' ? value : JSON.stringify(value)).trim();
}
