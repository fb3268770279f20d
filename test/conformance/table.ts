/** The conformance table, for terminals and closing notes. */
import type { Count, DeviceResult } from './check.ts';

const HEAD = [
  'device',
  'profile',
  'vectors',
  'framed',
  'checked',
  'values right',
  'requests',
  'invalid rejected',
  'remarks',
];

/** One row a device, a row of sums, then what is wrong and what is explained. */
export function table(results: readonly DeviceResult[]): string {
  const covered = results.filter(({ profile }) => profile !== undefined);
  const sum = (pick: (result: DeviceResult) => Count): Count =>
    covered.reduce((total, result) => ({ ok: total.ok + pick(result).ok, of: total.of + pick(result).of }), {
      ok: 0,
      of: 0,
    });
  const rows = results.map((result) => [
    result.device,
    result.profile ?? 'not covered',
    String(result.vectors),
    ...(result.profile === undefined
      ? ['', '', '', '', '']
      : [result.framed, result.checked, result.values, result.requests, result.invalid].map(share)),
    remark(result),
  ]);
  const total = [
    'all',
    `${covered.length} of ${results.length}`,
    String(results.reduce((all, { vectors }) => all + vectors, 0)),
    ...[
      sum((r) => r.framed),
      sum((r) => r.checked),
      sum((r) => r.values),
      sum((r) => r.requests),
      sum((r) => r.invalid),
    ].map(share),
    `${covered.reduce((all, { wrong }) => all + wrong.length, 0)} wrong`,
  ];
  const lines = [HEAD, HEAD.map(() => '---'), ...rows, total].map((row) => `| ${row.join(' | ')} |`);
  const wrong = results.flatMap((result) => result.wrong.map((text) => `- ${text}`));
  const explained = results.flatMap((result) =>
    result.remarks.map((text) => `- ${result.profile === undefined ? `${result.file}: ` : ''}${text}`),
  );
  return [
    ...lines,
    ...(wrong.length > 0 ? ['', 'Wrong:', '', ...wrong] : []),
    ...(explained.length > 0 ? ['', 'Explained:', '', ...explained] : []),
    '',
  ].join('\n');
}

function remark({ profile, wrong, remarks }: DeviceResult): string {
  if (profile === undefined) return 'see below';
  if (wrong.length > 0) return `${wrong.length} wrong`;
  return remarks.length > 0 ? `${remarks.length} explained` : '';
}

function share({ ok, of }: Count): string {
  return of === 0 ? '–' : `${ok} of ${of}`;
}
