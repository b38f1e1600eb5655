"""The messages that front ends, host and workers exchange; standard library only.

One protocol serves both hops (`docs/protocol.md`): a line of JSON `{id, parent_id, type, body}`, optionally
followed by `payload_bytes` raw bytes. `envelope` frames it, `body` maps bodies to frozen dataclasses,
`channel` matches replies to requests; the other modules name the message types, one module a subject.
"""

PROTOCOL_VERSION = 1
