/**
 * Thrown by the work of a transaction to have the whole of it run again, as after 40001: what it
 * read first has changed meanwhile. After the last run the caller gets Conflict KEY_IN_PROGRESS.
 */
export class RunAgain extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'RunAgain'
  }
}
