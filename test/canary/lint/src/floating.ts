async function work(): Promise<boolean> {
  await Promise.resolve();
  return true;
}

export function floats(): void {
  work();
}

export function misuses(items: readonly string[]): number {
  return work() ? items.length : 0;
}

export async function waits(): Promise<number> {
  return await 5;
}

export function rejects(): Promise<never> {
  return Promise.reject('a string');
}

export function throws(): never {
  throw 'a string';
}
