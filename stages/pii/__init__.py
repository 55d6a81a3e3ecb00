"""Finding and replacing what identifies people.

`structured` and `names` turn a text into spans, `spans` resolves their overlaps, `slots` replaces them, `engine`
runs this over whole conversations, and `key` keeps the secret behind pseudonyms.
"""
