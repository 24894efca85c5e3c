/** One at a time for each name: changes of one port are read, decided and written before the next begins. */

/** Runs `body` when all that asked before for the same name have ended, well or not. */
export type Turns = <T>(name: string, body: () => Promise<T>) => Promise<T>;

/** Names that nobody waits for are forgotten. */
export function turns(): Turns {
  const last = new Map<string, Promise<unknown>>();
  return async (name, body) => {
    const before = last.get(name) ?? Promise.resolve();
    const mine = before.then(body, body);
    last.set(name, mine);
    try {
      return await mine;
    } finally {
      if (last.get(name) === mine) last.delete(name);
    }
  };
}
