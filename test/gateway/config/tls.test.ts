import { afterAll, describe, expect, it } from 'vitest';
import { checkResources } from '../../../gateway/commands/check-resources.ts';
import { makeCertificates } from '../../helpers/certificates.ts';
import { loadText } from '../../helpers/config-folder.ts';
import { lacks } from '../../helpers/programs.ts';

const FILES = { 'cert.pem': 'x', 'key.pem': 'x', 'ca.pem': 'x' };

function load(text: string, env: Record<string, string> = {}) {
  const loaded = loadText(text, env, FILES);
  return {
    problems: loaded.ok ? [] : loaded.problems.map(({ code, path, message }) => `${code} ${path} ${message}`),
    warnings: loaded.warnings.map(({ code, path }) => `${code} ${path}`),
    source: loaded.ok ? loaded.config.sources[0] : undefined,
  };
}

/** A TLS listener that every machine reaches. */
function outside(more: string): string {
  return `sources: [{ tcp: "0.0.0.0:0", tls: { cert: cert.pem, key: key.pem${more} } }]\n`;
}

/** What `check` says of a listener with this certificate and key. */
async function check(cert: string, key: string) {
  const loaded = loadText(`sources:\n  - tcp: 127.0.0.1:0\n    tls:\n      cert: ${cert}\n      key: ${key}\n`);
  if (!loaded.ok) throw new Error('must load');
  const { problems, warnings } = await checkResources(loaded);
  return [...problems, ...warnings].map(({ code, path, line }) => `${code} ${path} ${line}`);
}

describe('tls of a tcp source', () => {
  it('has absolute paths, and the limits of handshakes', () => {
    const text =
      'sources: [{ tcp: "127.0.0.1:0", tls: { cert: cert.pem, key: key.pem } }]\nlimits: { handshake_s: 2 }\n';
    const { problems, source } = load(text);
    expect(problems).toEqual([]);
    expect(source).toMatchObject({ tls: { handshakeMs: 2_000, maxHandshakes: 64, files: { clientCa: undefined } } });
    const files = source?.kind === 'tcp' ? source.tls?.files : undefined;
    expect(files?.cert).toMatch(/^\/.*\/cert\.pem$/);
  });

  it('needs certificate and key, and files that can be read', () => {
    const [missing] = load('sources: [{ tcp: "127.0.0.1:0", tls: { cert: cert.pem } }]\n').problems;
    expect(missing).toMatch(/^CONFIG_INVALID sources\[0\]\.tls\.key/);
    const [unreadable] = load('sources: [{ tcp: "127.0.0.1:0", tls: { cert: no.pem, key: key.pem } }]\n').problems;
    expect(unreadable).toMatch(/^FILE_UNREADABLE sources\[0\]\.tls\.cert/);
    const [empty] = load('sources: [{ tcp: "127.0.0.1:0", tls: }]\n').problems;
    expect(empty).toMatch(/^CONFIG_INVALID sources\[0\]\.tls/);
  });

  it('is for tcp, and knows its keys', () => {
    const [udp] = load('sources: [{ udp: "127.0.0.1:0", tls: { cert: cert.pem, key: key.pem } }]\n').problems;
    expect(udp).toMatch(/^CONFIG_UNKNOWN_KEY sources\[0\]\.tls/);
    const [typo] = load('sources: [{ tcp: "127.0.0.1:0", tls: { cert: cert.pem, kee: key.pem } }]\n').problems.slice(
      -1,
    );
    expect(typo).toMatch(/^CONFIG_UNKNOWN_KEY sources\[0\]\.tls\.kee .*Did you mean key/);
  });

  it('comes from the environment, too', () => {
    const { source, problems } = load('sources: [{ tcp: "127.0.0.1:0" }]\n', {
      BYTES2MQTT_SOURCES_0_TLS_CERT: 'cert.pem',
      BYTES2MQTT_SOURCES_0_TLS_KEY: 'key.pem',
      BYTES2MQTT_SOURCES_0_TLS_CLIENT_CA: 'ca.pem',
    });
    expect(problems).toEqual([]);
    expect(source).toMatchObject({ tls: { files: { clientCa: expect.stringMatching(/ca\.pem$/) } } });
  });

  it('lets devices without a key in from outside only with a client CA', () => {
    expect(load(outside('')).source).toMatchObject({ plain: false });
    const authenticated = load(outside(', client_ca: ca.pem'));
    expect(authenticated.source).toMatchObject({ plain: true });
    expect(authenticated.warnings).toEqual([]);
  });
});

describe.skipIf(lacks('openssl'))('check', () => {
  const pem = lacks('openssl') ? undefined : makeCertificates();
  afterAll(() => pem?.remove());

  it('tells a key that does not match, and a certificate that will expire, each at its line', async () => {
    if (pem === undefined) return;
    expect(await check(pem.server.cert, pem.server.key)).toEqual([]);
    expect(await check(pem.server.cert, pem.device.key)).toEqual(['TLS_CERTIFICATE sources[0].tls.key 5']);
    expect(await check(pem.server.key, pem.server.key)).toEqual(['TLS_CERTIFICATE sources[0].tls.cert 4']);
    const { cert, key } = pem.signed('brief', 3);
    expect(await check(cert, key)).toEqual(['TLS_CERTIFICATE sources[0].tls.cert 4']);
  });
});
