-- Numbers of rows, attachments, variants and scratch files become inode numbers, and a blob's number is the generation in
-- its key. AUTOINCREMENT never gives a number out twice, not even after the entry with the highest one was deleted.
-- Times are nanoseconds since 1970.

CREATE TABLE tables (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE rows (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    tab      INTEGER NOT NULL REFERENCES tables (id),
    name     TEXT    NOT NULL,
    uid      INTEGER NOT NULL,
    gid      INTEGER NOT NULL,
    mode     INTEGER NOT NULL,
    accessed INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    changed  INTEGER NOT NULL,
    UNIQUE (tab, name)
) STRICT;

CREATE INDEX rows_in_order ON rows (tab, id);

CREATE TABLE blobs (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    digest     BLOB    NOT NULL CHECK (length(digest) = 32),
    reserved   INTEGER NOT NULL,
    -- 1 until the blob is linked, and again when it has lost its last use as a variant or an original. A sweep looks at
    -- these blobs and at those of retired attachments, and never at all blobs.
    idle       INTEGER NOT NULL DEFAULT 1,
    doomed     INTEGER NOT NULL DEFAULT 0,
    -- These columns are NULL until the blob counts as stored.
    stored     INTEGER,
    media_type TEXT,
    length     INTEGER,
    width      INTEGER,
    height     INTEGER
) STRICT;

CREATE INDEX blobs_by_digest ON blobs (digest, id) WHERE stored IS NOT NULL AND doomed = 0;
CREATE INDEX blobs_idle ON blobs (reserved) WHERE idle = 1 AND doomed = 0;
CREATE INDEX blobs_doomed ON blobs (id) WHERE doomed = 1;

CREATE TABLE attachments (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    blob      INTEGER NOT NULL REFERENCES blobs (id),
    uid       INTEGER NOT NULL,
    gid       INTEGER NOT NULL,
    mode      INTEGER NOT NULL,
    accessed  INTEGER NOT NULL,
    modified  INTEGER NOT NULL,
    changed   INTEGER NOT NULL,
    committed INTEGER NOT NULL,
    version   INTEGER NOT NULL,
    filename  TEXT    NOT NULL,
    links     INTEGER NOT NULL CHECK (links >= 0),
    retired   INTEGER,
    CHECK ((links = 0) = (retired IS NOT NULL))
) STRICT;

CREATE INDEX attachments_by_blob ON attachments (blob);
CREATE INDEX attachments_retired ON attachments (retired) WHERE retired IS NOT NULL;

CREATE TABLE links (
    row_id     INTEGER NOT NULL REFERENCES rows (id),
    field      TEXT    NOT NULL,
    written    TEXT    NOT NULL,
    attachment INTEGER NOT NULL REFERENCES attachments (id),
    PRIMARY KEY (row_id, field)
) STRICT, WITHOUT ROWID;

CREATE INDEX links_by_attachment ON links (attachment);

CREATE TABLE attributes (
    attachment INTEGER NOT NULL REFERENCES attachments (id) ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    value      BLOB    NOT NULL,
    PRIMARY KEY (attachment, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE variants (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    original INTEGER NOT NULL REFERENCES blobs (id),
    name     TEXT    NOT NULL,
    blob     INTEGER NOT NULL REFERENCES blobs (id),
    used     INTEGER NOT NULL,
    UNIQUE (original, name)
) STRICT;

CREATE INDEX variants_by_blob ON variants (blob);
CREATE INDEX variants_by_use ON variants (used, id);

CREATE TABLE scratch (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    row_id  INTEGER NOT NULL REFERENCES rows (id),
    name    TEXT    NOT NULL,
    file    TEXT    NOT NULL,
    uid     INTEGER NOT NULL,
    gid     INTEGER NOT NULL,
    mode    INTEGER NOT NULL,
    created INTEGER NOT NULL,
    UNIQUE (row_id, name)
) STRICT;

CREATE INDEX scratch_by_age ON scratch (created);
