/**
 * The newest rows of a stream, outside React: what shows them asks for the version and for single
 * rows, so that a hundred thousand of them cost nothing to render.
 */
export class Ring<T> {
  private rows: (T | undefined)[];
  private next = 0;
  private listeners = new Set<() => void>();

  /** At most `capacity` rows are kept. */
  constructor(readonly capacity: number) {
    this.rows = [];
  }

  /** The number of the oldest row kept; numbers go on for ever. */
  get first(): number {
    return Math.max(0, this.next - this.capacity);
  }

  /** Rows kept. */
  get length(): number {
    return this.next - this.first;
  }

  /** Rows that ever were; changes whenever there is something new to show. */
  get total(): number {
    return this.next;
  }

  /** The `index`th row kept, oldest first. */
  at(index: number): T | undefined {
    if (index < 0 || index >= this.length) return undefined;
    return this.rows[(this.first + index) % this.capacity];
  }

  push(rows: readonly T[]): void {
    if (rows.length === 0) return;
    for (const row of rows) {
      this.rows[this.next % this.capacity] = row;
      this.next += 1;
    }
    this.listeners.forEach((listener) => listener());
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  version = (): number => this.next;
}
