export function connect(): void {
  // Nothing: a place for purchase/ to reach for.
}
