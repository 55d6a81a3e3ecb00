"""Anonymize: finding and replacing what identifies people.

`structured`, `addresses`, `ages`, `accounts` and `names` (word by word in `name_words`, with `lexicon`, `cues` and
`recognizer`) turn a text into spans; `mentions` looks for a conversation's names again; `spans` resolves overlaps;
`slots` and `surrogates` replace; `engine` does all this for whole conversations, `worker` for a part of a table,
`preview` for plain lines; `pseudonyms` keeps the secret behind pseudonyms.
"""
