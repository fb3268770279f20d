/** The sections of the home: HTTP and Home Assistant's discovery. */
import { isLoopback } from './plain.ts';
import type { Finding } from './problem.ts';
import type { DiscoveryConfig, FileConfig, HttpConfig } from './schema.ts';

export function buildHttp({ http }: FileConfig, problems: Finding[]): HttpConfig | undefined {
  if (!http.enabled) return undefined;
  if (http.token === undefined && !isLoopback(http.host)) {
    problems.push({
      code: 'CONFIG_CONFLICT',
      path: ['http', 'host'],
      message:
        'opens the page to other machines, so it needs http.token: write "token: !secret http_token" below it, and a line "http_token: …" with at least 16 characters into secrets.yaml',
    });
  }
  return { host: http.host, port: http.port, token: http.token, allowedHosts: http.allowed_hosts };
}

export function buildDiscovery({ discovery, mqtt }: FileConfig, problems: Finding[]): DiscoveryConfig | undefined {
  if (!discovery.enabled) return undefined;
  const { prefix, status_topic: statusTopic = `${prefix}/status` } = discovery;
  // Else one would take the other's topics for its own.
  if (isWithin(prefix, mqtt.base) || isWithin(mqtt.base, prefix)) {
    problems.push({
      code: 'CONFIG_CONFLICT',
      path: ['discovery', 'prefix'],
      message: `must not be the same as mqtt.base (${mqtt.base}), nor lie within it, nor the other way round`,
    });
  }
  if (/[+#\0]/.test(statusTopic)) {
    problems.push({ code: 'CONFIG_INVALID', path: ['discovery', 'status_topic'], message: 'must not have wildcards' });
  }
  return { prefix, statusTopic };
}

function isWithin(topic: string, prefix: string): boolean {
  return topic === prefix || topic.startsWith(`${prefix}/`);
}
