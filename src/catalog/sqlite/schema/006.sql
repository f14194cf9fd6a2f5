-- The number of items in each collection, and the totals of `status.json`: counting them would take ever longer. The totals are
-- entries of `usage` of kind 2: rows (1), attachments (2), those of them without links, with the bytes of their blobs (3),
-- variants (4), scratch files (5). Every publication changes that table anyway.

CREATE TABLE collections (
    row_id INTEGER NOT NULL,
    field  TEXT    NOT NULL,
    items  INTEGER NOT NULL,
    PRIMARY KEY (row_id, field)
) STRICT, WITHOUT ROWID;

INSERT INTO collections (row_id, field, items)
    SELECT row_id, field, count(*) FROM links WHERE item <> '' GROUP BY row_id, field;

CREATE TRIGGER item_added AFTER INSERT ON links WHEN NEW.item <> '' BEGIN
    INSERT INTO collections (row_id, field, items) VALUES (NEW.row_id, NEW.field, 1)
        ON CONFLICT (row_id, field) DO UPDATE SET items = items + 1;
END;

CREATE TRIGGER item_dropped AFTER DELETE ON links WHEN OLD.item <> '' BEGIN
    UPDATE collections SET items = items - 1 WHERE row_id = OLD.row_id AND field = OLD.field;
    DELETE FROM collections WHERE row_id = OLD.row_id AND field = OLD.field AND items = 0;
END;

CREATE TRIGGER item_moved AFTER UPDATE OF row_id, field, item ON links
WHEN OLD.row_id <> NEW.row_id OR OLD.field <> NEW.field OR (OLD.item = '') <> (NEW.item = '') BEGIN
    INSERT INTO collections (row_id, field, items)
        SELECT NEW.row_id, NEW.field, 1 WHERE NEW.item <> ''
        ON CONFLICT (row_id, field) DO UPDATE SET items = items + 1;
    UPDATE collections SET items = items - 1
        WHERE row_id = OLD.row_id AND field = OLD.field AND OLD.item <> '';
    DELETE FROM collections WHERE row_id = OLD.row_id AND field = OLD.field AND items = 0;
END;

INSERT INTO usage (kind, id, files, bytes) SELECT 2, 1, count(*), 0 FROM rows;
INSERT INTO usage (kind, id, files, bytes) SELECT 2, 2, count(*), 0 FROM attachments;
INSERT INTO usage (kind, id, files, bytes)
    SELECT 2, 3, count(*), coalesce(sum(b.length), 0)
    FROM attachments a JOIN blobs b ON b.id = a.blob WHERE a.retired IS NOT NULL;
INSERT INTO usage (kind, id, files, bytes) SELECT 2, 4, count(*), 0 FROM variants;
INSERT INTO usage (kind, id, files, bytes) SELECT 2, 5, count(*), 0 FROM scratch;

CREATE TRIGGER row_counted AFTER INSERT ON rows BEGIN
    UPDATE usage SET files = files + 1 WHERE kind = 2 AND id = 1;
END;
CREATE TRIGGER row_discounted AFTER DELETE ON rows BEGIN
    UPDATE usage SET files = files - 1 WHERE kind = 2 AND id = 1;
END;

CREATE TRIGGER attachment_counted AFTER INSERT ON attachments BEGIN
    UPDATE usage SET files = files + 1 WHERE kind = 2 AND id = 2;
END;
CREATE TRIGGER attachment_retired AFTER UPDATE OF retired ON attachments
WHEN (OLD.retired IS NULL) <> (NEW.retired IS NULL) BEGIN
    UPDATE usage SET
        files = files + CASE WHEN NEW.retired IS NULL THEN -1 ELSE 1 END,
        bytes = bytes + CASE WHEN NEW.retired IS NULL THEN -1 ELSE 1 END
            * coalesce((SELECT length FROM blobs WHERE id = NEW.blob), 0)
        WHERE kind = 2 AND id = 3;
END;
CREATE TRIGGER attachment_discounted AFTER DELETE ON attachments BEGIN
    UPDATE usage SET files = files - 1 WHERE kind = 2 AND id = 2;
    UPDATE usage SET files = files - 1,
                     bytes = bytes - coalesce((SELECT length FROM blobs WHERE id = OLD.blob), 0)
        WHERE kind = 2 AND id = 3 AND OLD.retired IS NOT NULL;
END;

CREATE TRIGGER variant_counted AFTER INSERT ON variants BEGIN
    UPDATE usage SET files = files + 1 WHERE kind = 2 AND id = 4;
END;
CREATE TRIGGER variant_discounted AFTER DELETE ON variants BEGIN
    UPDATE usage SET files = files - 1 WHERE kind = 2 AND id = 4;
END;

CREATE TRIGGER scratch_counted AFTER INSERT ON scratch BEGIN
    UPDATE usage SET files = files + 1 WHERE kind = 2 AND id = 5;
END;
CREATE TRIGGER scratch_discounted AFTER DELETE ON scratch BEGIN
    UPDATE usage SET files = files - 1 WHERE kind = 2 AND id = 5;
END;
