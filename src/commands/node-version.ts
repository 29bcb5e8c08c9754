// Versions of Node.js with which linod does not work.

/** What is wrong with a version of Node.js, as `process.versions.node` has it; null for nothing that is known. */
export function nodeProblem(version: string): string | null {
  // Source: github.com/nodejs/node issue 65446.
  if (!/^24\.(19|20|21)\./.test(version)) return null;
  return `Node.js ${version} ends programs with an abort where better-sqlite3 was compiled for it: use 24.22 or later, or 24.18 and then: npm rebuild better-sqlite3`;
}
