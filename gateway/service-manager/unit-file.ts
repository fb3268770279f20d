/**
 * The unit file of the gateway for systemd (systemd.service(5), systemd.exec(5)). What the sandbox leaves it is what it needs:
 * one folder to write, its configuration to read, sockets, and serial lines.
 */

export interface UnitOptions {
  /** Absolute paths of Node, of the program and of the configuration. */
  readonly node: string;
  readonly program: string;
  readonly config: string;
  readonly user: string;
  /** The group that serial devices belong to; undefined: this machine has none. */
  readonly serialGroup: string | undefined;
  /** Folders beside its own that it writes to, absolute. */
  readonly writable: readonly string[];
  /** One of its files lies in somebody's home. */
  readonly seesHomes: boolean;
  /** It listens on a port below 1024. */
  readonly lowPorts: boolean;
}

/** With which a gateway is started that runs for years. */
export const NODE_FLAGS = ['--max-semi-space-size=4', '--v8-pool-size=1'] as const;

/** First line of every unit file of ours: only such a file is written over. */
export const UNIT_MARK = '# Written by "bytes2mqtt install-service".';

/** Name of the unit, of the user, and of the folders in /etc, /run and /var/lib. */
export const SERVICE = 'bytes2mqtt';

export function unitFile(options: UnitOptions): string {
  const { node, program, config, user, serialGroup, writable, seesHomes, lowPorts } = options;
  const capability = lowPorts ? 'CAP_NET_BIND_SERVICE' : '';
  return `${UNIT_MARK}
# Changes of yours belong into a file beside it, which stays when this one is written anew: systemctl edit ${SERVICE}

[Unit]
Description=bytes2mqtt: devices that speak bytes in, MQTT out
# Neither has to be there: what is not is tried again. An order spares the first lines of the log.
After=network.target mosquitto.service
# The kinds of serial device that DeviceAllow names have to be known when the service starts, plugged in or not.
Wants=modprobe@usbserial.service modprobe@cdc_acm.service
After=modprobe@usbserial.service modprobe@cdc_acm.service

[Service]
# Ready when every source has been tried once. The messages come from systemd-notify, a child of the gateway.
Type=notify
NotifyAccess=all
# V8 keeps up to 48 MB for young objects when it sees fit; 12 do, also in a flood. Each of its threads holds on to memory, too.
ExecStart=${[node, ...NODE_FLAGS, program, 'run', '--config', config].map(word).join(' ')}
ExecReload=/bin/kill -HUP $MAINPID
User=${user}
${serialGroup === undefined ? '' : `SupplementaryGroups=${serialGroup}\n`}
# A journal of a gigabyte is read at the start; what the broker does not take within two seconds waits for the next one.
TimeoutStartSec=5min
TimeoutStopSec=30s
WatchdogSec=60s
Restart=on-failure
RestartSec=5s
# A faulty configuration does not get better by trying.
RestartPreventExitStatus=2

# The journal: /var/lib/${SERVICE}. For Unix-domain sockets: /run/${SERVICE}.
StateDirectory=${SERVICE}
StateDirectoryMode=0700
RuntimeDirectory=${SERVICE}
UMask=0027
${writable.length === 0 ? '' : `ReadWritePaths=${writable.map(word).join(' ')}\n`}
# Keys of devices are in its memory.
LimitCORE=0
NoNewPrivileges=yes
CapabilityBoundingSet=${capability}
AmbientCapabilities=${capability}
ProtectSystem=strict
ProtectHome=${seesHomes ? 'read-only' : 'yes'}
PrivateTmp=yes
DevicePolicy=closed
DeviceAllow=char-tty* rw
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProcSubset=pid
RemoveIPC=yes
# NETLINK lists the addresses of this machine.
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
# Not MemoryDenyWriteExecute: V8 writes machine code.

[Install]
WantedBy=multi-user.target
`.replaceAll(/\n{3,}/g, '\n\n');
}

/** A word of a command line or a list: systemd takes % for specifiers, $ for variables, and splits at spaces. */
function word(text: string): string {
  const literal = text.replaceAll('%', '%%').replaceAll('$', '$$$$');
  return /^[\w%$./:@+,=-]+$/.test(literal) ? literal : `"${literal.replaceAll(/[\\"]/g, String.raw`\$&`)}"`;
}
