export const count: number = 'five';

export function first(list: readonly string[]): string {
  return list[0];
}

export const settings: { readonly limit?: number } = { limit: undefined };

export function read(table: Readonly<Record<string, string>>): string | undefined {
  return table.name;
}

export enum State {
  open,
}
