// The procedures that ship, in the original's order: importing this registers them.

export {};
