"""Finding and replacing what identifies people.

`structured`, `addresses`, `ages`, `accounts` and `names` (word by word in `reading`, with `lexicon`, `cues` and
`recognizer`) turn a text into spans; `mentions` looks for a conversation's names again; `spans` resolves overlaps;
`slots` and `surrogates` replace; `engine` does all this for whole conversations, `parts` for a part of a table,
`lines` for plain lines; `key` keeps the secret behind pseudonyms.
"""
