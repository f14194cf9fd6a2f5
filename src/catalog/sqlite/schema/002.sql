-- Collections: fields get numbers, links an item and a position, scratch files a directory. Stores get names. A retired
-- attachment remembers its last link, for the trash. Attachments keep their URL and their original.

CREATE TABLE fields (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    tab  INTEGER NOT NULL REFERENCES tables (id),
    name TEXT    NOT NULL,
    -- 1 if attachments that lose their last link in this field are kept for ever.
    keep INTEGER NOT NULL DEFAULT 0,
    UNIQUE (tab, name)
) STRICT;

-- The library's own store has number 0 and no row.
CREATE TABLE stores (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE
) STRICT;

ALTER TABLE blobs ADD COLUMN store INTEGER NOT NULL DEFAULT 0;
DROP INDEX blobs_by_digest;
CREATE INDEX blobs_by_digest ON blobs (digest, store, id) WHERE stored IS NOT NULL AND doomed = 0;

ALTER TABLE attachments ADD COLUMN source TEXT;
ALTER TABLE attachments ADD COLUMN original INTEGER REFERENCES blobs (id);
-- Of a retired attachment: the slot of its last link, as text, the name that was written there, and the field's `keep`.
ALTER TABLE attachments ADD COLUMN left_slot TEXT;
ALTER TABLE attachments ADD COLUMN left_written TEXT;
ALTER TABLE attachments ADD COLUMN keep INTEGER NOT NULL DEFAULT 0;
CREATE INDEX attachments_by_original ON attachments (original) WHERE original IS NOT NULL;
DROP INDEX attachments_retired;
CREATE INDEX attachments_retired ON attachments (retired, id) WHERE retired IS NOT NULL;
-- The attachments that a sweep looks at.
CREATE INDEX attachments_going ON attachments (retired, id) WHERE retired IS NOT NULL AND keep = 0;
CREATE INDEX attachments_orphaned ON attachments (id) WHERE retired IS NOT NULL AND keep = 1;
-- The names that the trash gives them.
CREATE INDEX attachments_in_trash ON attachments (replace(left_slot, '/', '-'), retired, id)
    WHERE retired IS NOT NULL;

-- The item is empty where the field holds one file.
CREATE TABLE links_2 (
    row_id     INTEGER NOT NULL REFERENCES rows (id),
    field      TEXT    NOT NULL,
    item       TEXT    NOT NULL DEFAULT '',
    written    TEXT    NOT NULL,
    attachment INTEGER NOT NULL REFERENCES attachments (id),
    position   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (row_id, field, item)
) STRICT, WITHOUT ROWID;
INSERT INTO links_2 (row_id, field, written, attachment)
    SELECT row_id, field, written, attachment FROM links;
DROP TABLE links;
ALTER TABLE links_2 RENAME TO links;
CREATE INDEX links_by_attachment ON links (attachment);
CREATE INDEX links_in_order ON links (row_id, field, position);

-- The positions of items that were unlinked a moment ago: many programs delete a file first and write it again then.
CREATE TABLE vacated (
    row_id   INTEGER NOT NULL,
    field    TEXT    NOT NULL,
    item     TEXT    NOT NULL,
    position INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (row_id, field, item)
) STRICT, WITHOUT ROWID;
CREATE INDEX vacated_in_order ON vacated (row_id, field, position);
CREATE INDEX vacated_by_age ON vacated (at);

-- The field is empty where the directory is the row itself.
CREATE TABLE scratch_2 (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    row_id  INTEGER NOT NULL REFERENCES rows (id),
    field   TEXT    NOT NULL DEFAULT '',
    name    TEXT    NOT NULL,
    file    TEXT    NOT NULL,
    uid     INTEGER NOT NULL,
    gid     INTEGER NOT NULL,
    mode    INTEGER NOT NULL,
    created INTEGER NOT NULL,
    -- Of a file in a drop box: whether it waits, the row that was added for it, and the digest that was processed last.
    waiting INTEGER NOT NULL DEFAULT 0,
    becomes INTEGER,
    taken   BLOB,
    UNIQUE (row_id, field, name)
) STRICT;
INSERT INTO scratch_2 (id, row_id, name, file, uid, gid, mode, created)
    SELECT id, row_id, name, file, uid, gid, mode, created FROM scratch;
-- Numbers that were given out must not come again.
INSERT OR REPLACE INTO sqlite_sequence (rowid, name, seq)
    SELECT (SELECT rowid FROM sqlite_sequence WHERE name = 'scratch_2'), 'scratch_2', seq
    FROM sqlite_sequence WHERE name = 'scratch';
DROP TABLE scratch;
ALTER TABLE scratch_2 RENAME TO scratch;
CREATE INDEX scratch_by_age ON scratch (created);
CREATE INDEX scratch_waiting ON scratch (id) WHERE waiting = 1;
