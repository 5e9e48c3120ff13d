import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { generate } from 'selfsigned';

/** A key and a certificate that signs itself, as files. */
export class Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.certFile = join(folder, 'cert.pem');
    this.keyFile = join(folder, 'key.pem');
  }

  /** @param host the name that the certificate is for: a DNS name or an address. */
  static async for(host: string): Promise<Certificate> {
    const certificate = new Certificate(await mkdtemp(join(tmpdir(), 'beads-tls-')));
    const isAddress = /^[\d.]+$/.test(host);
    const name = isAddress ? { type: 7 as const, ip: host } : { type: 2 as const, value: host };
    const { cert, private: key } = await generate([{ name: 'commonName', value: host }], {
      extensions: [
        { name: 'basicConstraints', cA: true },
        { name: 'subjectAltName', altNames: [name] },
      ],
    });
    await writeFile(certificate.certFile, cert);
    await writeFile(certificate.keyFile, key);
    return certificate;
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}
