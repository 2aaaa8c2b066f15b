import { expect, test } from 'vitest'
import { parseStartOptions } from './options.ts'

function parse(...args: string[]) {
  return parseStartOptions(args, '/project')
}

test('without flags everything is started, bought once, and kept in .holdfast', () => {
  expect(parse()).toMatchObject({
    exit: false,
    dataFolder: '/project/.holdfast',
    only: 'everything',
    purchase: true,
    ports: 'fixed',
    faults: false,
    simulator: {},
  })
})

test('every flag is read', () => {
  const simulator = 'ANSWER_DELAY_MS=200,HANG_MS=5000'
  const options = parse(
    ...['--exit', '--no-purchase', '--only', 'backing', '--ports', 'auto', '--data', '/elsewhere'],
    ...['--faults', '--copies', 'cart=3', '--payment-simulator-options', simulator],
  )
  expect(options).toMatchObject({
    exit: true,
    dataFolder: '/elsewhere',
    only: 'backing',
    purchase: false,
    ports: 'auto',
    faults: true,
    copies: { cart: 3 },
    simulator: { ANSWER_DELAY_MS: '200', HANG_MS: '5000' },
  })
})

test.each([
  [['--bogus'], "Unknown option '--bogus'"],
  [['--ports', 'some'], '--ports must be fixed or auto, not "some".'],
  [['--only', 'half'], '--only must be everything or backing, not "half".'],
  [['--payment-simulator-options', 'delay'], '--payment-simulator-options does not know "delay"'],
  [['purchase'], 'Expected 0 arguments but got 1: purchase. See npm start -- --help.'],
])('%s is refused in one line', (args, line) => {
  expect(() => parse(...args)).toThrow(line)
})

test('where only the servers run nothing is bought', () => {
  expect(parse('--only', 'backing')).toMatchObject({ only: 'backing', purchase: false })
})

test('help lists the ports and where to look', () => {
  const wanted = parse('--help')
  expect(wanted).toHaveProperty('help')
  const { help } = wanted as { help: string }
  expect(help).toContain('7432')
  expect(help).toContain('endpoints.json')
})
