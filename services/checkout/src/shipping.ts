import { sum } from '@holdfast/kernel'
import type { ProfileOption, ProfileView } from './domain-peer.ts'
import type { ShippingRate, ShippingRule } from './domain-quote.ts'

/**
 * Ways to ship by the sellers' own tables: an option counts when every profile among the lines has
 * it for the country, and then costs each profile's price once. The first profile's order is kept.
 */
export function shippingRule(profiles: ReadonlyMap<string, ProfileView>): ShippingRule {
  return ({ shippingProfileIds, country, currency }) => {
    const [first, ...others] = shippingProfileIds.map((id) => profiles.get(id)?.options ?? [])
    const offered = (first ?? []).filter((option) => serves(option, country, currency))
    return offered.flatMap((option) => {
      const same = others.map((options) =>
        options.find(
          (other) => other.optionKey === option.optionKey && serves(other, country, currency),
        ),
      )
      const found = same.filter((other) => other !== undefined)
      return found.length === same.length ? [rateOf([option, ...found], option, currency)] : []
    })
  }
}

function serves(option: ProfileOption, country: string, currency: string): boolean {
  return option.countries.includes(country) && option.flat.currency === currency
}

function rateOf(
  options: readonly ProfileOption[],
  shown: ProfileOption,
  currency: string,
): ShippingRate {
  return {
    optionKey: shown.optionKey,
    label: shown.label,
    price: sum(
      currency,
      options.map((option) => option.flat),
    ),
    daysMin: Math.max(...options.map((option) => option.daysMin)),
    daysMax: Math.max(...options.map((option) => option.daysMax)),
    source: 'TABLE',
  }
}
