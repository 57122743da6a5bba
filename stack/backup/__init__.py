"""Backups of a one-machine stack while it serves, restoring to any moment between two of them, and a drill that proves it.

What is copied, in this order, and why in this order:

1. the consumers' offsets, as the broker keeps them. A consumer commits an offset after its transaction, so what PostgreSQL says later
   contains all that these offsets call handled: nobody passes over an event whose effect was not restored.
2. PostgreSQL: a base now and then, the write-ahead log always, up to a restore point that is set now.
3. the objects: topics, lake, files of reports. An outbox row is removed after the broker has its event, and a table of the lake names files
   that were there before: so objects that are newer than the restore point contain all that PostgreSQL relies on.
4. what else lies in the home: mails as they are, secrets and settings sealed with a passphrase.

Restoring cuts the topics at the moment of the restore point, so that the log tells of nothing that PostgreSQL has not seen; consumers begin
at the older offsets, meet some events again, and count each once.
"""
