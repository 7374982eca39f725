export function used(): void {
  // Nothing: it is only there to be called.
}

export function unused(): void {
  // Nothing: nobody calls it.
}
