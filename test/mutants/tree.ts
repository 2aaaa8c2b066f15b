import { copyFileSync, cpSync, existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { listTree } from '../tidy/source.ts'

/**
 * Copies the tree into `target` so that its tests run there as they do here: every file of the
 * tree, the links between its packages, and the installed libraries by a link. Replaces what is
 * there.
 */
export function copyTree(root: string, target: string): void {
  rmSync(target, { recursive: true, force: true })
  const homes = new Set<string>()
  for (const path of listTree(root)) {
    mkdirSync(join(target, dirname(path)), { recursive: true })
    copyFileSync(join(root, path), join(target, path))
    if (path.endsWith('/package.json')) homes.add(dirname(path))
  }
  symlinkSync(join(root, 'node_modules'), join(target, 'node_modules'))
  for (const home of homes) {
    const links = join(root, home, 'node_modules')
    if (!existsSync(links)) continue
    cpSync(links, join(target, home, 'node_modules'), { recursive: true, verbatimSymlinks: true })
  }
}
