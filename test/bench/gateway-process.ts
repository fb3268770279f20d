/** The gateway in a process of its own, which tells its CPU time and memory when asked. Run as a child process. */
import { loadConfig } from '../../gateway/config/load.ts';
import { startGateway } from '../../gateway/gateway.ts';
import { createLog } from '../../gateway/log.ts';

export interface Usage {
  readonly cpuUs: number;
  readonly rssBytes: number;
}

// Without the disk, unless it is asked for: then the figures are those of the gateway and not of the machine's disk.
const env = { BYTES2MQTT_JOURNAL_DURABILITY: process.env['BYTES2MQTT_JOURNAL_DURABILITY'] ?? 'memory' };
const loaded = loadConfig({ path: process.argv[2], env, cwd: process.cwd() });
if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
const gateway = await startGateway(loaded.config, createLog({ level: 'error', pretty: false }));

process.on('message', (message) => {
  if (message === 'usage') {
    const { user, system } = process.cpuUsage();
    process.send?.({ cpuUs: user + system, rssBytes: process.memoryUsage.rss() } satisfies Usage);
  } else if (message === 'collect') {
    // With --expose-gc: what is resident is then what is held.
    (globalThis as { gc?: () => void }).gc?.();
    process.send?.({ collected: true });
  } else if (message === 'health') {
    process.send?.(gateway.health());
  }
});
process.on('disconnect', () => process.exit());
const ports = gateway.sources.map(({ where }) => Number(where.slice(where.lastIndexOf(':') + 1)));
process.send?.({ ports });
