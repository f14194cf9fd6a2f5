-- The number and the bytes of the blobs in each store. Triggers keep them, so that neither a start nor `status.json` counts
-- a million blobs.

CREATE TABLE held (
    store INTEGER PRIMARY KEY,
    blobs INTEGER NOT NULL,
    bytes INTEGER NOT NULL
) STRICT;

INSERT INTO held (store, blobs, bytes)
    SELECT store, count(*), coalesce(sum(length), 0) FROM blobs
    WHERE stored IS NOT NULL AND doomed = 0 GROUP BY store;

CREATE TRIGGER blob_stored AFTER UPDATE OF stored ON blobs
WHEN OLD.stored IS NULL AND NEW.stored IS NOT NULL AND NEW.doomed = 0 BEGIN
    INSERT INTO held (store, blobs, bytes) VALUES (NEW.store, 1, coalesce(NEW.length, 0))
        ON CONFLICT (store) DO UPDATE SET blobs = blobs + 1, bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER blob_added AFTER INSERT ON blobs WHEN NEW.stored IS NOT NULL BEGIN
    INSERT INTO held (store, blobs, bytes) VALUES (NEW.store, 1, coalesce(NEW.length, 0))
        ON CONFLICT (store) DO UPDATE SET blobs = blobs + 1, bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER blob_doomed AFTER UPDATE OF doomed ON blobs
WHEN OLD.doomed = 0 AND NEW.doomed = 1 AND NEW.stored IS NOT NULL BEGIN
    UPDATE held SET blobs = blobs - 1, bytes = bytes - coalesce(NEW.length, 0)
        WHERE store = NEW.store;
END;

-- Only items have positions; a field that holds one file is not in this index.
DROP INDEX links_in_order;
CREATE INDEX links_in_order ON links (row_id, field, position) WHERE item <> '';
