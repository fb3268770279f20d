/** Devices over TLS, with the built programs: those with a certificate get in, the others are told why not. */
import { afterEach, describe, expect, test } from 'vitest';
import { makeCertificates } from '../helpers/certificates.ts';
import { startFleet } from '../helpers/fleet-program.ts';
import { GatewayProgram } from '../helpers/gateway-program.ts';
import { lacks } from '../helpers/programs.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

describe.skipIf(lacks('openssl'))('device-sim over TLS', () => {
  test('with a client CA', async () => {
    const pem = makeCertificates();
    cleanups.push(() => pem.remove());
    const { cert, key } = pem.server;
    const tls = { cert, key, client_ca: pem.ca.cert };
    const gateway = new GatewayProgram([{ name: 'tls', tcp: '127.0.0.1:0', tls }], {
      journal: { durability: 'memory' },
    });
    cleanups.push(async () => expect(await gateway.stop()).toBe(0));
    const where = `localhost:${await gateway.port('tls')}`;
    const trust = ['--tls', where, '--tls-ca', pem.ca.cert];

    const own = ['--tls-cert', pem.device.cert, '--tls-key', pem.device.key];
    const good = await startFleet(...trust, ...own, '--devices', '3', '--rate', '50', '--count', '20', '--seed', '1')
      .result;
    expect(good.code).toBe(0);
    expect(good.acknowledged).toHaveLength(60);

    const rest = ['--devices', '1', '--rate', '10', '--count', '1', '--drain', '1', '--for', '1'];
    const bad = await startFleet(...trust, ...rest).result;
    expect(bad.acknowledged).toEqual([]);
    const line = await gateway.line(({ code }) => code === 'TLS_HANDSHAKE');
    expect(line).toMatchObject({ reason: 'no-certificate', source: 'tls' });

    // And the other way round: a device that does not trust this gateway.
    const distrust = await startFleet('--tls', where, '--tls-ca', pem.stranger.cert, ...own, ...rest).result;
    expect(distrust.acknowledged).toEqual([]);
  });
});
