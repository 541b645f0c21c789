"""What the authors of designs (Round 3) use: what designs of known kinds get on every hypothesis.

This stands outside the installed package, as ``papers`` does: it reads keys and model designs from source/.
"""
