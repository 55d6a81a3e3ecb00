"""Dialogues: from messages to pairs, one topic a module.

`gaps` cuts conversations at long silences; `turns` folds spam and merges messages; `near_duplicates` finds copies;
`pairs` splits and pairs; `distractors` and `weak_reactions` add columns to the pairs; `reply_base` counts who said
what; `lengths` measures in tokens; `funnels` makes counts add up; `pair_rules` says what a pair must be.
"""
