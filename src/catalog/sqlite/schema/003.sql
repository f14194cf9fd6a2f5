-- What each table (kind 0) and each owner (kind 1) is charged: for each link a file, the bytes of its attachment and those
-- of its original. Triggers keep the counts, so that a change to a link, an owner or a blob changes them in the same
-- transaction.

CREATE TABLE usage (
    kind  INTEGER NOT NULL,
    id    INTEGER NOT NULL,
    files INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

CREATE VIEW charges (attachment, uid, size) AS
    SELECT a.id, a.uid, coalesce(b.length, 0) + coalesce(s.length, 0)
    FROM attachments a JOIN blobs b ON b.id = a.blob LEFT JOIN blobs s ON s.id = a.original;

INSERT INTO usage (kind, id, files, bytes)
    SELECT 0, r.tab, count(*), sum(c.size)
    FROM links l JOIN rows r ON r.id = l.row_id JOIN charges c ON c.attachment = l.attachment
    GROUP BY r.tab;
INSERT INTO usage (kind, id, files, bytes)
    SELECT 1, c.uid, count(*), sum(c.size)
    FROM links l JOIN charges c ON c.attachment = l.attachment
    GROUP BY c.uid;

CREATE TRIGGER links_charged AFTER INSERT ON links BEGIN
    INSERT INTO usage (kind, id, files, bytes)
        SELECT 0, r.tab, 1, c.size FROM rows r, charges c
        WHERE r.id = NEW.row_id AND c.attachment = NEW.attachment
        ON CONFLICT (kind, id) DO UPDATE SET files = files + 1, bytes = bytes + excluded.bytes;
    INSERT INTO usage (kind, id, files, bytes)
        SELECT 1, c.uid, 1, c.size FROM charges c WHERE c.attachment = NEW.attachment
        ON CONFLICT (kind, id) DO UPDATE SET files = files + 1, bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER links_discharged AFTER DELETE ON links BEGIN
    UPDATE usage SET files = files - 1, bytes = bytes - c.size
        FROM rows r, charges c
        WHERE kind = 0 AND usage.id = r.tab AND r.id = OLD.row_id AND c.attachment = OLD.attachment;
    UPDATE usage SET files = files - 1, bytes = bytes - c.size
        FROM charges c
        WHERE kind = 1 AND usage.id = c.uid AND c.attachment = OLD.attachment;
END;

CREATE TRIGGER links_recharged AFTER UPDATE OF row_id, attachment ON links
WHEN OLD.row_id <> NEW.row_id OR OLD.attachment <> NEW.attachment BEGIN
    UPDATE usage SET files = files - 1, bytes = bytes - c.size
        FROM rows r, charges c
        WHERE kind = 0 AND usage.id = r.tab AND r.id = OLD.row_id AND c.attachment = OLD.attachment;
    UPDATE usage SET files = files - 1, bytes = bytes - c.size
        FROM charges c
        WHERE kind = 1 AND usage.id = c.uid AND c.attachment = OLD.attachment;
    INSERT INTO usage (kind, id, files, bytes)
        SELECT 0, r.tab, 1, c.size FROM rows r, charges c
        WHERE r.id = NEW.row_id AND c.attachment = NEW.attachment
        ON CONFLICT (kind, id) DO UPDATE SET files = files + 1, bytes = bytes + excluded.bytes;
    INSERT INTO usage (kind, id, files, bytes)
        SELECT 1, c.uid, 1, c.size FROM charges c WHERE c.attachment = NEW.attachment
        ON CONFLICT (kind, id) DO UPDATE SET files = files + 1, bytes = bytes + excluded.bytes;
END;

-- An owner without linked attachments gets no entry.
CREATE TRIGGER attachments_given AFTER UPDATE OF uid ON attachments WHEN OLD.uid <> NEW.uid BEGIN
    UPDATE usage SET files = files - l.count, bytes = bytes - l.count * c.size
        FROM (SELECT count(*) AS count FROM links WHERE attachment = NEW.id) l, charges c
        WHERE kind = 1 AND usage.id = OLD.uid AND c.attachment = NEW.id;
    INSERT INTO usage (kind, id, files, bytes)
        SELECT 1, NEW.uid, l.count, l.count * c.size
        FROM (SELECT count(*) AS count FROM links WHERE attachment = NEW.id) l, charges c
        WHERE l.count > 0 AND c.attachment = NEW.id
        ON CONFLICT (kind, id) DO UPDATE
        SET files = files + excluded.files, bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER attachments_resized AFTER UPDATE OF blob, original ON attachments
WHEN OLD.blob <> NEW.blob OR OLD.original IS NOT NEW.original BEGIN
    UPDATE usage SET bytes = bytes + l.count * (
            coalesce((SELECT length FROM blobs WHERE id = NEW.blob), 0)
            + coalesce((SELECT length FROM blobs WHERE id = NEW.original), 0)
            - coalesce((SELECT length FROM blobs WHERE id = OLD.blob), 0)
            - coalesce((SELECT length FROM blobs WHERE id = OLD.original), 0))
        FROM (SELECT r.tab, count(*) AS count FROM links JOIN rows r ON r.id = row_id
              WHERE attachment = NEW.id GROUP BY r.tab) l
        WHERE kind = 0 AND usage.id = l.tab;
    UPDATE usage SET bytes = bytes + l.count * (
            coalesce((SELECT length FROM blobs WHERE id = NEW.blob), 0)
            + coalesce((SELECT length FROM blobs WHERE id = NEW.original), 0)
            - coalesce((SELECT length FROM blobs WHERE id = OLD.blob), 0)
            - coalesce((SELECT length FROM blobs WHERE id = OLD.original), 0))
        FROM (SELECT count(*) AS count FROM links WHERE attachment = NEW.id) l
        WHERE kind = 1 AND usage.id = NEW.uid;
END;
