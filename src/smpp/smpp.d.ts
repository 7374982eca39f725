/** Our own types of the few things we use of npm `smpp` 0.5.1, which has none. */
declare module 'smpp' {
  class PDU {
    constructor(command: string, fields?: Readonly<Record<string, unknown>>);
    constructor(octets: Buffer);
    readonly command: string;
    readonly [field: string]: unknown;
    toBuffer(): Buffer;
  }
  const smpp: { readonly PDU: typeof PDU };
  export default smpp;
}
