export function wordOf(state: 'open' | 'closed'): string | undefined {
  switch (state) {
    case 'open':
      return 'o';
  }
  return undefined;
}
