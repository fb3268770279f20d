/** Certificates for tests, made by the openssl program in a folder of their own. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Paths of PEM files. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface Certificates {
  readonly folder: string;
  /** A CA, and two certificates that it has signed: for `localhost` and 127.0.0.1, and for a device. */
  readonly ca: Certificate;
  readonly server: Certificate;
  readonly device: Certificate;
  /** Signed by nobody but itself. */
  readonly stranger: Certificate;
  /** Signed by the CA, and valid for so many days. */
  signed(name: string, days: number): Certificate;
  /** What the options of node:tls want. */
  read(certificate: Certificate): { cert: Buffer; key: Buffer };
  remove(): void;
}

/** Makes them (in about 50 ms). It needs openssl: `lacks('openssl')`. */
export function makeCertificates(): Certificates {
  const folder = mkdtempSync(join(tmpdir(), 'bytes2mqtt-tls-'));
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const paths = (name: string): Certificate => ({
    cert: join(folder, `${name}.crt`),
    key: join(folder, `${name}.key`),
  });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

  function selfSigned(name: string, isCa: boolean): Certificate {
    const { cert, key } = paths(name);
    const constraint = ['-addext', `basicConstraints=critical,CA:${isCa ? 'TRUE' : 'FALSE'}`];
    openssl(
      'req',
      '-x509',
      ...newKey,
      '-keyout',
      key,
      '-out',
      cert,
      '-days',
      '60',
      '-subj',
      `/CN=${name}`,
      ...constraint,
    );
    return { cert, key };
  }

  const ca = selfSigned('ca', true);
  const names = join(folder, 'names.cnf');
  writeFileSync(names, 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');

  function signed(name: string, days: number): Certificate {
    const { cert, key } = paths(name);
    const request = join(folder, `${name}.csr`);
    openssl('req', ...newKey, '-keyout', key, '-out', request, '-subj', `/CN=${name}`);
    const by = ['-CA', ca.cert, '-CAkey', ca.key, '-CAcreateserial', '-extfile', names];
    openssl('x509', '-req', '-in', request, ...by, '-days', String(days), '-out', cert);
    return { cert, key };
  }

  return {
    folder,
    ca,
    server: signed('server', 60),
    device: signed('device', 60),
    stranger: selfSigned('stranger', false),
    signed,
    read: ({ cert, key }) => ({ cert: readFileSync(cert), key: readFileSync(key) }),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
