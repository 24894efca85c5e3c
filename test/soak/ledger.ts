/** Who has which address, as the answers to ADD said: no address is ever given to two, nor before its rest is over. */
import assert from 'node:assert/strict';

/** Clocks of two processes differ by this at most. */
const CLOCKS_ms = 20;

interface Holding {
  readonly key: string;
  readonly node: number;
  /** When its release was asked for; from then on anybody may have it, once it has rested. */
  readonly endingSince?: number;
}

interface Rest {
  readonly node: number;
  readonly until_ms: number;
}

/** See the head of this file. Times are milliseconds of performance.now(). */
export class Ledger {
  readonly #held = new Map<string, Holding>();
  readonly #rests = new Map<string, Rest>();

  addressesOf(key: string): string[] {
    return [...this.#held].filter(([, holding]) => holding.key === key).map(([address]) => address);
  }

  /** An answer has said that these are the key's now. `cooldown_s`: of the node. @throws AssertionError when they cannot be. */
  given(key: string, node: number, addresses: readonly string[], cooldown_s: number): void {
    const now = performance.now();
    for (const address of addresses) {
      const before = this.#held.get(address);
      const rest = this.#rests.get(address)?.until_ms ?? 0;
      const free = before?.endingSince === undefined ? rest : before.endingSince + cooldown_s * 1000;
      assert.ok(
        before === undefined || before.endingSince !== undefined,
        `${address} was given to ${key}, and ${before?.key ?? ''} has it`,
      );
      assert.ok(now + CLOCKS_ms >= free, `${address} was given to ${key} ${Math.round(free - now)} ms before its rest was over`);
      this.#rests.delete(address);
      this.#held.set(address, { key, node });
    }
  }

  /** Somebody is about to ask for the key's end, or has since then. */
  ending(key: string, since = performance.now()): void {
    for (const address of this.addressesOf(key)) {
      const holding = this.#held.get(address);
      if (holding !== undefined) this.#held.set(address, { endingSince: since, ...holding });
    }
  }

  /** It came to nothing: the key lives on. */
  lives(key: string): void {
    for (const address of this.addressesOf(key)) {
      const { node } = this.#held.get(address) ?? { node: 0 };
      this.#held.set(address, { key, node });
    }
  }

  /** The key's end was answered, or is sure to have come. */
  ended(key: string, cooldown_s: number, addresses: readonly string[] = this.addressesOf(key)): void {
    for (const address of addresses) {
      const holding = this.#held.get(address);
      if (holding?.key !== key) continue;
      this.#held.delete(address);
      this.#rests.set(address, { node: holding.node, until_ms: (holding.endingSince ?? performance.now()) + cooldown_s * 1000 });
    }
  }

  /** The node starts with that cooldown: nothing rests longer than that from now on. */
  shorten(node: number, cooldown_s: number): void {
    const longest = performance.now() + cooldown_s * 1000;
    for (const [address, rest] of this.#rests) {
      if (rest.node === node) this.#rests.set(address, { node, until_ms: Math.min(rest.until_ms, longest) });
    }
  }
}
