/**
 * The newest rows of a stream, and those before them as far as somebody has gone back, outside React:
 * what shows them asks for the version and for single rows, so that a hundred thousand of them cost
 * nothing to render.
 */
export class Ring<T> {
  private rows: (T | undefined)[] = [];
  /** Rows from before the first that was pushed, the newest first. */
  private before: T[] = [];
  private next = 0;
  private changes = 0;
  private listeners = new Set<() => void>();

  /** At most `capacity` rows are kept, older ones included. */
  constructor(readonly capacity: number) {}

  /**
   * The number of the oldest row kept. The first that was pushed has 0, those before it count down,
   * and numbers go on for ever.
   */
  get first(): number {
    return this.before.length > 0 ? -this.before.length : Math.max(0, this.next - this.capacity);
  }

  /** Rows kept. */
  get length(): number {
    return this.next - this.first;
  }

  /** Rows that ever were pushed. */
  get total(): number {
    return this.next;
  }

  /** Whether older rows would have no place: what is newest is kept. */
  get full(): boolean {
    return this.length >= this.capacity;
  }

  /** The `index`th row kept, oldest first. */
  at(index: number): T | undefined {
    if (index < 0 || index >= this.length) return undefined;
    const number = this.first + index;
    return number < 0 ? this.before[-1 - number] : this.rows[number % this.capacity];
  }

  push(rows: readonly T[]): void {
    if (rows.length === 0) return;
    for (const row of rows) {
      this.rows[this.next % this.capacity] = row;
      this.next += 1;
    }
    const room = Math.max(0, this.capacity - this.next);
    if (this.before.length > room) this.before.length = room;
    this.changed();
  }

  /** Puts rows before all others, the newest of them first; those that have no room are left out. */
  putBefore(rows: readonly T[]): void {
    const fit = rows.slice(0, this.capacity - this.length);
    if (fit.length === 0) return;
    this.before.push(...fit);
    this.changed();
  }

  private changed(): void {
    this.changes += 1;
    this.listeners.forEach((listener) => listener());
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Changes whenever there is something else to show. */
  version = (): number => this.changes;
}
