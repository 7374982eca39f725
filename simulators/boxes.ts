/**
 * A phone's screen or message as a box in the terminal, with what it costs in septets or UCS-2 units.
 */

const WIDTH = 34;

/** A text that was shown, with its true size. */
export type Shown = {
  readonly title: string;
  readonly text: string;
  readonly alphabet: 'gsm7' | 'ucs2';
  readonly units: number;
  readonly limit: number;
};

/** The box: title, lines folded at 34 columns, and a foot such as `72/182 GSM-7`. */
export function boxed(shown: Shown): string {
  const lines = shown.text.split('\n').flatMap(folded);
  const unit = shown.alphabet === 'gsm7' ? 'GSM-7' : 'UCS-2';
  const foot = ` ${shown.units}/${shown.limit} ${unit} `;
  const head = ` ${shown.title} `.slice(0, WIDTH);
  return [
    `┌─${head}${'─'.repeat(Math.max(0, WIDTH + 1 - head.length))}┐`,
    ...lines.map((line) => `│ ${line.padEnd(WIDTH)} │`),
    `└${'─'.repeat(Math.max(0, WIDTH + 1 - foot.length))}${foot}─┘`,
  ].join('\n');
}

function folded(line: string): readonly string[] {
  const parts: string[] = [];
  let rest = line;
  while (rest.length > WIDTH) {
    const space = rest.lastIndexOf(' ', WIDTH);
    const at = space > 0 ? space : WIDTH;
    parts.push(rest.slice(0, at));
    rest = rest.slice(space > 0 ? at + 1 : at);
  }
  return [...parts, rest];
}
