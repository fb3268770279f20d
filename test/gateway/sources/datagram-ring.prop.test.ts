import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { DatagramRing } from '../../../gateway/sources/datagram-ring.ts';

const peer = { address: '127.0.0.1', port: 1 };

test('is a queue that loses only its oldest, and only beyond its bounds', () => {
  const steps = fc.array(fc.option(fc.nat({ max: 700 })), { maxLength: 300 });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 1, max: 8_000 }),
      steps,
      (maxCount, maxBytes, list) => {
        const ring = new DatagramRing(maxCount, maxBytes);
        const model: Uint8Array[] = [];
        const cost = () => model.reduce((sum, bytes) => sum + bytes.length + 200, 0);
        let dropped = 0;
        for (const size of list) {
          if (size === null) {
            expect(ring.shift()?.bytes).toBe(model.shift());
          } else {
            const bytes = new Uint8Array(size);
            ring.push({ bytes, peer });
            if (size + 200 > maxBytes) {
              dropped++;
            } else {
              model.push(bytes);
              while (model.length > maxCount || cost() > maxBytes) {
                model.shift();
                dropped++;
              }
            }
          }
          expect([ring.count, ring.bytes, ring.dropped]).toEqual([model.length, cost(), dropped]);
        }
        while (model.length > 0) expect(ring.shift()?.bytes).toBe(model.shift());
        expect(ring.shift()).toBeUndefined();
      },
    ),
  );
});
