/**
 * A simulated vending controller with its shelves, keys and display, at the machine agent's hardware port. It counts
 * the goods that leave it by itself: what the link says about them is another matter.
 */
import type {
  HardwareEvent,
  HardwareInfo,
  HardwareSetup,
  VendingHardware,
} from '../src/automaton-link/agent/vending-hardware.ts';
import type { CancelTimer, Clock, DurationMs } from '../src/time.ts';

/** What is on a shelf. `price`: minor units; null where only the server knows it. */
export type Good = {
  readonly item: number;
  readonly name: string;
  readonly price: bigint | null;
  readonly stock: number;
};

/** What goes wrong at the next delivery. `sensor_silent`: the good drops and nobody notices; `hang`: nothing happens. */
export type HardwareFault = 'jam' | 'sold_out' | 'motor' | 'sensor_silent' | 'hang' | 'vmc_reset';

/** What a person in front of the machine sees. */
export type HardwareNote =
  | { readonly kind: 'display'; readonly text: string }
  | { readonly kind: 'selected'; readonly item: number; readonly price: bigint | null }
  | { readonly kind: 'go_ahead'; readonly item: number }
  | { readonly kind: 'dropped'; readonly item: number }
  | { readonly kind: 'failed'; readonly item: number; readonly code: string }
  | { readonly kind: 'free' };

/** What simulated hardware is made of. */
export type HardwareOptions = {
  readonly goods: readonly Good[];
  readonly clock: Clock;
  /** From the go-ahead to the good; 300 when left out. */
  readonly deliveryTakesMs?: DurationMs;
  readonly onNote?: (note: HardwareNote) => void;
  /** Called right before the go-ahead is carried out, and right after a good has dropped, for power cuts. */
  readonly onPoint?: (point: 'before_delivery' | 'after_delivery') => void;
};

type Request = { readonly selection: number; readonly item: number; stage: 'requested' | 'delivering' };

/** Simulated hardware. Times are those of the clock handed in. */
export class SimulatedHardware implements VendingHardware {
  readonly #options: HardwareOptions;
  readonly #stock: Map<number, number>;
  readonly #droppedGoods = new Map<number, number>();
  #listener: (event: HardwareEvent) => void = () => undefined;
  #isPowered = false;
  #selections = 0;
  #request: Request | null = null;
  #fault: HardwareFault | null = null;
  #deliveryTakesMs: DurationMs;
  #goAheads = 0;
  #shown = '';
  #stopDelivery: CancelTimer = () => undefined;

  constructor(options: HardwareOptions) {
    this.#options = options;
    this.#deliveryTakesMs = options.deliveryTakesMs ?? 300;
    this.#stock = new Map(options.goods.map(({ item, stock }) => [item, stock]));
  }

  // -- the agent's port --------------------------------------------------------------------------------------------------

  open(_setup: HardwareSetup): Promise<HardwareInfo> {
    this.#isPowered = true;
    this.#request = null;
    this.#show('Choose a product');
    return Promise.resolve({ hw: 'other', mdbLevel: null, alwaysIdle: true, display: true });
  }

  onEvent(listener: (event: HardwareEvent) => void): void {
    this.#listener = listener;
  }

  approve(selection: number): Promise<void> {
    this.#options.onPoint?.('before_delivery');
    const request = this.#request;
    if (!this.#isPowered || request?.selection !== selection || request.stage !== 'requested') return Promise.resolve();
    request.stage = 'delivering';
    this.#goAheads += 1;
    this.#options.onNote?.({ kind: 'go_ahead', item: request.item });
    this.#stopDelivery = this.#options.clock.after(this.#deliveryTakesMs, () => this.#deliver(request));
    return Promise.resolve();
  }

  deny(selection: number): Promise<void> {
    if (this.#isPowered && this.#request?.selection === selection) this.#setFree();
    return Promise.resolve();
  }

  display(text: string): Promise<void> {
    if (this.#isPowered) this.#show(text === '' ? 'Choose a product' : text);
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.powerOff();
    return Promise.resolve();
  }

  // -- the person in front of it -----------------------------------------------------------------------------------------

  /** A product key. False: the machine is off, delivering, has no such good, or none left, and nothing happens. */
  select(item: number): boolean {
    const good = this.#options.goods.find((one) => one.item === item);
    if (!this.#isPowered || good === undefined || (this.#stock.get(item) ?? 0) <= 0) return false;
    if (this.#request?.stage === 'delivering') return false;
    this.#selections += 1;
    this.#request = { selection: this.#selections, item, stage: 'requested' };
    this.#options.onNote?.({ kind: 'selected', item, price: good.price });
    this.#listener({ kind: 'selected', selection: this.#selections, item, amount: good.price });
    return true;
  }

  /** The cancel key. */
  cancel(): void {
    this.#withdraw('user');
  }

  /** Coins instead: the good is sold for cash, and that drop is not counted here. */
  payCash(): void {
    this.#withdraw('cash');
  }

  /** Goods that left, of one item or of all; counted by the flap, through every power cut. */
  dropped(item?: number): number {
    if (item !== undefined) return this.#droppedGoods.get(item) ?? 0;
    return [...this.#droppedGoods.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Times that the controller got the go-ahead. */
  get goAheads(): number {
    return this.#goAheads;
  }

  /** What the display shows; empty without power. */
  get shown(): string {
    return this.#shown;
  }

  /** True while no request is in hand. */
  get isFree(): boolean {
    return this.#request === null;
  }

  // -- faults ------------------------------------------------------------------------------------------------------------

  /** What goes wrong at each delivery from now on; null: nothing any more. */
  setFault(fault: HardwareFault | null): void {
    this.#fault = fault;
  }

  /** How long a delivery takes from now on. */
  setDeliveryTime(ms: DurationMs): void {
    this.#deliveryTakesMs = ms;
  }

  /** The controller drops off its bus, or is back. */
  setDown(isDown: boolean): void {
    this.#listener(isDown ? { kind: 'down', cause: 'bus' } : { kind: 'ready' });
  }

  /** No power: what is in hand is gone, motors stand still. */
  powerOff(): void {
    this.#isPowered = false;
    this.#stopDelivery();
    this.#request = null;
    this.#listener = () => undefined;
    this.#shown = '';
  }

  #withdraw(cause: 'user' | 'cash'): void {
    const request = this.#request;
    if (!this.#isPowered || request === null || request.stage !== 'requested') return;
    this.#listener({ kind: 'withdrawn', selection: request.selection, cause });
  }

  #deliver(request: Request): void {
    const { selection, item } = request;
    const fault = this.#fault;
    if (!this.#isPowered || fault === 'hang') return;
    if (fault === 'vmc_reset') {
      this.#setFree();
      this.#listener({ kind: 'lost', selection, basis: 'vmc_reset' });
      return;
    }
    if (fault !== null && fault !== 'sensor_silent') {
      this.#options.onNote?.({ kind: 'failed', item, code: fault });
      this.#setFree();
      this.#listener({ kind: 'failed', selection, code: fault });
      return;
    }
    this.#droppedGoods.set(item, this.dropped(item) + 1);
    this.#stock.set(item, (this.#stock.get(item) ?? 0) - 1);
    this.#options.onNote?.({ kind: 'dropped', item });
    if (fault === 'sensor_silent') return;
    this.#options.onPoint?.('after_delivery');
    if (!this.#isPowered) return;
    this.#setFree();
    this.#listener({ kind: 'delivered', selection });
  }

  #setFree(): void {
    this.#stopDelivery();
    this.#request = null;
    this.#options.onNote?.({ kind: 'free' });
  }

  #show(text: string): void {
    this.#shown = text.slice(0, 32);
    this.#options.onNote?.({ kind: 'display', text: this.#shown });
  }
}
