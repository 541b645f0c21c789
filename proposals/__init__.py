"""What the authors of open problems (Round 4) use: what proposals of known kinds get on every problem.

It stands outside the installed package, as ``papers`` and ``designs`` do: it reads keys and answers from
source/.
"""
