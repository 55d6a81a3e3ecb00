"""From messages to pairs, one topic a module.

`keys` says when two texts count as the same; `gaps` cuts conversations at long silences; `turns` folds spam and
merges messages; `near_duplicates` finds copies; `pairs` splits and pairs; `distractors` and `weak_reactions` add
columns to the pairs; `phrases` counts who said what; `lengths` measures in tokens; `funnels` makes counts add up.
"""
