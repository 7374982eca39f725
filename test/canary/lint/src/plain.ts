import { Stats } from 'node:fs';

export default function sizeOf(stats: Stats): number {
  var size = stats.size;
  let isEmpty = size == 0;
  try {
    console.log(process.env['HOME'], isEmpty);
  } catch {}
  return size;
}
