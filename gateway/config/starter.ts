/** The file that `bytes2mqtt init` writes: a valid configuration, and everything else as a comment to uncomment. */
export const STARTER = `# bytes2mqtt: devices that speak bytes in, MQTT out.
#
#   bytes2mqtt check    is this file right, and is what it names there?
#   bytes2mqtt run      start the gateway
#   bytes2mqtt schema > bytes2mqtt.schema.json    what makes the next line work in an editor
# yaml-language-server: $schema=bytes2mqtt.schema.json
#
# Every key can also be set in the environment, which wins: mqtt.url is BYTES2MQTT_MQTT_URL,
# the address of the first source BYTES2MQTT_SOURCES_0_TCP, and so on.

mqtt:
  # Without a url an embedded broker starts on this machine: good for a first look, keeps nothing over a restart.
  # url: mqtt://localhost:1883
  # username: gateway
  # password: !secret mqtt          # a line "mqtt: ..." in secrets.yaml beside this file, or BYTES2MQTT_SECRET_MQTT
  # ca: ca.pem                      # for mqtts:// with a certificate of your own
  base: bytes2mqtt                  # first level of every topic

sources:
  # Reachable from this machine only, so whoever comes is let in: good for a first look, also with "device-sim".
  # For devices in your network write 0.0.0.0 (every IPv4 address of this machine) instead of 127.0.0.1. There, only
  # devices with a key are let in (see "devices" below). Where you trust everybody who can reach the port, a line
  # "plain: true" under the address lets the others in, too.
  - tcp: 127.0.0.1:2883
  - udp: 127.0.0.1:2883

  # A microcontroller on a cable. "bytes2mqtt ports" lists what is plugged in.
  # - serial: /dev/serial/by-id/usb-1a86_USB_Serial-if00-port0
  #   baud: 115200

  # A sensor, meter or battery with a protocol of its own. "bytes2mqtt profiles" lists what is known.
  # - serial: /dev/ttyUSB1
  #   profile: pms5003
  #   device: air_livingroom        # its name in topics

  # A program on this machine.
  # - unix: /run/bytes2mqtt/link.sock
  #   mode: "0660"

  # A serial-to-network bridge, which listens while the gateway connects.
  # - connect: 192.168.1.50:8899

  # A simple peer for the first program on a new network stack: echo, upper, greet, discard or time.
  # - tcp: 127.0.0.1:7007
  #   service: echo

# An alias gives a device a readable topic. A key, which the device has too, keeps everybody else out, and what it says
# secret. To make one, "bytes2mqtt key new a1b2c3d4e5f60718 --print" puts it into secrets.yaml and shows what to write.
# devices:
#   a1b2c3d4e5f60718: { alias: greenhouse, key: !secret greenhouse }

# What peers may take, and the defaults.
# limits:
#   connections: 1024
#   connections_per_address: 64
#   keepalive_s: 30

# What a device has been acknowledged is kept here until the broker has it, also over a power cut.
# journal:
#   dir: /var/lib/bytes2mqtt        # default: bytes2mqtt-data beside this file
#   durability: power               # process: survives the end of the gateway only; memory: nothing is written
#   max_bytes: 1073741824

# The dashboard, its API and metrics: on this machine only, unless host says otherwise.
# http:
#   host: 0.0.0.0                   # for every machine in the network; then it wants a token
#   port: 2880
#   token: !secret http_token       # a line "http_token: ..." in secrets.yaml, at least 16 characters

# Home Assistant finds the devices by itself, under this prefix.
# discovery:
#   prefix: homeassistant

log:
  level: info                       # debug, info, warn, error, fatal, silent
  # format: json                    # auto, pretty, json
`;
