"""An independent reader of Hansard recordings, written from schemas/FORMAT.md alone.

It exists to disagree: where it and the Rust code read one file differently, one of them, or the text, is wrong.
It is not fast, and it is not for use in place of hansard-replay.
"""
