/** What the Web UI says about a seller's run, for a person who has never seen the code. */
export const RUN_DETAILS = [
  'What a seller has to hand in, when it runs out, and who has to be reminded.',
  [
    "The seller's rows are the truth (`GetSeller`). This run waits, reminds, and does what",
    'falls due; it is signalled when the rows change, reads them again at least once a day, and',
    'ends when the seller is closed.',
  ].join(' '),
  [
    'Decisions are made by `ReviewRequirement`, `ApproveSeller`, `RejectSeller`, `SuspendSeller`',
    'and `ReinstateSeller`, never here.',
  ].join(' '),
  'A run that was lost or terminated is begun again within hours.',
].join('\n\n')
