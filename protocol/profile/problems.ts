/** What is wrong with a profile file, collected while it is compiled: all of it at once, never thrown. */

export type Path = readonly (string | number)[];

/** A problem before it is known where in the file its path stands. */
export interface Finding {
  readonly path: Path;
  /** What would be right. */
  readonly message: string;
  /** The place is the key rather than its value. */
  readonly atKey: boolean;
}

export class Problems {
  readonly findings: Finding[] = [];

  add(path: Path, message: string, atKey = false): void {
    // One mistake seen from several sides is still one.
    if (this.findings.some((other) => other.message === message && formatPath(other.path) === formatPath(path))) return;
    this.findings.push({ path, message, atKey });
  }
}

/** `messages.basic.fields.cells`, `init[1].send` */
export function formatPath(path: Path): string {
  return path.map((part, i) => (typeof part === 'number' ? `[${part}]` : i === 0 ? part : `.${part}`)).join('');
}
