import { expect, test } from 'vitest'
import { parseScrape } from '../prometheus.ts'

test('a scrape is read line by line, comments left out', () => {
  const text = [
    '# HELP holdfast_rpc_calls_total Served calls',
    '# TYPE holdfast_rpc_calls_total counter',
    'holdfast_rpc_calls_total{method="/a.B/C",status="OK"} 42 1700000000000',
    'holdfast_plain 0.5',
    'not a sample',
  ].join('\n')
  expect(parseScrape(text)).toEqual([
    { name: 'holdfast_rpc_calls_total', labels: { method: '/a.B/C', status: 'OK' }, value: 42 },
    { name: 'holdfast_plain', labels: {}, value: 0.5 },
  ])
})

test('a label may hold quotes, commas and braces', () => {
  const [sample] = parseScrape(String.raw`a{text="say \"x\", {y}\\z"} 1`)
  expect(sample?.labels).toEqual({ text: String.raw`say "x", {y}\z` })
})
