import { checkDocstrings } from './rule-docstrings.ts'
import { checkDocuments } from './rule-documents.ts'
import { checkManifests } from './rule-manifests.ts'
import { checkMigrations } from './rule-migrations.ts'
import type { MigrationHashes } from './rule-migrations.ts'
import { checkNames } from './rule-names.ts'
import { checkPages } from './rule-pages.ts'
import { checkPlaces } from './rule-places.ts'
import { checkProtos } from './rule-protos.ts'
import { checkReasons } from './rule-reasons.ts'
import { checkRooms } from './rule-rooms.ts'
import { checkSizes } from './rule-sizes.ts'
import { checkSql } from './rule-sql.ts'
import { checkTests } from './rule-tests.ts'
import { checkWalls } from './rule-walls.ts'
import { checkWords } from './rule-words.ts'
import type { Rule } from './source.ts'

/** The rules of the house by name, for a tree of `paths`; `exceptions.json` names them alike. */
export function houseRules(
  hashes: MigrationHashes,
  paths: readonly string[],
): Readonly<Record<string, Rule>> {
  return {
    walls: checkWalls,
    rooms: checkRooms,
    names: checkNames,
    words: checkWords,
    sizes: checkSizes,
    sql: checkSql,
    reasons: checkReasons,
    migrations: checkMigrations(hashes),
    protos: checkProtos,
    docstrings: checkDocstrings,
    pages: checkPages,
    tests: checkTests,
    places: checkPlaces,
    manifests: checkManifests,
    documents: checkDocuments(paths),
  }
}
