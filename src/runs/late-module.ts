// Modules that are loaded when something of them is first used.

/**
 * Stands for a module that others import by names when they are loaded, but few use: node:crypto alone takes a thread 2.5 ms.
 *
 * @param load called once, when it is first used
 */
export function lateModule(load: () => object): object {
  let loaded: object | undefined;
  const module = () => {
    loaded ??= load();
    return loaded;
  };
  return new Proxy(
    {},
    {
      // Whether it was made of an ES module asks who only imports it. That is of no concern to names.
      get: (_, name) => (name === '__esModule' ? undefined : Reflect.get(module(), name)),
      has: (_, name) => Reflect.has(module(), name),
      ownKeys: () => Reflect.ownKeys(module()),
      getOwnPropertyDescriptor(_, name) {
        const descriptor = Reflect.getOwnPropertyDescriptor(module(), name);
        // Else a proxy would have to have the property itself.
        return descriptor === undefined ? undefined : { ...descriptor, configurable: true };
      },
    },
  );
}
