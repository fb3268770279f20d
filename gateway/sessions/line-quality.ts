/** How good a line is: what came on it that could not be used. */
import type { Item } from '../../protocol/index.ts';

export class LineQuality {
  /** Frames taken apart, good and bad. */
  frames = 0;
  /** Bytes that belong to no frame. */
  skippedBytes = 0;
  /** Frames and skips of which the checksum was wrong. */
  checksumErrors = 0;

  take(item: Item): void {
    if (item.kind === 'frame') {
      this.frames++;
      return;
    }
    if (item.reason === 'fill') return;
    this.skippedBytes += item.wireLength;
    if (item.reason === 'bad-checksum') this.checksumErrors++;
  }

  /** A frame whose own checksum, behind that of the framing, is wrong. */
  badChecksum(): void {
    this.checksumErrors++;
  }
}
