"""Small classifiers on turn vectors and n-grams: fitted in seconds, for every stage that needs one."""
