"""What became of every component of a message (the account), and why every element of the output is as it is (the explanation).

Both are measured, not declared. A message is converted; then each valued component is taken away, or altered, and the message is
converted again. What differs in the output is what the component is the source of. A component that makes no difference is lost,
unless it stands on the list of allowed drops. So no declaration can be wrong or forgotten, code that joins several fields is
covered like a simple rule, and `convert` pays nothing for it. Rules and table rows get their names afterwards: the rules of the
field (`convert.message.all_rules`), and the rows that were looked up with the component and are not looked up without it.

`components.py` takes a message apart and makes variants of it; `outputs.py` converts and compares; `account.py` and
`explanation.py` draw the conclusions; `rendering.py` writes them down.
"""
