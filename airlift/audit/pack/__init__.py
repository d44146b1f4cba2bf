"""What an audit leaves behind: reports for people and tools, and the signed pack of them.

Each form is one file that turns a report into bytes; ``evidence`` puts all together,
``checking`` is the other end. The same site, knowledge and time give the same bytes.
"""
