// Knows versions of Node.js that do not work with linod.

/** The problem of a version of Node.js, as in `process.versions.node`; null for none. */
export function nodeProblem(version: string): string | null {
  // Source: github.com/nodejs/node issue 65446.
  if (!/^24\.(19|20|21)\./.test(version)) return null;
  const cure = 'use 24.22 or later, or 24.18 and then: npm rebuild better-sqlite3';
  return `Node.js ${version} aborts programs when better-sqlite3 was compiled for it: ${cure}`;
}
