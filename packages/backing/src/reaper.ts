import { type ChildProcess, spawn } from 'node:child_process'
import { Socket } from 'node:net'

/**
 * Keeps a list of processes on its standard input and ends them when that closes, which happens
 * however this process ends, SIGKILL included. A shell: 1 MB, and it starts in a millisecond.
 */
const SCRIPT = `
list=""
while read -r operation pid signal; do
  case "$operation" in
    +) list="$list $pid:$signal" ;;
    -) next=""
       for entry in $list; do [ "\${entry%%:*}" = "$pid" ] || next="$next $entry"; done
       list="$next" ;;
  esac
done
for entry in $list; do
  kill -s "\${entry##*:}" "\${entry%%:*}" 2>/dev/null
  kill -s CONT "\${entry%%:*}" 2>/dev/null
done
seconds=0
while [ "$seconds" -lt 9 ]; do
  alive=""
  for entry in $list; do kill -s 0 "\${entry%%:*}" 2>/dev/null && alive=1; done
  [ -z "$alive" ] && exit 0
  sleep 1
  seconds=$((seconds + 1))
done
for entry in $list; do kill -s KILL -- "-\${entry%%:*}" 2>/dev/null; done
exit 0
`

let reaper: ChildProcess | undefined

/** Has the process ended when this one ends in any way. Repeating it is harmless. */
export function guardProcess(pid: number, stopSignal: NodeJS.Signals): void {
  tell(`+ ${pid} ${stopSignal.replace(/^SIG/, '')}\n`)
}

/** Takes back `guardProcess`, once the process has ended. Idempotent. */
export function releaseProcess(pid: number): void {
  if (reaper !== undefined) tell(`- ${pid}\n`)
}

function tell(line: string): void {
  reaper ??= startReaper()
  reaper.stdin?.write(line)
}

function startReaper(): ChildProcess {
  // Detached: Ctrl-C reaches the terminal's own process group only.
  const child = spawn('sh', ['-c', SCRIPT, 'holdfast-reaper'], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    cwd: '/',
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
  })
  // Without a shell the written record of processes remains as the second net.
  child.on('error', () => undefined)
  child.stdin.on('error', () => undefined)
  child.unref()
  // A pipe to a child is a socket underneath; it must not keep this process alive.
  if (child.stdin instanceof Socket) child.stdin.unref()
  return child
}
