import { CODE, type RowClass } from './row.ts'
import type { FieldShape } from './shapes.ts'

/** What a field that is text is for: words for people, or something only machines read. */
export type TextKind = 'words' | 'code'

/** Fields that take words: each refuses a card number by its own reason. */
export const WORDS: ReadonlySet<string> = new Set([
  'device_name',
  'display_name',
  'legal_name',
  'title',
  'reason',
  'label',
  'value',
  'name',
  'recipient',
  'line1',
  'line2',
  'city',
  'region',
  'postal_code',
])

/** Names of fields that are words elsewhere and a code in this RPC. */
const CODES = new Set(['SubmitRequirement.answers[0].name'])

/** What kind of text a field holds. */
export function textKindOf(rpc: string, { name, ownName }: FieldShape): TextKind {
  return WORDS.has(ownName) && !CODES.has(`${rpc}.${name}`) ? 'words' : 'code'
}

/** Why a row is not as the others are. */
export interface Exception {
  readonly why: string
  /** Status codes that are wanted instead; without them the row is not sent. */
  readonly wanted?: readonly number[]
  readonly reasons?: readonly string[]
  /** What of the rule applied: `why: field` and `why: value`. */
  readonly uses: readonly string[]
}

interface Rule extends Omit<Exception, 'uses'> {
  /** Field names, or `Rpc.field` as a violation names it. */
  readonly fields: readonly string[]
  /** Names of values, or classes of them. */
  readonly values: readonly string[]
}

const LEFT_OUT = ['left out', 'the wrong wire type']

const OPTIONAL: readonly string[] = [
  'device_name',
  'page_size',
  'page_token',
  'cursor',
  'line2',
  'region',
  'postal_code',
  'location',
  'product_ref',
  'return_url',
  'shipping_choices',
  'wait_for',
  'state',
  'expected_line_version',
  'expected_cart_version',
  'commission_basis_points',
  'waive_until_time',
  'seen_price',
  'act_as',
  'guest_refresh_token',
  'after_version',
  'account_generation',
  'RegisterAccount.display_name',
  'LogOut.refresh_token',
  'RevokeAllSessions.account_id',
  'GetSession.session_id',
  'ValidateSession.account_id',
  'GetCart.cart_id',
  'GetAvailability.seller_id',
  'WatchStock.item_ids',
  'GetStockView.item_ids',
  'GetBalance.seller_id',
  'GetBalance.currency_code',
  'ListLedgerEntries.seller_id',
  'ListLedgerEntries.payment_id',
  'ListOrders.seller_id',
  'AdjustStock.expected_version',
  'SubmitRequirement.expected_version',
  'SubmitRequirement.answers',
  'SubmitRequirement.answers[0].value',
  'SuspendSeller.expected_version',
  'ReinstateSeller.expected_version',
  'ReviewRequirement.reason',
  'SetShippingProfile.shipping_profile_id',
  'SetShippingProfile.expected_version',
  'UpdateOffer.title',
  'UpdateOffer.price',
  'UpdateOffer.tax_category',
  'UpdateOffer.shipping_profile_id',
  'LogIn.act_as.seller_id',
  'RefreshSession.act_as.seller_id',
]

const OPTIONAL_WORDS = [
  'device_name',
  'line2',
  'region',
  'postal_code',
  'RegisterAccount.display_name',
  'ReviewRequirement.reason',
  'SubmitRequirement.answers[0].value',
]

const ZERO_IS_A_VALUE = [
  'on_hand',
  'days_min',
  'AddLine.seen_price.minor',
  'SetShippingProfile.options[0].rate.value.minor',
  ...['goods', 'shipping', 'seller_tax', 'platform_tax', 'commission', 'commission_tax'].map(
    (name) => `CreatePayment.splits[0].${name}.minor`,
  ),
]

/** Texts that are well-formed and no token. */
const BAD_TEXTS = [
  'a control character',
  'a line end',
  'NUL',
  'a direction mark',
  'a letter without width',
  'only blanks',
  'letters made of two',
]

const RULES: readonly Rule[] = [
  {
    fields: OPTIONAL,
    values: [...LEFT_OUT, '0', 'unspecified'],
    why: 'The field may be left out, which 0 says too.',
  },
  {
    fields: OPTIONAL_WORDS,
    values: ['only blanks'],
    why: 'Words that may be left out may be blank, and are then stored as left out.',
  },
  {
    fields: ZERO_IS_A_VALUE,
    values: [...LEFT_OUT, '0'],
    why: '0 is a value like others, and on the wire the same as left out.',
  },
  {
    fields: ['password'],
    values: ['text', 'card', ...LEFT_OUT],
    why: 'A password is any text; it is hashed, and guesses are counted.',
  },
  {
    fields: ['refresh_token', 'guest_refresh_token'],
    values: [...BAD_TEXTS, 'card'],
    why: 'A token that is none proves nobody, whatever it is made of.',
    wanted: [CODE.unauthenticated, CODE.resourceExhausted],
    reasons: ['TOKEN_INVALID', 'RATE_LIMITED', 'CREDENTIALS_REFUSED'],
  },
  {
    fields: ['page_token', 'cursor'],
    values: [...BAD_TEXTS, 'card'],
    why: 'What no earlier answer gave has a reason of its own.',
    wanted: [CODE.invalidArgument],
    reasons: ['PAGE_TOKEN_INVALID', 'CURSOR_INVALID', 'INVALID_FIELD'],
  },
  {
    fields: ['AdjustStock.delta'],
    values: ['a negative'],
    why: 'A negative is right for another reason, so that the reason is named.',
    wanted: [CODE.invalidArgument],
  },
  {
    fields: ['PlaceHold.lines'],
    values: ['one twice'],
    why: 'Lines of one item are summed.',
  },
  {
    fields: ['CreatePayment.splits'],
    values: ['one twice'],
    why: 'Splits are looked at together, with a reason of their own.',
    wanted: [CODE.invalidArgument],
    reasons: ['AMOUNT_MISMATCH'],
  },
  {
    fields: ['AddLine.seen_price.currency_code'],
    values: ['another than it is traded in'],
    why: 'What the buyer saw is noted as it was seen, and told as changed.',
  },
  {
    fields: ['ApplySeller.currency_code', 'GetBalance.currency_code'],
    values: ['another than it is traded in'],
    why: 'Any currency may be asked for here.',
  },
  {
    fields: ['currency_code'],
    values: ['another than it is traded in'],
    why: 'A known currency at the wrong place is refused by the state of the thing.',
    wanted: [CODE.invalidArgument, CODE.failedPrecondition, CODE.aborted, CODE.alreadyExists],
  },
]

/** Everything that the rules except: each must apply to a field of the contract. */
export const EXCEPTED: readonly string[] = RULES.flatMap(({ why, fields, values }) =>
  [...fields, ...values].map((one) => `${why}: ${one}`),
)

/** The exception for a row, if there is one. */
export function exceptionFor(about: {
  readonly rpc: string
  readonly shape: FieldShape
  readonly class: RowClass
  readonly value: string
}): Exception | undefined {
  const { rpc, shape } = about
  const names = [shape.ownName, `${rpc}.${shape.name}`]
  const valueNames = [about.value, about.class]
  if (about.value === 'letters made of two' && textKindOf(rpc, shape) === 'words') {
    return { why: 'Words are stored in one form, whichever they come in.', uses: [] }
  }
  for (const { fields, values, ...rest } of RULES) {
    const field = fields.find((one) => names.includes(one))
    const value = values.find((one) => valueNames.includes(one))
    if (field === undefined || value === undefined) continue
    return { ...rest, uses: [`${rest.why}: ${field}`, `${rest.why}: ${value}`] }
  }
  return undefined
}
