export function anything(value: any): string {
  const copy: { name: string } = value;
  value.call();
  take(value);
  return value;
}

function take(text: string): number {
  return text.length;
}

export function sure(text: string | undefined): string {
  return text!;
}
